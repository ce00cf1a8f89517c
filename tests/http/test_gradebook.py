"""What a gradebook reads and follows over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.bridge import Bridge

PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "85"}, "session_time": "00:05:30"}}
INCOMPLETE = {"core": {"lesson_status": "incomplete"}}


async def _poll(bridge: Bridge, query: str = "") -> tuple[list[tuple[str, str]], Any]:
    status, page = await bridge.get(f"/v1/enrollments?{query}")
    assert status == 200
    return [(row["learner"]["id"], row["completion_status"]) for row in page["enrollments"]], page


async def test_a_gradebook_gets_what_has_changed_since_it_asked_last(bridge: Bridge) -> None:
    for learner in ("u1", "u2", "u3"):
        await bridge.commit(INCOMPLETE, learner={"id": learner})
    rows, page = await _poll(bridge)
    assert rows == [("u1", "incomplete"), ("u2", "incomplete"), ("u3", "incomplete")]
    assert page["more"] is False

    rows, page = await _poll(bridge, f"since={page['next']}")
    assert (rows, page["more"]) == ([], False)

    await bridge.commit(PASSED, learner={"id": "u2"})
    rows, page = await _poll(bridge, f"since={page['next']}")
    assert rows == [("u2", "completed")]


async def test_a_row_has_all_that_a_gradebook_shows(bridge: Bridge) -> None:
    await bridge.commit(PASSED, activity={"id": "235", "name": "Engines"}, course={"id": "c7"}, terminated=True)
    (row,) = (await _poll(bridge, "course=c7"))[1]["enrollments"]

    assert (row["learner"]["id"], row["activity"]["id"], row["course"]["id"]) == ("u1", "235", "c7")
    assert (row["status"], row["completion_status"], row["success_status"]) == ("terminated", "completed", "passed")
    assert (row["best_score"]["raw"], row["total_time"], row["total_attempts"]) == (85, "PT5M30S", 1)
    assert row["last_commit_at"] == "2026-01-01T00:00:00.000Z"


async def test_pages_are_as_long_as_asked_for_and_tell_whether_there_is_more(bridge: Bridge) -> None:
    for number in range(5):
        await bridge.commit(PASSED if number % 2 else INCOMPLETE, learner={"id": f"u{number}"})
    pages, since, more = [], "", True
    while more:
        rows, page = await _poll(bridge, f"limit=2{since}")
        pages.append([learner for learner, _ in rows])
        since, more = f"&since={page['next']}", page["more"]

    assert pages == [["u0", "u1"], ["u2", "u3"], ["u4"]]
    assert (await _poll(bridge, "completion=completed"))[0] == [("u1", "completed"), ("u3", "completed")]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("completion=done", "completion"),
        ("since=2026-01-31", "since"), ("course=%00", "course"),
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(bridge: Bridge, query: str, word: str) -> None:
    status, problem = await bridge.get(f"/v1/enrollments?{query}")

    assert (status, problem["code"]) == (400, "malformed-field")
    assert problem["detail"].startswith(word)
