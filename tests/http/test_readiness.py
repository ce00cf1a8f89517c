"""Ready or not: by what the writer did, or by a write to see; and numbers that never take long."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from bridge import backlog
from bridge.commits import batch_executor
from bridge.http.services import SERVICES, Services
from bridge.write_health import FAILURE_HOLD, MAX_PROBE_SIZE, PROBE_SIZE, STORED_TTL
from storage import integrity
from storage.engine import reading
from storage.tables import write_probe as probe_table
from tests.support.bridge import Bridge, StartBridge


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bridge(start: StartBridge, clock: Clock) -> Bridge:
    """A bridge whose seconds are moved by hand."""
    return await start(monotonic=clock)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the writes that were made to see."""
    sizes: list[int] = []
    write = integrity.write_test_row

    def counted(connection: Connection, content: bytes) -> None:
        sizes.append(len(content))
        write(connection, content)

    monkeypatch.setattr(integrity, "write_test_row", counted)
    return sizes


def _services(bridge: Bridge) -> Services:
    assert bridge.client.app is not None
    return bridge.client.app[SERVICES]


async def _status(bridge: Bridge) -> int:
    return (await bridge.get("/readyz", token=None))[0]


def _fail(*_: Any) -> None:
    raise OperationalError("INSERT", None, OSError("the disk is full"))


async def test_what_was_stored_lately_is_proof_enough_and_an_idle_writer_is_asked_to_write(
    bridge: Bridge, clock: Clock, probes: list[int]
) -> None:
    await bridge.commit({"suspend_data": "x"})
    assert await _status(bridge) == 200
    assert probes == []
    clock.seconds += STORED_TTL
    assert [await _status(bridge) for _ in range(20)] == [200] * 20
    assert probes == [PROBE_SIZE]
    with reading(bridge.engine) as connection:
        assert len(connection.execute(select(probe_table.c.content)).scalar_one()) == PROBE_SIZE


async def test_after_a_commit_that_was_not_stored_it_is_unready_until_as_much_can_be_written(
    bridge: Bridge, clock: Clock, probes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"suspend_data": "x" * 100_000}}
    with monkeypatch.context() as broken:
        broken.setattr(batch_executor, "_store", _fail)
        assert (await bridge.post("/v1/commits", body))[0] == 503
    status, answer = await bridge.get("/readyz", token=None)
    assert (status, [alarm["code"] for alarm in answer["alarms"]]) == (503, ["commits-not-stored"])
    assert probes == []
    clock.seconds += FAILURE_HOLD
    status, answer = await bridge.get("/readyz", token=None)
    assert (status, answer["alarms"]) == (200, [])
    assert len(probes) == 1
    assert 100_000 < probes[0] <= MAX_PROBE_SIZE


async def test_a_probe_that_fails_makes_an_idle_bridge_unready_and_it_recovers_by_itself(
    bridge: Bridge, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(integrity, "write_test_row", _fail)
        assert await _status(bridge) == 503
        clock.seconds += FAILURE_HOLD
        assert await _status(bridge) == 503
    clock.seconds += FAILURE_HOLD
    await _services(bridge).health.run_once()

    assert _services(bridge).alarms.current() == []
    assert await _status(bridge) == 200


async def test_commits_that_are_stored_again_end_it_without_a_probe(
    bridge: Bridge, clock: Clock, probes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(batch_executor, "_store", _fail)
        assert (await bridge.post("/v1/commits", {"learner": {"id": "u"}, "activity": {"id": "1"}, "cmi": {}}))[
            0
        ] == 503
    await bridge.commit({"suspend_data": "x"})
    assert await _status(bridge) == 503
    clock.seconds += FAILURE_HOLD
    await bridge.commit({"suspend_data": "y"})
    assert await _status(bridge) == 200
    assert probes == []


async def test_a_writer_that_hangs_makes_it_unready_within_seconds_and_is_asked_once(
    bridge: Bridge, probes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.write_health.PROBE_TIMEOUT", 0.05)
    going_on = threading.Event()
    hanging = _services(bridge).database.commits.queue(going_on.wait)
    try:
        assert [await _status(bridge) for _ in range(3)] == [503] * 3
    finally:
        going_on.set()
    hanging.result(10)
    monkeypatch.undo()

    assert await _status(bridge) == 200


async def test_counting_is_bounded_and_done_once_in_a_while(
    bridge: Bridge, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "COUNT_LIMIT", 3)
    for number in range(5):
        await bridge.commit({"suspend_data": "x"}, learner={"id": f"u{number}"})
    assert (await bridge.get("/readyz", token=None))[1]["waiting"] == {"": 3}
    monkeypatch.setattr(backlog, "COUNT_LIMIT", 4)
    assert (await bridge.get("/readyz", token=None))[1]["waiting"] == {"": 3}
    clock.seconds += backlog.COUNT_TTL
    assert (await bridge.get("/readyz", token=None))[1]["waiting"] == {"": 4}


async def test_counting_that_takes_long_is_no_reason_to_be_unready(
    bridge: Bridge, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "COUNT_TIMEOUT", 0.05)
    going_on = threading.Event()
    counted = backlog.queues  # type: ignore[attr-defined]  # replaced where it is used
    calls = []

    def slow(connection: Connection, limit: int) -> Any:
        calls.append(limit)
        going_on.wait(30)
        return counted(connection, limit)

    monkeypatch.setattr(backlog, "queues", slow)
    try:
        answers = [await bridge.get("/readyz", token=None) for _ in range(4)]
    finally:
        going_on.set()

    assert [status for status, _ in answers] == [200] * 4
    assert not [answer for _, answer in answers if "waiting" in answer]
    assert len(calls) == 1
