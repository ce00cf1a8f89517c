"""Crews: every sender runs in exactly one of the processes that share a database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bridge.database import Database
from bridge.forwarding.crew import Crew
from storage.engine import open_engine
from tests.forwarding.waiting import until
from tests.storage.rows import uid

NAMES = ("lrs/0", "lrs/1", "lrs/2", "lrs/3")
LASTS = 0.6
"""Seconds: long beside a look at the database, short beside a test."""


class Worker:
    """A sender that only says that it runs."""

    def __init__(self, name: str, running: Counter[str], most: Counter[str]) -> None:
        self._name, self._running, self._most = name, running, most
        self._stopping = asyncio.Event()
        self.woken = 0

    async def run(self) -> None:
        self._running[self._name] += 1
        self._most[self._name] = max(self._most[self._name], self._running[self._name])
        await self._stopping.wait()
        # what is on its way takes a moment
        await asyncio.sleep(0)
        self._running[self._name] -= 1

    def stop(self) -> None:
        self._stopping.set()

    def wake(self) -> None:
        self.woken += 1


class Processes:
    """Processes that share a database; `running` counts the senders of each name that run now, `most` ever did."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.share: dict[int, set[str]] = {}

    @asynccontextmanager
    async def process(self, number: int) -> AsyncIterator[tuple[Crew, asyncio.Task[None]]]:
        """Run one."""
        self.share[number] = set()

        def make(name: str) -> Callable[[], Worker]:
            def made() -> Worker:
                self.share[number].add(name)
                return Worker(name, self.running, self.most)

            return made

        database = Database(open_engine(self._url))
        crew = Crew(database, {name: make(name) for name in NAMES}, owner=uid("process", number), lasts=LASTS)
        task = asyncio.create_task(crew.run())
        yield crew, task
        crew.stop()
        await asyncio.gather(task, return_exceptions=True)
        database.close()

    def all_run(self) -> bool:
        """Tell whether each sender runs once."""
        return all(self.running[name] == 1 for name in NAMES)


@pytest.fixture
def processes(database_url: str) -> Processes:
    """No processes yet."""
    return Processes(database_url)


async def test_one_process_runs_every_sender(processes: Processes) -> None:
    async with processes.process(1):
        await until(processes.all_run)
    assert sum(processes.running.values()) == 0


async def test_a_second_process_takes_over_its_share_and_no_sender_ever_runs_twice(processes: Processes) -> None:
    async with processes.process(1):
        await until(processes.all_run)
        async with processes.process(2):
            await until(lambda: len(processes.share[2]) == 2 and processes.all_run())
        await until(processes.all_run)
    assert set(processes.most.values()) == {1}


async def test_a_killed_process_s_senders_run_elsewhere_when_its_leases_ran_out(processes: Processes) -> None:
    async with processes.process(1) as (_, killed):
        await until(processes.all_run)
        killed.cancel()
        processes.running.clear()
        async with processes.process(2):
            await until(processes.all_run)
            assert processes.share[2] == set(NAMES)
