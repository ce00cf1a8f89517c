"""What the next session's player is loaded with."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from mappings.cmi.merge import merge
from mappings.cmi.parser import parse_cmi
from mappings.cmi.render import LaunchValues, render
from mappings.cmi.snapshot import EMPTY, CompletionStatus, LessonStatus, ScormVersion, Snapshot, SuccessStatus
from tests.mappings.builders import delta, flatten, stored_items

WHO: dict[str, Any] = {"learner_id": "u42", "learner_name": "Doe, Jane", "entry": "resume", "total_time": 33_025}

SCORM_12 = {
    "core.lesson_status": "passed",
    "core.lesson_location": "p2",
    "core.score.raw": "85.5",
    "core.score.min": "0",
    "core.score.max": "100",
    "suspend_data": '{"a":[1]}',
    "launch_data": "ld",
    "comments": "nice",
    "student_data.mastery_score": "80",
    "student_data.max_time_allowed": "01:00:00",
    "student_data.time_limit_action": "exit,message",
    "student_preference.audio": "-1",
    "student_preference.language": "de",
    "student_preference.speed": "100",
    "student_preference.text": "1",
    "objectives.0.id": "o1",
    "objectives.0.score.raw": "50",
}
SCORM_2004 = {
    "completion_status": "completed",
    "success_status": "failed",
    "score.scaled": "-0.5",
    "score.raw": "5",
    "score.min": "0",
    "score.max": "20",
    "progress_measure": "0.75",
    "location": "p2",
    "suspend_data": "opaque",
    "launch_data": "ld",
    "completion_threshold": "0.5",
    "scaled_passing_score": "0.8",
    "max_time_allowed": "PT1H",
    "time_limit_action": "continue,no message",
    "learner_preference.audio_level": "1.5",
    "learner_preference.language": "de",
    "learner_preference.delivery_speed": "2",
    "learner_preference.audio_captioning": "-1",
    "comments_from_learner.0.comment": "nice",
    "objectives.0.id": "o1",
}


@pytest.mark.parametrize(("version", "elements"), [("1.2", SCORM_12), ("2004", SCORM_2004)])
def test_a_player_is_given_back_every_element_as_text(version: ScormVersion, elements: dict[str, str]) -> None:
    snapshot = merge(EMPTY, parse_cmi(delta(elements)).snapshot)
    given = flatten(render(snapshot, version, LaunchValues(**WHO)))

    assert {name: given[name] for name in elements} == elements


@pytest.mark.parametrize(("version", "elements"), [("1.2", SCORM_12), ("2004", SCORM_2004)])
def test_what_a_player_is_given_reads_as_what_was_known(version: ScormVersion, elements: dict[str, str]) -> None:
    snapshot = merge(EMPTY, parse_cmi(delta(elements)).snapshot)
    again = merge(EMPTY, parse_cmi({"cmi": render(snapshot, version, LaunchValues(**WHO))}).snapshot)

    assert replace(again, entry=None, mode=None, credit=None) == snapshot


def test_a_new_attempt_is_told_who_the_learner_is_and_little_else() -> None:
    who = WHO | {"entry": "ab-initio", "total_time": 0, "mode": None, "credit": None}

    assert render(EMPTY, "1.2", LaunchValues(**who)) == {
        "core": {
            "lesson_status": "not attempted",
            "student_id": "u42",
            "student_name": "Doe, Jane",
            "entry": "ab-initio",
            "lesson_mode": "normal",
            "credit": "credit",
            "total_time": "0000:00:00.00",
        }
    }
    assert render(EMPTY, "2004", LaunchValues(**who)) == {
        "learner_id": "u42",
        "learner_name": "Doe, Jane",
        "entry": "ab-initio",
        "mode": "normal",
        "credit": "credit",
        "total_time": "PT0S",
    }


@pytest.mark.parametrize(("version", "time"), [("1.2", "0000:05:30.25"), ("2004", "PT5M30.25S")])
def test_the_time_of_all_sessions_is_told_in_the_versions_own_format(version: ScormVersion, time: str) -> None:
    assert time in flatten(render(EMPTY, version, LaunchValues(**WHO))).values()


def test_interactions_of_earlier_sessions_are_given_back_where_content_can_read_them() -> None:
    """SCORM 2004 RTE 4.2.9: they last as long as the attempt. SCORM 1.2's can only be written."""
    item = {"id": "Q1", "learner_response": "a"}
    snapshot = Snapshot(scorm_version="2004", interactions=stored_items({"0": item}))

    assert render(snapshot, "2004", LaunchValues(**WHO))["interactions"] == {"0": item}
    assert "interactions" not in render(snapshot, "1.2", LaunchValues(**WHO))


def test_the_last_sessions_exit_and_times_are_not_given_back() -> None:
    snapshot = Snapshot(exit="suspend", nav_request="suspendAll", session_time=5)

    assert render(snapshot, "2004", LaunchValues(**WHO)) == render(EMPTY, "2004", LaunchValues(**WHO))
    assert render(snapshot, "1.2", LaunchValues(**WHO)) == render(EMPTY, "1.2", LaunchValues(**WHO))


@pytest.mark.parametrize(
    ("snapshot", "status"),
    [
        (Snapshot(completion_status=CompletionStatus.COMPLETED, success_status=SuccessStatus.FAILED), "failed"),
        (Snapshot(completion_status=CompletionStatus.INCOMPLETE, success_status=SuccessStatus.PASSED), "passed"),
        (Snapshot(completion_status=CompletionStatus.COMPLETED, success_status=SuccessStatus.UNKNOWN), "completed"),
        (Snapshot(completion_status=CompletionStatus.INCOMPLETE), "incomplete"),
        (Snapshot(completion_status=CompletionStatus.UNKNOWN), "not attempted"),
        (Snapshot(lesson_status=LessonStatus.BROWSED, completion_status=CompletionStatus.INCOMPLETE), "browsed"),
    ],
)
def test_an_attempt_begun_in_scorm_2004_is_told_in_scorm_12s_one_status(snapshot: Snapshot, status: str) -> None:
    assert render(snapshot, "1.2", LaunchValues(**WHO))["core"]["lesson_status"] == status
