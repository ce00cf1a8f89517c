"""What an LMS is told of a commit, of a session's end, and of an erasure."""

from __future__ import annotations

from typing import Any

import msgspec

from bridge.commits.idle_session_reaper import IdleSessionReaper
from bridge.http.services import SERVICES
from bridge.webhooks.event_types import AttemptEvent, EnrollmentEvent
from tests.support.bridge import Bridge, StartBridge
from tests.support.sql import scalar
from tests.support.waiting import wait_until
from tests.webhooks.conftest import StartSending

PASSED: dict[str, Any] = {"core": {"lesson_status": "passed", "score": {"raw": "85", "max": "100"}, "exit": ""}}


def _score(raw: int, status: str = "incomplete") -> dict[str, Any]:
    return {"core": {"lesson_status": status, "score": {"raw": str(raw)}, "exit": "suspend"}}


def _waiting(bridge: Bridge) -> int:
    return int(scalar(bridge, "SELECT count(*) FROM webhook_delivery WHERE state = 'waiting'"))


def _stored(bridge: Bridge) -> int:
    return int(scalar(bridge, "SELECT count(*) FROM webhook_delivery"))


async def test_a_commit_tells_what_became_of_the_learner(start_sending: StartSending) -> None:
    sending = await start_sending()
    bridge, receiver = sending.bridge, sending.receiver
    session = (await bridge.open(course={"id": "c1"}))["session_id"]
    body = {"cmi": PASSED, "final": True}
    status, answer = await bridge.post(f"/v1/sessions/{session}/commits", body)
    assert status == 200, answer
    await wait_until(lambda: len(receiver.accepted) == 4)
    assert receiver.types() == [
        "enrollment.completed",
        "enrollment.passed",
        "enrollment.best_score_changed",
        "attempt.ended",
    ]
    assert len({received.id for received in receiver.accepted}) == 4
    assert all(received.is_signed_by(sending.secret) for received in receiver.accepted)
    assert {received.timestamp for received in receiver.accepted} == {bridge.clock() // 1000}
    enrollment = receiver.accepted[1].event
    assert enrollment == {
        "type": "enrollment.passed",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "data": {
            "lms": "lms",
            "registration": enrollment["data"]["registration"],
            "learner": {"id": "u1"},
            "activity": {"id": "235"},
            "course": {"id": "c1"},
            "total_attempts": 1,
            "completion_status": "completed",
            "success_status": "passed",
            "best_score": {"scaled": 0.85, "raw": 85, "max": 100},
            "total_time": "PT0S",
        },
    }
    ended = receiver.accepted[3].event["data"]
    assert ended["attempt"] == {
        "id": answer["attempt"]["id"],
        "number": 1,
        "status": "terminated",
        "completion_status": "completed",
        "success_status": "passed",
        "score": {"scaled": 0.85, "raw": 85, "max": 100},
    }
    # the types that OpenAPI shows read all of it
    msgspec.json.decode(receiver.accepted[1].text, type=EnrollmentEvent)
    msgspec.json.decode(receiver.accepted[3].text, type=AttemptEvent)


async def test_what_is_told_is_what_the_api_answers(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    await sending.bridge.commit(PASSED)
    await wait_until(lambda: sending.receiver.accepted)
    _, answer = await sending.bridge.get("/v1/enrollments?learner=u1")
    (enrollment,) = answer["enrollments"]
    told = sending.receiver.accepted[0].event["data"]
    shared = told.keys() & enrollment.keys() - {"learner", "activity", "course"}

    assert {name: told[name] for name in shared} == {name: enrollment[name] for name in shared}
    assert len(shared) == 6
    assert {name: told[name]["id"] for name in ("learner", "activity", "course")} == {
        name: enrollment[name]["id"] for name in ("learner", "activity", "course")
    }


async def test_only_what_is_better_is_told(start_sending: StartSending) -> None:
    sending = await start_sending()
    bridge, receiver = sending.bridge, sending.receiver
    for cmi in (_score(40), _score(70), _score(70), _score(20, "failed"), _score(90, "passed"), _score(10, "failed")):
        await bridge.commit(cmi)
    await wait_until(lambda: not _waiting(bridge))

    assert [(received.type, received.event["data"]["best_score"]["raw"]) for received in receiver.accepted] == [
        ("enrollment.best_score_changed", 40),
        ("enrollment.best_score_changed", 70),
        ("enrollment.failed", 20),
        ("enrollment.best_score_changed", 20),
        ("enrollment.completed", 90),
        ("enrollment.passed", 90),
        ("enrollment.best_score_changed", 90),
    ]


async def test_a_session_that_times_out_ends_its_attempt(start_sending: StartSending) -> None:
    sending = await start_sending("attempt.ended")
    bridge = sending.bridge
    await bridge.commit({"core": {"lesson_status": "incomplete"}})
    assert _stored(bridge) == 0
    assert bridge.client.app is not None
    parts = bridge.client.app[SERVICES]
    bridge.clock.advance(7200)
    await IdleSessionReaper(parts.database, parts.commits, bridge.clock, 3600).run_once()
    await wait_until(lambda: sending.receiver.accepted)
    (received,) = sending.receiver.accepted
    assert received.event["data"]["attempt"]["status"] == "abandoned"
    assert received.event["timestamp"] == "2026-01-01T00:00:00.000Z"


async def test_a_repeated_commit_tells_nothing(start_sending: StartSending) -> None:
    sending = await start_sending()
    session = (await sending.bridge.open())["session_id"]
    for _ in range(3):
        await sending.bridge.post(f"/v1/sessions/{session}/commits", {"cmi": PASSED, "sequence": 1})
    stored = _stored(sending.bridge)
    assert stored > 0
    await sending.bridge.post(f"/v1/sessions/{session}/commits", {"cmi": PASSED, "sequence": 1})
    assert _stored(sending.bridge) == stored


async def test_an_endpoint_gets_the_types_it_chose(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.passed")
    await sending.bridge.commit(PASSED)
    await wait_until(lambda: sending.receiver.accepted)

    assert _stored(sending.bridge) == 1
    assert sending.receiver.types() == ["enrollment.passed"]


async def test_an_lms_without_endpoints_stores_nothing(start: StartBridge) -> None:
    bridge = await start()
    await bridge.commit(PASSED)

    assert _stored(bridge) == 0
