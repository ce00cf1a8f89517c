"""Work in the background: what fails waits by itself, and holds up nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from bridge.app import DOCUMENT_BUILDER
from bridge.commits import idle_session_reaper
from bridge.errors import Overloaded
from bridge.periodic_task import MAX_FAILING_ITEMS, MAX_ITEM_DELAY, ItemBackoff, PeriodicTask
from tests.support.bridge import Bridge, FakeClock


async def _fail(_item: str) -> int:
    raise RuntimeError("words that may tell of a learner")


async def test_what_fails_waits_longer_each_time_and_no_longer_than_the_longest_pause() -> None:
    clock = FakeClock()
    backoff = ItemBackoff("test", clock)
    pauses = []
    with structlog.testing.capture_logs() as logs:
        for _ in range(14):
            assert await backoff.run_each(["a"], _fail) == []
            waited = 0
            while not backoff.due(["a"], 1):
                clock.advance(1)
                waited += 1
            pauses.append(waited)

    assert pauses == [*(2**n for n in range(9)), *[MAX_ITEM_DELAY] * 5]
    assert [line["failures"] for line in logs] == list(range(1, 15))
    assert "words" not in str(logs)


async def test_what_succeeds_is_forgotten_and_told_apart_from_what_failed() -> None:
    clock = FakeClock()
    backoff = ItemBackoff("test", clock)
    failing = {"b", "d"}

    async def act(item: str) -> str:
        if item in failing:
            raise Overloaded("busy", retry_after=1)
        return item.upper()

    assert await backoff.run_each(["a", "b", "c", "d"], act) == ["A", "C"]
    assert len(backoff) == 2
    assert backoff.due(["a", "b", "c", "d", "e"], 2) == ["a", "c"]
    failing.clear()
    clock.advance(1)
    assert await backoff.run_each(["b", "d"], act) == ["B", "D"]
    assert len(backoff) == 0


async def test_being_cancelled_is_no_failure() -> None:
    async def act(_item: str) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ItemBackoff("test", FakeClock()).run_each(["a"], act)


async def test_no_more_failures_are_remembered_than_there_is_room_for() -> None:
    backoff = ItemBackoff("test", FakeClock())
    await backoff.run_each([str(number) for number in range(MAX_FAILING_ITEMS + 5)], _fail)

    assert len(backoff) == MAX_FAILING_ITEMS


async def test_attempts_whose_documents_cannot_be_made_hold_up_no_others(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = {}
    for number in range(10):
        answer = await bridge.commit({"completion_status": "incomplete"}, learner={"id": f"u{number}"})
        sessions[answer["session_id"]] = number
    assert bridge.client.app is not None
    builder = bridge.client.app[DOCUMENT_BUILDER]
    make = builder._commits.build_documents
    numbers: list[int] = []

    async def broken(making: Any) -> int:
        number = sessions[making.session_id]
        numbers.append(number)
        if number < 5:
            raise RuntimeError("these always fail")
        return int(await make(making))

    monkeypatch.setattr(builder._commits, "build_documents", broken)
    for _ in range(4):
        await builder.build(bridge.clock() + 86_400_000)
    assert {number for number in numbers if number >= 5} == {5, 6, 7, 8, 9}
    assert all(bridge.reports(f"u{number}")[0].documents for number in range(5, 10))
    # and a page of which nothing succeeds is no reason to look again at once
    bridge.clock.advance(MAX_ITEM_DELAY)
    assert await builder.build(bridge.clock() + 86_400_000) is False


async def test_sessions_that_cannot_be_ended_are_not_counted_as_ended_and_hold_up_no_others(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_session_reaper, "BATCH_SIZE", 3)
    broken_sessions = [
        (await bridge.commit({"completion_status": "incomplete"}, learner={"id": f"u{number}"}))["session_id"]
        for number in range(6)
    ][:3]
    bridge.clock.advance(7_200)
    assert bridge.client.app is not None
    parts = bridge.client.app[DOCUMENT_BUILDER]
    close = parts._commits.close_idle_session

    async def broken(closing: Any) -> bool:
        if closing.session_id in broken_sessions:
            raise RuntimeError("these always fail")
        return bool(await close(closing))

    monkeypatch.setattr(parts._commits, "close_idle_session", broken)
    its = idle_session_reaper.IdleSessionReaper(parts._database, parts._commits, bridge.clock, 3_600)
    with structlog.testing.capture_logs() as logs:
        assert await its.run_once() is False
        assert await its.run_once() is True
        assert await its.run_once() is False

    assert [line["sessions"] for line in logs if line["event"] == "idle_sessions_ended"] == [3]
    assert all(bridge.reports(f"u{number}")[0].sessions[0].ended for number in range(3, 6))


class _Scripted(PeriodicTask):
    """Raises these one after the other, where they are errors, and then stops."""

    def __init__(self, *results: Exception | None) -> None:
        super().__init__(0)
        self._results = [*results]

    async def run_once(self) -> bool:
        """Do what comes next."""
        if len(self._results) == 1:
            self.stop()
        result = self._results.pop(0)
        if result is not None:
            raise result
        return False


async def test_a_task_that_fails_again_and_again_is_one_line_and_one_when_it_continues() -> None:
    error, other = RuntimeError("nobody foresaw this"), ValueError("nor this")
    task = _Scripted(error, error, error, None, None, error, other, None)
    with structlog.testing.capture_logs() as logs:
        await task.run()

    assert [(line["event"], line.get("error", "").split()[0:1]) for line in logs] == [
        ("task_interrupted", ["RuntimeError"]),
        ("task_continued", []),
        ("task_interrupted", ["RuntimeError"]),
        ("task_interrupted", ["ValueError"]),
        ("task_continued", []),
    ]
    assert (task.runs, task.failures) == (8, 5)


async def test_an_outage_of_the_database_is_not_logged_by_each_task() -> None:
    task = _Scripted(OperationalError("SELECT", None, Exception("gone")), None)
    with structlog.testing.capture_logs() as logs:
        await task.run()

    assert [line["log_level"] for line in logs] == ["debug"]
    assert (task.runs, task.failures) == (2, 1)
