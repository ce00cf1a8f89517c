"""More commits than can be stored: those above the mark are told to come again, and nothing of them is stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge.commits import pending, service
from bridge.http.services import SERVICES
from storage.engine import reading
from storage.tables import journal
from tests.bridges import Bridge, FakeClock, start_bridge


class _Gate(FakeClock):
    """A clock at which each batch waits, on the writer's thread, until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.through = threading.Semaphore(0)

    def __call__(self) -> int:
        if threading.current_thread().name.startswith("commits"):
            self.through.acquire()
        return self.milliseconds


@pytest.fixture
def gate() -> _Gate:
    """Closed."""
    return _Gate()


@pytest.fixture
async def slow(database_url: str, gate: _Gate, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    """A bridge that stores two commits together at most, and lets few wait."""
    monkeypatch.setattr(service, "HIGH_MARK", 6)
    monkeypatch.setattr(service, "LOW_MARK", 3)
    monkeypatch.setattr(pending, "MOST_TOGETHER", 2)
    bridge = await start_bridge(database_url=database_url, clock=gate)
    yield bridge
    gate.through.release(100)
    await bridge.close()


async def test_above_the_high_mark_commits_are_refused_until_fewer_than_the_low_mark_wait(
    slow: Bridge, gate: _Gate
) -> None:
    async def post(number: int) -> tuple[int, str | None, dict[str, Any]]:
        body = {"learner": {"id": f"u{number}"}, "activity": {"id": "235"}, "cmi": {}}
        headers = {"Authorization": f"Bearer {slow.token}"}
        async with slow.client.post("/v1/commits", json=body, headers=headers) as response:
            return response.status, response.headers.get("Retry-After"), await response.json(content_type=None)

    async def sent(*numbers: int) -> list[asyncio.Task[Any]]:
        tasks = []
        for number in numbers:
            tasks.append(asyncio.create_task(post(number)))
            waiting = queue.qsize
            before = waiting()
            while waiting() == before and not tasks[-1].done():  # noqa: ASYNC110 -- the service sets no event
                await asyncio.sleep(0.001)
        return tasks

    queue = _Waiting(slow)
    first = asyncio.create_task(post(0))
    while not queue.writing():  # noqa: ASYNC110 -- likewise
        await asyncio.sleep(0.001)
    waiting = await sent(1, 2, 3, 4, 5, 6)
    assert queue.qsize() == 6

    status, after, told = await post(7)
    assert (status, after, told["code"], told["result"]) == (503, "2", "overloaded", False)
    gate.through.release()
    assert (await first)[0] == 200
    assert queue.qsize() == 4
    assert (await post(8))[0] == 503
    gate.through.release()
    assert [(await one)[0] for one in waiting[:2]] == [200, 200]
    assert queue.qsize() == 2
    (again,) = await sent(9)
    gate.through.release(100)
    assert [(await one)[0] for one in [*waiting, again]] == [200] * 7
    with reading(slow.engine) as connection:
        assert connection.execute(select(func.count()).select_from(journal)).scalar_one() == 8


class _Waiting:
    """A look at the service's queue."""

    def __init__(self, bridge: Bridge) -> None:
        assert bridge.client.app is not None
        self._commits = bridge.client.app[SERVICES].commits

    def qsize(self) -> int:
        """Tell how many wait."""
        return len(self._commits._futures)

    def writing(self) -> bool:
        """Tell whether a batch is on its way."""
        return self._commits._writer is not None and self.qsize() == 0
