"""The changes between two snapshots: nothing but what can be told, and in one order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mappings.attempt.changes import Change, Trigger, ending_change, find_changes
from mappings.attempt.state import Ending, SessionState
from mappings.cmi.merge import merge
from mappings.cmi.parser import parse_cmi
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import EMPTY, CompletionStatus, Snapshot, SuccessStatus
from tests.mappings.builders import Play, delta, page, scorm_12, stored_items

proven = settings(deadline=None, max_examples=100, derandomize=True, database=None)

snapshots = st.builds(
    Snapshot,
    scorm_version=st.sampled_from(["1.2", "2004"]),
    completion_status=st.sampled_from([None, "unknown", "not attempted", "incomplete", "completed"]),
    success_status=st.sampled_from([None, "unknown", "failed", "passed"]),
    score_raw=st.sampled_from([None, 0, 50, 150]),
    score_max=st.sampled_from([None, 0, 100]),
    score_scaled=st.sampled_from([None, 0.5, 1]),
    progress_measure=st.sampled_from([None, 0, 0.5, 1]),
    location=st.sampled_from([None, "2"]),
    suspend_data=st.sampled_from([None, "x"]),
    exit=st.sampled_from([None, "suspend"]),
    interactions=st.sampled_from([None, stored_items({"0": {"id": "Q1"}})]),
)


def sequence(*statuses: str) -> list[Trigger]:
    """Return the triggers of SCORM 1.2 statuses that come one after the other."""
    known, triggers = EMPTY, []
    for status in statuses:
        after = merge(known, parse_cmi(delta({"core.lesson_status": status})).snapshot)
        triggers += [change.trigger for change in find_changes(known, after)]
        known = after
    return triggers


@given(snapshots)
@proven
def test_equal_snapshots_have_no_changes(known: Snapshot) -> None:
    assert find_changes(known, known) == ()
    assert find_changes(known, replace(known)) == ()


@given(snapshots, snapshots)
@proven
def test_there_are_changes_exactly_where_something_tellable_changed(before: Snapshot, after: Snapshot) -> None:
    tellable = (
        (score(after) is not None and score(after) != score(before))
        or (after.progress_measure is not None and after.progress_measure != before.progress_measure)
        or (after.completion_status == "completed" and before.completion_status != "completed")
        or (after.success_status in {"passed", "failed"} and after.success_status != before.success_status)
    )

    assert bool(find_changes(before, after)) == tellable


@given(snapshots, snapshots, st.sampled_from([None, 0, 5]), st.sampled_from([None, 0, 5]))
@proven
def test_changes_come_in_the_order_of_the_triggers_and_each_once(
    before: Snapshot, after: Snapshot, started: int | None, resumed: int | None
) -> None:
    triggers = [change.trigger for change in find_changes(before, after, started_at=started, resumed_at=resumed)]

    assert triggers == [trigger for trigger in Trigger if trigger in set(triggers)]


def test_everything_at_once_comes_in_one_order() -> None:
    after = Snapshot(
        score_scaled=0.9,
        progress_measure=1,
        completion_status=CompletionStatus.COMPLETED,
        success_status=SuccessStatus.PASSED,
    )

    assert find_changes(EMPTY, after, started_at=0, resumed_at=7) == (
        Change(Trigger.ATTEMPT_STARTED),
        Change(Trigger.SESSION_RESUMED, at=7),
        Change(Trigger.SCORE_CHANGED, None, Score(scaled=0.9)),
        Change(Trigger.PROGRESS_CHANGED, None, 1),
        Change(Trigger.COMPLETION_COMPLETED, None, "completed"),
        Change(Trigger.SUCCESS_PASSED, None, "passed"),
    )


@pytest.mark.parametrize(
    ("turn", "trigger"),
    [
        ({"started_at": 0}, Trigger.ATTEMPT_STARTED),
        ({"resumed_at": 0}, Trigger.SESSION_RESUMED),
    ],
)
def test_a_turn_of_the_session_is_told_without_any_difference(turn: dict[str, Any], trigger: Trigger) -> None:
    assert find_changes(EMPTY, EMPTY, **turn) == (Change(trigger),)


@pytest.mark.parametrize(("before", "after"), [(None, "3"), ("2", "3"), ("", "3")])
def test_another_place_in_the_content_is_a_change(before: str | None, after: str) -> None:
    changes = find_changes(replace(EMPTY, location=before), replace(EMPTY, location=after))

    assert changes == (Change(Trigger.LOCATION_CHANGED, before, after),)
    assert find_changes(replace(EMPTY, location=after), replace(EMPTY, location=after, credit="credit")) == ()


@pytest.mark.parametrize(
    ("session", "duration"),
    [
        (SessionState(time_spent=500, time_known=True), 500),
        (SessionState(time_spent=500, emitted_time=200, time_known=True), 300),
        (SessionState(time_known=True), 0),
        (SessionState(), None),
    ],
)
def test_the_end_of_a_session_tells_the_time_that_none_has_told(session: SessionState, duration: int | None) -> None:
    assert ending_change(Ending.SUSPENDED, session) == Change(Trigger.SESSION_SUSPENDED, duration=duration)


@pytest.mark.parametrize(
    "change",
    [
        {"location": ""},
        {"suspend_data": "y"},
        {"exit": "suspend"},
        {"interactions": stored_items({"0": {"id": "Q2"}})},
        {"completion_status": "incomplete"},
        {"success_status": "unknown"},
        {"score_max": 100},
        {"total_time": 5},
    ],
)
def test_what_no_rule_can_tell_is_no_change(change: dict[str, Any]) -> None:
    assert find_changes(EMPTY, replace(EMPTY, **change)) == ()


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ({}, {"score_raw": 85}, None, Score(raw=85)),
        ({"score_raw": 40}, {"score_raw": 85}, Score(raw=40), Score(raw=85)),
        ({"score_raw": 85}, {"score_raw": 40}, Score(raw=85), Score(raw=40)),
        ({"score_raw": 5}, {"score_raw": 5, "score_max": 10}, Score(raw=5), Score(raw=5, max=10)),
        ({"score_raw": 11, "score_max": 10}, {"score_raw": 9, "score_max": 10}, None, Score(raw=9, max=10)),
    ],
)
def test_a_score_that_became_another_is_a_change(
    before: dict[str, Any], after: dict[str, Any], old: Score | None, new: Score
) -> None:
    assert find_changes(Snapshot(**before), Snapshot(**after)) == (Change(Trigger.SCORE_CHANGED, old, new),)


def test_a_score_that_became_impossible_is_no_change() -> None:
    assert find_changes(Snapshot(score_raw=9, score_max=10), Snapshot(score_raw=11, score_max=10)) == ()


def test_a_score_is_another_if_it_differs_from_the_last_possible_one() -> None:
    """The snapshot before may hold an impossible one, of which nothing was told."""
    before, after = Snapshot(score_raw=11, score_max=10), Snapshot(score_raw=9, score_max=10)
    last = Score(raw=9, max=10)

    assert find_changes(before, after, last_score=last) == ()
    assert find_changes(before, after, last_score=Score(raw=8)) == (Change(Trigger.SCORE_CHANGED, Score(raw=8), last),)


def test_progress_back_to_nought_is_a_change() -> None:
    changes = find_changes(Snapshot(progress_measure=0.5), Snapshot(progress_measure=0))

    assert changes == (Change(Trigger.PROGRESS_CHANGED, 0.5, 0),)


def test_scorm_12s_passed_implies_completed() -> None:
    assert sequence("passed") == ["completion.completed", "success.passed"]


def test_failed_then_passed_tells_both() -> None:
    assert sequence("failed", "passed") == ["success.failed", "completion.completed", "success.passed"]


def test_passed_then_failed_tells_nothing_new() -> None:
    play = Play()
    for number, status in enumerate(["passed", "failed", "passed"]):
        play.send(page(number, status))

    assert play.told == ["attempt.started", "completion.completed", "success.passed"]


def test_failed_tells_nothing_of_completion() -> None:
    """Whether a failed attempt is complete is for the mapping document to say (wire format 3.5)."""
    assert sequence("failed") == ["success.failed"]


def test_a_status_that_is_reset_and_reached_again_is_told_once() -> None:
    assert sequence("incomplete", "completed", "incomplete", "completed") == ["completion.completed"]


def test_an_untouched_player_changes_nothing() -> None:
    after = merge(EMPTY, parse_cmi(scorm_12()).snapshot)

    assert find_changes(EMPTY, after) == ()
