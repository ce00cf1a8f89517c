"""Asking after an attempt as a whole."""

from __future__ import annotations

from tests.bridges import Bridge

SUSPENDED = {
    "core": {"lesson_status": "incomplete", "lesson_location": "p3", "exit": "suspend"},
    "suspend_data": "half",
}


async def test_an_attempt_tells_all_its_sessions_with_commits_statements_documents_and_where_they_are(
    bridge: Bridge,
) -> None:
    first = await bridge.commit(SUSPENDED, terminated=True)
    second = await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "90"}}})
    status, told = await bridge.get(f"/v1/attempts/{first['attempt']['id'].upper()}")

    assert status == 200
    assert told["attempt"] == second["attempt"]
    assert told["enrollment"] == second["enrollment"]
    assert told["cmi"]["suspend_data"] == "half"
    assert told["cmi"]["core"]["entry"] == "resume"
    sessions = [first["session_id"], second["session_id"]]
    assert [(one["session_id"], one["entry"], one["ended"]) for one in told["sessions"]] == [
        (sessions[0], "ab-initio", "suspended"),
        (sessions[1], "resume", None),
    ]
    assert [(one["session_id"], one["number"], one["disposition"]) for one in told["commits"]] == [
        (sessions[0], 1, "applied"),
        (sessions[1], 1, "applied"),
    ]
    made = [(answer["session_id"], one["id"]) for answer in (first, second) for one in answer["statements"]]
    assert [(one["session_id"], one["id"]) for one in told["statements"]] == made
    assert {one["session_id"] for one in told["documents"]} <= {*sessions}
    way = {"target": None, "state": "waiting", "tries": 0}
    assert all(one["deliveries"] == [way] for name in ("statements", "documents") for one in told[name])


async def test_each_attempt_of_an_enrollment_tells_its_own(bridge: Bridge) -> None:
    answers = [
        await bridge.commit({"core": {"lesson_status": status}}, terminated=True) for status in ("failed", "passed")
    ]
    told = [(await bridge.get(f"/v1/attempts/{one['attempt']['id']}"))[1] for one in answers]

    assert [one["attempt"]["number"] for one in told] == [1, 2]
    assert [[row["id"] for row in one["statements"]] for one in told] == [
        [row["id"] for row in one["statements"]] for one in answers
    ]


async def test_an_attempt_that_is_not_there_and_an_id_that_is_none_are_told_apart(bridge: Bridge) -> None:
    status, answer = await bridge.get("/v1/attempts/00000000-0000-4000-8000-0000000000aa")
    assert (status, answer["code"]) == (404, "attempt-unknown")

    status, answer = await bridge.get("/v1/attempts/1")
    assert (status, answer["code"]) == (400, "malformed-field")
