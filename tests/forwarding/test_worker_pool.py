"""Crews: every sender runs in exactly one of the processes that share a database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.forwarding.worker_pool import WorkerPool
from bridge.settings import TargetSettings
from storage import leases
from storage.engine import open_engine, reading, writing
from storage.outbox import SHARDS
from storage.tables import lease
from tests.storage.builders import uid
from tests.support.bridge import StartBridge
from tests.support.waiting import wait_until

OF_OTHERS = 3
"""Leases beside those of statements: documents, removals, and backfills."""
NAMES = ("lrs/0", "lrs/1", "lrs/2", "lrs/3")
LEASE_TTL = 1.5
"""Seconds: long beside a look at the database, short beside a test."""


class Worker:
    """A sender that only says that it runs."""

    def __init__(self, name: str, running: Counter[str], limit: Counter[str]) -> None:
        self._name, self._running, self._most = name, running, limit
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
        self.limit: Counter[str] = Counter()
        self.share: dict[int, set[str]] = {}

    @asynccontextmanager
    async def process(self, number: int) -> AsyncIterator[tuple[WorkerPool, asyncio.Task[None]]]:
        """Run one."""
        self.share[number] = set()

        def make(name: str) -> Callable[[], Worker]:
            def make_worker() -> Worker:
                self.share[number].add(name)
                return Worker(name, self.running, self.limit)

            return make_worker

        database = Database(open_engine(self._url))
        pool = WorkerPool(
            database, {name: make(name) for name in NAMES}, owner=uid("process", number), lease_ttl=LEASE_TTL
        )
        task = asyncio.create_task(pool.run())
        yield pool, task
        pool.stop()
        await asyncio.gather(task, return_exceptions=True)
        database.close()

    def all_run(self) -> bool:
        """Return whether each sender runs once."""
        return all(self.running[name] == 1 for name in NAMES)


@pytest.fixture
def processes(database_url: str) -> Processes:
    """No processes yet."""
    return Processes(database_url)


async def test_one_process_runs_every_sender(processes: Processes) -> None:
    async with processes.process(1):
        await wait_until(processes.all_run)

    assert sum(processes.running.values()) == 0


async def test_a_second_process_takes_over_its_share_and_no_sender_ever_runs_twice(processes: Processes) -> None:
    async with processes.process(1):
        await wait_until(processes.all_run)
        async with processes.process(2):
            await wait_until(lambda: len(processes.share[2]) == 2 and processes.all_run())
        await wait_until(processes.all_run)

    assert set(processes.limit.values()) == {1}


async def test_a_killed_process_s_senders_run_elsewhere_when_its_leases_ran_out(processes: Processes) -> None:
    async with processes.process(1) as (_, killed):
        await wait_until(processes.all_run)
        killed.cancel()
        processes.running.clear()
        async with processes.process(2):
            await wait_until(processes.all_run)
            assert processes.share[2] == set(NAMES)


async def test_a_target_of_whatever_name_shares_its_leases_with_no_other_work(start: StartBridge) -> None:
    """Somebody who tells the past anew must not be counted among those who send to a target, whatever it is called."""
    target = TargetSettings(name="mappings", endpoint="http://127.0.0.1:9/")
    bridge = await start(targets=(target,))

    def held() -> set[str]:
        with reading(bridge.engine) as connection:
            names = connection.execute(select(lease.c.name)).scalars()
            return {name for name in names if not name.startswith("process ")}

    await wait_until(lambda: len(held()) == SHARDS + OF_OTHERS)
    with writing(bridge.engine) as connection:
        shares = leases.share_out(connection, owner=uid("process", 9), names=["mappings/reissue"], lasts=60_000)
    assert shares.held == {"mappings/reissue"}
    with writing(bridge.engine) as connection:
        owner = connection.execute(select(lease.c.owner).where(lease.c.name.endswith("/0"))).scalar_one()
        again = leases.share_out(connection, owner=str(owner), names=held() - {"mappings/reissue"}, lasts=60_000)
    assert (len(again.held), again.excess) == (SHARDS + OF_OTHERS, frozenset())
