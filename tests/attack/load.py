"""Honest clients of a bridge under attack, and what its process uses meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from sqlalchemy import func, select

from storage.engine import reading
from storage.tables import journal
from tests.support.server import Server
from tests.support.sql import closing_engine


@dataclass
class Usage:
    """Open descriptors and resident memory of a process, watched until `stop`."""

    pid: int
    descriptors: int = 0
    memory: int = 0
    """Bytes, the most that were resident."""
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self) -> None:
        """Look once."""
        self.descriptors = max(self.descriptors, open_descriptors(self.pid))
        self.memory = max(self.memory, resident_memory(self.pid))

    async def watch(self) -> None:
        """Look again and again."""
        while not self._stopped.is_set():
            self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 0.1)
        self.look()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Look until a condition holds."""
        while not condition():
            self.look()
            await asyncio.sleep(0.1)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()


def open_descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_memory(pid: int) -> int:
    """Return a process's resident memory in bytes (VmRSS of proc(5))."""
    return _memory(pid, "VmRSS")


def peak_memory(pid: int) -> int:
    """Return the largest resident memory of a process so far, in bytes (VmHWM of proc(5))."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{key}:")))


def stored_commits(database_url: str) -> int:
    """Return how many commits the journal has."""
    with closing_engine(database_url) as engine, reading(engine) as connection:
        count: int = connection.execute(select(func.count()).select_from(journal)).scalar_one()
        return count


@dataclass
class Learner:
    """A client that commits one thing after another and must always be answered 200."""

    server: Server
    token: str
    name: str
    commits: int = 0

    async def commit(self, session: aiohttp.ClientSession) -> float:
        """Commit once and return how long it took, in seconds."""
        self.commits += 1
        body = {
            "learner": {"id": self.name},
            "activity": {"id": "1"},
            "session_id": None,
            "sequence": self.commits,
            "cmi": {"suspend_data": f"{self.commits}"},
        }
        begun = time.perf_counter()
        async with session.post(
            f"{self.server.url}/v1/commits", json=body, headers={"Authorization": f"Bearer {self.token}"}
        ) as response:
            assert response.status == 200, await response.text()
        return time.perf_counter() - begun

    async def play(self, session: aiohttp.ClientSession, stopped: asyncio.Event) -> list[float]:
        """Commit until stopped; return how long each commit took."""
        took = []
        while not stopped.is_set():
            took.append(await self.commit(session))
            await asyncio.sleep(0.01)
        return took


async def play(learners: list[Learner], stopped: asyncio.Event) -> list[float]:
    """Let learners commit until stopped, each on a connection of its own; return how long each commit took, sorted."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        took = await asyncio.gather(*(learner.play(session, stopped) for learner in learners))
    return sorted(seconds for durations in took for seconds in durations)


async def play_for(learners: list[Learner], seconds: float) -> list[float]:
    """Let learners commit for a while."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stopped.set)
    return await play(learners, stopped)


def percentile(took: list[float], share: float) -> float:
    """Return what a share of sorted durations stays below, in milliseconds."""
    return 1000 * took[min(len(took) - 1, int(share * len(took)))]
