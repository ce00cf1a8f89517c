"""More commits than can be stored: those above the mark are told to come again, and nothing of them is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge.commits import service, write_queue
from bridge.http.services import SERVICES
from storage.engine import reading
from storage.tables import journal, session
from tests.support.bridge import Bridge, GatedClock, start_bridge


@pytest.fixture
def gate() -> GatedClock:
    """Closed."""
    return GatedClock()


@pytest.fixture
async def slow(database_url: str, gate: GatedClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    """A bridge that stores two commits together at most, and lets few wait."""
    monkeypatch.setattr(service, "HIGH_WATERMARK", 6)
    monkeypatch.setattr(service, "LOW_WATERMARK", 3)
    monkeypatch.setattr(write_queue, "BATCH_SIZE", 2)
    bridge = await start_bridge(database_url=database_url, clock=gate)
    yield bridge
    gate.through.release(100)
    await bridge.close()


async def test_above_the_high_mark_commits_are_refused_until_fewer_than_the_low_mark_wait(
    slow: Bridge, gate: GatedClock
) -> None:
    line = _Line(slow)
    first = await line.begin()
    waiting = [await line.join() for _ in range(6)]
    await line.until(6)

    status, after, answer = await line.post()
    assert (status, after, answer["code"], answer["result"]) == (503, "2", "overloaded", False)
    gate.through.release()
    assert (await first)[0] == 200
    await line.until(4)
    assert (await line.post())[0] == 503
    gate.through.release()
    assert [(await response)[0] for response in waiting[:2]] == [200, 200]
    await line.until(2)
    again = await line.join()
    gate.through.release(100)
    assert [(await response)[0] for response in [*waiting, again]] == [200] * 7
    assert _rows(slow) == 8


async def test_around_the_marks_it_changes_its_mind_once_for_each_crossing_and_keeps_nothing_of_what_it_refuses(
    slow: Bridge, gate: GatedClock
) -> None:
    line = _Line(slow)
    accepted, minds = [await line.begin()], list[int]()
    under_way, done = 1, 0
    for _ in range(3):
        while line.waiting() < 6:
            accepted.append(await line.join())
            minds.append(200)
        for mark in (6, 4):
            await line.until(mark)
            minds += [(await line.post())[0] for _ in range(5)]
            gate.through.release()
            await asyncio.gather(*accepted[done : done + under_way])
            under_way, done = 2, done + under_way
        await line.until(2)
    gate.through.release(100)

    assert {(await response)[0] for response in accepted} == {200}
    assert sum(mind != other for mind, other in pairwise(minds)) == 5
    assert minds.count(503) == 30
    assert _rows(slow) == len(accepted)


def _rows(bridge: Bridge) -> int:
    with reading(bridge.engine) as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (journal, session)
        ]
    assert counts[0] == counts[1]
    return counts[0]


Answered = asyncio.Task[tuple[int, str | None, dict[str, Any]]]


class _Line:
    """Commits of one learner each, and a look at the service's queue."""

    def __init__(self, bridge: Bridge) -> None:
        assert bridge.client.app is not None
        self._bridge = bridge
        self._commits = bridge.client.app[SERVICES].commits
        self._posted = 0

    async def post(self) -> tuple[int, str | None, dict[str, Any]]:
        """Post a commit and wait for the answer: status, `Retry-After` and body."""
        self._posted += 1
        body = {"learner": {"id": f"u{self._posted}"}, "activity": {"id": "235"}, "cmi": {}}
        headers = {"Authorization": f"Bearer {self._bridge.token}"}
        async with self._bridge.client.post("/v1/commits", json=body, headers=headers) as response:
            return response.status, response.headers.get("Retry-After"), await response.json(content_type=None)

    async def begin(self) -> Answered:
        """Post a commit whose batch is on its way when this returns."""
        task = asyncio.create_task(self.post())
        while not self._writing():  # noqa: ASYNC110 -- the service sets no event
            await asyncio.sleep(0.001)
        return task

    async def join(self) -> Answered:
        """Post a commit that waits when this returns, unless it was answered."""
        before = self.waiting()
        task = asyncio.create_task(self.post())
        while self.waiting() == before and not task.done():  # noqa: ASYNC110 -- likewise
            await asyncio.sleep(0.001)
        return task

    async def until(self, waiting: int) -> None:
        """Return when so many wait: the next batch is taken by the writer's thread, while others are answered."""
        async with asyncio.timeout(10):
            while self.waiting() != waiting:  # noqa: ASYNC110 -- likewise
                await asyncio.sleep(0.001)

    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._commits._queue)

    def _writing(self) -> bool:
        return self._commits._writing and self.waiting() == 0
