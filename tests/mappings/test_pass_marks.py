"""What mastery score, passing score and completion threshold decide."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.attempt.launch import LaunchData
from mappings.attempt.opening import open_session
from mappings.attempt.policy import PassMarks, StatusPolicy
from mappings.attempt.state import AttemptState
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from tests.mappings.builders import NOON, SECOND, Play, delta


def launched(policy: StatusPolicy | None = None, **data: Any) -> Play:
    """Return a play of a session that the LMS opened with launch data."""
    attempt, session = open_session(AttemptState(), LaunchData(**data))
    return Play(attempt, session, policy=policy or StatusPolicy())


def reached(play: Play) -> tuple[CompletionStatus | None, SuccessStatus | None]:
    """Return completion and success."""
    return play.known.completion_status, play.known.success_status


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"core.lesson_status": "completed", "core.score.raw": "80"}, ("completed", "passed")),
        ({"core.lesson_status": "completed", "core.score.raw": "79"}, ("completed", "failed")),
        ({"core.score.raw": "90"}, ("completed", "passed")),
        ({"core.score.raw": "10"}, (None, "failed")),
        ({"core.lesson_status": "passed", "core.score.raw": "10"}, ("completed", "passed")),
        ({"core.lesson_status": "failed", "core.score.raw": "90"}, (None, "failed")),
        ({"core.lesson_status": "incomplete", "core.score.raw": "90"}, ("incomplete", None)),
        ({"core.lesson_status": "completed"}, ("completed", None)),
    ],
)
def test_a_mark_decides_where_the_content_left_it_open(
    values: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    """SCORM 1.2, at the end of a session for credit."""
    play = launched(scorm_version="1.2", mastery_score=80)
    play.send(delta(values | {"core.lesson_location": "p"}))
    assert play.known.success_status in {None, "passed", "failed"}
    play.send(delta({"core.session_time": "00:05:00"}), terminated=True, at=NOON + SECOND)
    assert reached(play) == expected


@pytest.mark.parametrize(
    ("end", "data"),
    [({"core.exit": "suspend"}, {}), ({}, {"credit": "no-credit"})],
    ids=["suspended", "without credit"],
)
def test_scorm_12s_mark_decides_at_the_end_of_a_session_for_credit_only(
    end: dict[str, str], data: dict[str, Any]
) -> None:
    play = launched(scorm_version="1.2", mastery_score=80, **data)
    play.send(delta({"core.lesson_status": "completed", "core.score.raw": "90"} | end), terminated=True)

    assert reached(play) == ("completed", None)


@pytest.mark.parametrize(
    ("marks", "success"), [(PassMarks.WHEN_SILENT, "failed"), (PassMarks.ALWAYS, "passed"), (PassMarks.NEVER, "failed")]
)
def test_whether_a_mark_wins_over_the_content_is_the_documents_choice(marks: PassMarks, success: str) -> None:
    play = launched(StatusPolicy(marks=marks), scorm_version="1.2", mastery_score=80)
    play.send(delta({"core.lesson_status": "failed", "core.score.raw": "90"}), terminated=True)

    assert play.known.success_status == success


@pytest.mark.parametrize(
    ("marks", "expected"),
    [(PassMarks.WHEN_SILENT, "completed"), (PassMarks.ALWAYS, "completed"), (PassMarks.NEVER, None)],
)
def test_a_status_that_was_never_set_is_completed_at_the_end(marks: PassMarks, expected: str | None) -> None:
    play = launched(StatusPolicy(marks=marks), scorm_version="1.2")
    play.send(delta({}), terminated=True)

    assert reached(play) == (expected, None)


def test_scorm_2004s_marks_decide_at_any_commit() -> None:
    play = launched(scorm_version="2004", scaled_passing_score=0.5, completion_threshold=0.8)
    play.send(delta({"score.scaled": "0.2", "progress_measure": "0.5", "location": "p"}))
    assert reached(play) == ("incomplete", "failed")
    play.send(delta({"score.scaled": "0.9", "progress_measure": "0.8"}), at=NOON + SECOND)
    assert reached(play) == ("completed", "passed")
    assert play.told == [
        "attempt.started", "score.changed", "progress.changed", "success.failed", "score.changed", "progress.changed",
        "completion.completed", "success.passed",
    ]  # fmt: skip


def test_scorm_2004s_content_that_spoke_is_believed() -> None:
    play = launched(scorm_version="2004", scaled_passing_score=0.5)
    play.send(delta({"success_status": "failed", "score.scaled": "0.9"}))

    assert play.known.success_status == "failed"


def test_what_the_lms_gave_wins_over_what_its_player_echoes() -> None:
    play = launched(scorm_version="2004", scaled_passing_score=0.5)
    play.send(delta({"scaled_passing_score": "0.95", "score.scaled": "0.9"}))

    assert (play.known.scaled_passing_score, play.known.success_status) == (0.5, "passed")
