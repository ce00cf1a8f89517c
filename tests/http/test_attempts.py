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


async def test_a_long_attempt_is_told_a_part_at_a_time(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_lines, "LINES", 3)
    opened = [await bridge.open(attempt=1, session_id=f"11111111-2222-4333-8444-{number:012x}") for number in range(5)]
    made = []
    for number in range(8):
        answer = await bridge.commit(
            {"core": {"score": {"raw": str(number)}}}, session_id=opened[number % 2]["session_id"]
        )
        made += [one["id"] for one in answer["statements"]]
    wanted = {
        "sessions": [one["session_id"] for one in opened],
        "commits": [opened[number % 2]["session_id"] for number in range(8)],
        "statements": made,
    }
    path = f"/v1/attempts/{answer['attempt']['id']}"
    keys = {"sessions": "session_id", "commits": "session_id", "statements": "id"}
    for name, key in keys.items():
        assert [one[key] for one in await _all_of(bridge, path, name)] == wanted[name]

    mine = await _all_of(bridge, f"/v1/sessions/{opened[0]['session_id']}", "commits")
    assert [one["number"] for one in mine] == [1, 2, 3, 4]


async def _all_of(bridge: Bridge, path: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    place: str | None = "0"
    while place is not None:
        status, told = await bridge.get(f"{path}?{name}_after={place}")
        assert status == 200
        assert len(told[name]) <= 3
        found += told[name]
        place = told["next"][name]
    return found


@pytest.mark.parametrize("place", ["x", "-1", "", "1" * 19, "%00"])
async def test_a_place_that_no_answer_told_is_refused(bridge: Bridge, place: str) -> None:
    answer = await bridge.commit({"core": {}})
    for path in (f"/v1/attempts/{answer['attempt']['id']}", f"/v1/sessions/{answer['session_id']}"):
        status, told = await bridge.get(f"{path}?statements_after={place}")
        assert (status, told["code"]) == (400, "malformed-field")


async def test_an_lms_that_asks_too_much_at_a_time_is_told_to_wait(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_limiter, "MAX_QUERIES_PER_LMS", 0)
    answer = await bridge.commit({"core": {}})
    headers = {"Authorization": f"Bearer {bridge.token}"}
    for path in (f"attempts/{answer['attempt']['id']}", f"sessions/{answer['session_id']}", "enrollments"):
        async with bridge.client.get(f"/v1/{path}", headers=headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
