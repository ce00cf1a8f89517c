"""The cmi5-shaped document: what cmi5 says of sessions, registrations and scores holds of what it tells.

Sections are those of the cmi5 specification, "Quartz".
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bridge.mapping_library.documents import load_mapping, read_document
from tests.http.test_learner_details import use
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.replay import replayed, stored

CMI5 = load_mapping("cmi5")
SESSION_ID = "https://w3id.org/xapi/cmi5/context/extensions/sessionid"
WHOLE_SCORE = {"scaled": 0.8, "raw": 8, "min": 0, "max": 10}
PASSED = {"cmi": {"core": {"lesson_status": "passed"}}, "terminated": True}
FAILED = {"lesson_status": "failed", "score": {"raw": "8", "min": "0", "max": "10"}, "session_time": "00:01:00"}
MASTERY = "https://w3id.org/xapi/cmi5/context/extensions/masteryscore"


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge that tells by the cmi5 document."""
    await use(bridge, read_document("cmi5"))
    return bridge


def statements(bridge: Bridge, activity: str = "235") -> list[dict[str, Any]]:
    """Return the statements of learner u1 in an activity, attempt after attempt."""
    return [json.loads(statement.body) for report in bridge.reports("u1", activity) for statement in report.statements]


def verbs(bridge: Bridge, activity: str = "235") -> list[str]:
    """Return their verbs."""
    return [statement["verb"]["display"]["en-US"] for statement in statements(bridge, activity)]


async def post(bridge: Bridge, opened: dict[str, Any], cmi: dict[str, Any], **beside: Any) -> None:
    """Commit to a session."""
    bridge.clock.advance(60)
    status, answer = await bridge.post(f"/v1/sessions/{opened['session_id']}/commits", {"cmi": cmi, **beside})
    assert status == 200, answer


async def test_all_activities_of_a_course_share_a_registration(bridge: Bridge) -> None:
    """9.6.1: it is the learner's enrollment in the course."""
    for activity in ("sco1", "sco2"):
        opened = await bridge.open(activity={"id": activity}, course={"id": "C9"}, scorm_version="2004")
        await post(bridge, opened, {"completion_status": "completed"}, terminated=True)
    registrations = {
        statement["context"]["registration"] for name in ("sco1", "sco2") for statement in statements(bridge, name)
    }

    assert len(registrations) == 1
    assert {statement["object"]["id"].rpartition("/")[0] for statement in statements(bridge, "sco1")} == {
        "https://lms.example.org/courses/C9"
    }


async def test_a_learner_completes_and_passes_an_activity_once(bridge: Bridge) -> None:
    """9.3: one Completed and one Passed in a registration; no Failed after Passed."""
    for status in ("failed", "passed", "failed", "passed"):
        opened = await bridge.open()
        await post(bridge, opened, {"core": {"lesson_status": status, "score": {"raw": "50"}}}, terminated=True)

    assert verbs(bridge) == [
        *("initialized", "failed", "terminated"),
        *("initialized", "completed", "passed", "terminated"),
        *("initialized", "terminated"),
        *("initialized", "terminated"),
    ]
    assert replayed(bridge.engine, CMI5) == stored(bridge.engine)


async def test_a_session_has_passed_or_failed_and_not_both(bridge: Bridge) -> None:
    """9.3: only one of the two in a session. Who fails first and passes then has passed."""
    opened = await bridge.open()
    await post(bridge, opened, {"core": {"lesson_status": "failed"}})
    await post(bridge, opened, {"core": {"lesson_status": "passed"}})
    await post(bridge, opened, {}, terminated=True)

    assert verbs(bridge) == ["initialized", "completed", "passed", "terminated"]


@pytest.mark.parametrize(
    ("exit_", "last"), [("suspend", "terminated"), ("", "terminated"), (None, "abandoned")], ids=["s", "t", "a"]
)
async def test_who_failed_by_the_end_of_a_session_has_failed(bridge: Bridge, exit_: str | None, last: str) -> None:
    opened = await bridge.open()
    await post(bridge, opened, {"core": FAILED})
    if exit_ is None:
        await post(bridge, await bridge.open(attempt=2), {"core": {"lesson_status": "incomplete"}})
        learner_statements = statements(bridge)[:3]
    else:
        await post(bridge, opened, {"core": {"exit": exit_}}, terminated=True)
        learner_statements = statements(bridge)

    assert [statement["verb"]["display"]["en-US"] for statement in learner_statements] == [
        "initialized",
        "failed",
        last,
    ]
    assert learner_statements[1]["result"] == {
        "success": False,
        "score": {"scaled": 0.8, "raw": 8, "min": 0, "max": 10},
        "duration": "PT1M",
    }


async def test_nothing_is_told_after_the_end_of_a_session(bridge: Bridge) -> None:
    """9.3.8: Terminated is the last statement."""
    opened = await bridge.open()
    await post(bridge, opened, {"core": {"lesson_status": "incomplete"}}, terminated=True, sequence=2)
    late = {"core": {"lesson_status": "passed"}, "interactions": {"0": {"id": "Q", "student_response": "a"}}}
    await post(bridge, opened, late, sequence=3)
    await post(bridge, opened, late, sequence=1, terminated=True)

    assert verbs(bridge) == ["initialized", "terminated"]


async def test_a_later_session_ends_the_learners_earlier_ones(bridge: Bridge) -> None:
    """9.3.6: the earlier session is abandoned."""
    first, unused = await bridge.open(), await bridge.open()
    await post(bridge, first, {"core": {"lesson_status": "incomplete", "exit": "suspend", "session_time": "00:01:00"}})
    bridge.clock.advance(5)
    second = await bridge.open(attempt=1)
    assert verbs(bridge) == ["initialized"]
    await post(bridge, second, {"core": {"lesson_status": "passed"}})
    await post(bridge, second, {"core": {"lesson_status": "passed"}}, terminated=True)
    learner_statements = statements(bridge)
    assert [
        (statement["verb"]["display"]["en-US"], statement["context"]["extensions"][SESSION_ID])
        for statement in learner_statements
    ] == [
        ("initialized", first["session_id"]),
        ("abandoned", first["session_id"]),
        ("initialized", second["session_id"]),
        ("completed", second["session_id"]),
        ("passed", second["session_id"]),
        ("terminated", second["session_id"]),
    ]
    assert learner_statements[1]["result"]["duration"] == "PT1M"
    _, session = await bridge.get(f"/v1/sessions/{unused['session_id']}")
    assert session["ended_at"] is None
    assert replayed(bridge.engine, CMI5) == stored(bridge.engine)


async def test_a_session_that_was_ended_for_a_later_attempt_goes_on_as_another_one(bridge: Bridge) -> None:
    """Nothing follows the end, and nothing that the learner reaches is lost."""
    first = await bridge.open()
    await post(bridge, first, {"core": {"lesson_status": "incomplete"}})
    bridge.clock.advance(1)
    second = await bridge.open(attempt=2)
    await post(bridge, second, {"core": {"lesson_status": "incomplete"}})
    await post(bridge, first, {"core": {"lesson_status": "passed"}})
    session_statements = [
        statement
        for statement in statements(bridge)
        if statement["context"]["extensions"][SESSION_ID].startswith(first["session_id"])
    ]

    assert [
        (
            statement["verb"]["display"]["en-US"],
            statement["context"]["extensions"][SESSION_ID].removeprefix(first["session_id"]),
        )
        for statement in session_statements
    ] == [("initialized", ""), ("abandoned", ""), ("initialized", "-2"), ("completed", "-2"), ("passed", "-2")]
    assert replayed(bridge.engine, CMI5) == stored(bridge.engine)


@pytest.mark.parametrize(
    ("version", "cmi", "score"),
    [
        ("1.2", {"core": {"score": {"raw": "85"}}}, {"scaled": 0.85}),
        ("1.2", {"core": {"score": {"raw": "8", "min": "0", "max": "10"}}}, WHOLE_SCORE),
        ("2004", {"score": {"raw": "8.5", "min": "0", "max": "10"}}, {"scaled": 0.85}),
        ("2004", {"score": {"raw": "8", "max": "10"}}, None),
        ("2004", {"score": {"scaled": "-0.5", "raw": "8"}}, None),
        ("2004", {"score": {"scaled": "-0.5", "raw": "2", "min": "0", "max": "9"}}, {"raw": 2, "min": 0, "max": 9}),
        ("2004", {"score": {"scaled": "0.5"}}, {"scaled": 0.5}),
    ],
)
async def test_scores_are_as_cmi5_has_them(bridge: Bridge, version: str, cmi: dict[str, Any], score: Any) -> None:
    """9.5.1."""
    status = {"core": cmi.get("core", {}) | {"lesson_status": "passed"}} if version == "1.2" else {}
    await bridge.commit(cmi | (status or {"success_status": "passed"}), scorm_version=version)
    (passed,) = [statement for statement in statements(bridge) if statement["verb"]["display"]["en-US"] == "passed"]

    assert passed["result"].get("score") == score


@pytest.mark.parametrize(
    ("cmi", "mastery"),
    [
        ({"success_status": "passed", "scaled_passing_score": "0.81234"}, 0.8123),
        ({"success_status": "passed", "scaled_passing_score": "-0.5"}, None),
        ({"success_status": "passed"}, None),
    ],
)
async def test_the_mastery_score_is_told_as_a_number(
    bridge: Bridge, cmi: dict[str, Any], mastery: float | None
) -> None:
    """9.6.3.2."""
    await bridge.commit(cmi, scorm_version="2004")
    for statement in statements(bridge):
        is_judged = statement["verb"]["display"]["en-US"] == "passed"
        assert statement["context"]["extensions"].get(MASTERY) == (mastery if is_judged else None)


async def test_what_is_told_once_an_enrollment_is_told_once_however_much_comes_at_once(bridge: Bridge) -> None:
    opened = [await bridge.open(attempt=number) for number in range(1, 9)]
    await asyncio.gather(*(bridge.post(f"/v1/sessions/{session['session_id']}/commits", PASSED) for session in opened))

    assert verbs(bridge).count("completed") == verbs(bridge).count("passed") == 1
    assert verbs(bridge).count("terminated") + verbs(bridge).count("abandoned") == 8


async def test_what_is_told_once_an_enrollment_is_told_once_by_two_processes(
    bridge: Bridge, start: StartBridge
) -> None:
    other = await start(token=bridge.token, clock=bridge.clock, ids=Ids(1_000))
    await bridge.open()
    for number in range(1, 9):
        session = await bridge.open(attempt=number)
        process = bridge if number % 2 else other
        assert (await process.post(f"/v1/sessions/{session['session_id']}/commits", PASSED))[0] == 200, number

    assert verbs(bridge).count("completed") == verbs(bridge).count("passed") == 1
    assert replayed(bridge.engine, CMI5) == stored(bridge.engine)
