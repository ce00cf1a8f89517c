"""Launches: what an LMS gives, what comes back, and when they make an attempt."""

from __future__ import annotations

import pytest

from tests.support.bridge import Bridge

FAILED = {"core": {"lesson_status": "failed", "score": {"raw": "40"}, "session_time": "00:10:00"}, "suspend_data": "s"}
GIVEN = {
    "mastery_score": 80,
    "max_time_allowed": "00:30:00",
    "time_limit_action": "exit,message",
    "launch_data": "x=1",
}


async def test_a_launch_without_any_commit_is_no_attempt(bridge: Bridge) -> None:
    first = await bridge.open()
    second = await bridge.open()
    assert (first["attempt"]["number"], second["attempt"]["number"]) == (1, 1)
    assert second["attempt"]["entry"] == "ab-initio"
    assert second["enrollment"]["total_attempts"] == 0

    answer = await bridge.commit(FAILED, session_id=second["session_id"], terminated=True)
    assert answer["enrollment"]["total_attempts"] == 1


async def test_what_the_lms_gives_comes_back_where_players_look_for_it(bridge: Bridge) -> None:
    opened = await bridge.open(scorm_version="1.2", credit="no-credit", **GIVEN)
    cmi = opened["cmi"]

    assert cmi["student_data"] == {
        "mastery_score": "80",
        "max_time_allowed": "00:30:00",
        "time_limit_action": "exit,message",
    }
    assert (cmi["launch_data"], cmi["core"]["credit"], cmi["core"]["lesson_mode"]) == ("x=1", "no-credit", "normal")


async def test_mode_and_credit_hold_for_their_session_alone(bridge: Bridge) -> None:
    opened = await bridge.open(credit="no-credit")
    await bridge.commit({"core": {"lesson_status": "incomplete"}}, session_id=opened["session_id"], terminated=True)
    again = await bridge.open()

    assert (again["attempt"]["entry"], again["cmi"]["core"]["credit"]) == ("resume", "credit")


@pytest.mark.parametrize("mode", ["review", "browse"])
async def test_a_review_is_opened_on_the_latest_attempt_and_makes_none(bridge: Bridge, mode: str) -> None:
    await bridge.commit(FAILED, terminated=True)
    opened = await bridge.open(mode=mode)
    answer = await bridge.commit(
        {"core": {"lesson_status": "passed", "score": {"raw": "100"}, "lesson_mode": "normal"}},
        session_id=opened["session_id"],
        terminated=True,
    )
    _, session = await bridge.get(f"/v1/sessions/{opened['session_id']}")
    following = await bridge.open()

    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (1, "")
    assert (opened["cmi"]["suspend_data"], opened["cmi"]["core"]["lesson_mode"]) == ("s", mode)
    assert (answer["attempt"]["success_status"], answer["enrollment"]["total_time"]) == ("failed", "PT10M")
    assert (session["ended"], len(session["commits"])) == ("terminated", 1)
    assert (following["attempt"]["number"], following["enrollment"]["total_attempts"]) == (2, 1)
    assert bridge.rules() == ["initialized", "scored", "failed", "terminated"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("mode", "Review!"), ("credit", "some"), ("mastery_score", "a lot"), ("scaled_passing_score", 2)],
)
async def test_launch_data_that_cannot_be_used_is_refused_in_words(bridge: Bridge, key: str, value: object) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, key: value}
    status, answer = await bridge.post("/v1/sessions", body)

    assert (status, answer["code"]) == (400, "malformed-field")
    assert answer["detail"].startswith(f"{key} must")


async def test_an_earlier_attempts_score_that_falls_lets_the_best_score_fall(bridge: Bridge) -> None:
    """A late commit of the first attempt, while the second one goes on."""
    first = await bridge.open(attempt=1)
    await bridge.commit({"core": {"score": {"raw": "90"}}}, session_id=first["session_id"], sequence=1)
    second = await bridge.open(attempt=2)
    await bridge.commit({"core": {"score": {"raw": "60"}}}, session_id=second["session_id"])
    lower = await bridge.commit({"core": {"score": {"raw": "30"}}}, session_id=first["session_id"], sequence=2)
    after = await bridge.commit({"core": {"score": {"raw": "50"}}}, session_id=second["session_id"])

    assert lower["enrollment"]["best_score"]["raw"] == 60
    assert after["enrollment"]["best_score"]["raw"] == 50
