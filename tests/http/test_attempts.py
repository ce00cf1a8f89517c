"""Reading an attempt as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.http import query_limiter
from storage.queries import report_lines
from tests.support.bridge import Bridge

SUSPENDED = {
    "core": {"lesson_status": "incomplete", "lesson_location": "p3", "exit": "suspend"},
    "suspend_data": "half",
}


async def test_an_attempt_tells_all_its_sessions_with_commits_statements_documents_and_where_they_are(
    bridge: Bridge,
) -> None:
    first = await bridge.commit(SUSPENDED, terminated=True)
    second = await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "90"}}})
    status, attempt = await bridge.get(f"/v1/attempts/{first['attempt']['id'].upper()}")
    assert status == 200
    assert attempt["attempt"] == second["attempt"]
    assert attempt["enrollment"] == second["enrollment"]
    assert attempt["cmi"]["suspend_data"] == "half"
    assert attempt["cmi"]["core"]["entry"] == "resume"
    sessions = [first["session_id"], second["session_id"]]
    assert [(session["session_id"], session["entry"], session["ended"]) for session in attempt["sessions"]] == [
        (sessions[0], "ab-initio", "suspended"),
        (sessions[1], "resume", None),
    ]
    assert [(commit["session_id"], commit["number"], commit["disposition"]) for commit in attempt["commits"]] == [
        (sessions[0], 1, "applied"),
        (sessions[1], 1, "applied"),
    ]
    statements = [
        (answer["session_id"], statement["id"]) for answer in (first, second) for statement in answer["statements"]
    ]
    assert [(statement["session_id"], statement["id"]) for statement in attempt["statements"]] == statements
    assert {document["session_id"] for document in attempt["documents"]} <= {*sessions}
    way = {"target": None, "state": "waiting", "tries": 0}
    assert all(row["deliveries"] == [way] for name in ("statements", "documents") for row in attempt[name])


async def test_each_attempt_of_an_enrollment_tells_its_own(bridge: Bridge) -> None:
    answers = [
        await bridge.commit({"core": {"lesson_status": status}}, terminated=True) for status in ("failed", "passed")
    ]
    attempts = [(await bridge.get(f"/v1/attempts/{answer['attempt']['id']}"))[1] for answer in answers]

    assert [attempt["attempt"]["number"] for attempt in attempts] == [1, 2]
    assert [[row["id"] for row in attempt["statements"]] for attempt in attempts] == [
        [row["id"] for row in answer["statements"]] for answer in answers
    ]


async def test_an_attempt_that_is_not_there_and_an_id_that_is_none_are_told_apart(bridge: Bridge) -> None:
    status, answer = await bridge.get("/v1/attempts/00000000-0000-4000-8000-0000000000aa")
    assert (status, answer["code"]) == (404, "attempt-unknown")

    status, answer = await bridge.get("/v1/attempts/1")
    assert (status, answer["code"]) == (400, "malformed-field")


async def test_a_long_attempt_is_told_a_part_at_a_time(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_lines, "LINES", 3)
    opened = [await bridge.open(attempt=1, session_id=f"11111111-2222-4333-8444-{number:012x}") for number in range(5)]
    statement_ids = []
    for number in range(8):
        answer = await bridge.commit(
            {"core": {"score": {"raw": str(number)}}}, session_id=opened[number % 2]["session_id"]
        )
        statement_ids += [statement["id"] for statement in answer["statements"]]
    wanted = {
        "sessions": [session["session_id"] for session in opened],
        "commits": [opened[number % 2]["session_id"] for number in range(8)],
        "statements": statement_ids,
    }
    path = f"/v1/attempts/{answer['attempt']['id']}"
    keys = {"sessions": "session_id", "commits": "session_id", "statements": "id"}
    for name, key in keys.items():
        assert [row[key] for row in await _all_of(bridge, path, name)] == wanted[name]

    mine = await _all_of(bridge, f"/v1/sessions/{opened[0]['session_id']}", "commits")

    assert [commit["number"] for commit in mine] == [1, 2, 3, 4]


async def _all_of(bridge: Bridge, path: str, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    place: str | None = "0"
    while place is not None:
        status, answer = await bridge.get(f"{path}?{name}_after={place}")
        assert status == 200
        assert len(answer[name]) <= 3
        rows += answer[name]
        place = answer["next"][name]
    return rows


@pytest.mark.parametrize("place", ["x", "-1", "", "1" * 19, "%00"])
async def test_a_place_that_no_answer_told_is_refused(bridge: Bridge, place: str) -> None:
    answer = await bridge.commit({"core": {}})
    for path in (f"/v1/attempts/{answer['attempt']['id']}", f"/v1/sessions/{answer['session_id']}"):
        status, problem = await bridge.get(f"{path}?statements_after={place}")
        assert (status, problem["code"]) == (400, "malformed-field"), path


async def test_an_lms_that_asks_too_much_at_a_time_is_told_to_wait(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_limiter, "MAX_QUERIES_PER_LMS", 0)
    answer = await bridge.commit({"core": {}})
    headers = {"Authorization": f"Bearer {bridge.token}"}
    for path in (f"attempts/{answer['attempt']['id']}", f"sessions/{answer['session_id']}", "enrollments"):
        async with bridge.client.get(f"/v1/{path}", headers=headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1"), path
