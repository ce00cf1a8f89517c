"""What LMSs read about attempts, enrollments and commits, made of what is stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from bridge.clock import format_timestamp
from bridge.commit_model.response_types import (
    ActivitySummary,
    AttemptSummary,
    CommitResponse,
    CourseSummary,
    EnrollmentSummary,
    LaunchedAttempt,
    LearnerSummary,
    OmittedCounts,
    ProgressSummary,
    ScoreSummary,
    StatementReference,
)
from mappings.attempt.commit import Disposition
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.render import LaunchValues
from mappings.cmi.snapshot import CompletionStatus, ScormVersion, SuccessStatus
from mappings.cmi.times import duration
from mappings.cmi.warnings import CmiWarning
from mappings.definition.statement_context import registration_in
from mappings.generation.statements import Statement
from storage.attempts import Attempt, Enrollment, Session, course_of

MAX_LISTED_STATEMENTS = 200
MAX_LISTED_WARNINGS = 100
"""How many statements and warnings a response lists: it is kept, and repeated for every duplicate of its commit."""
MAX_PROGRESS_LOCATION = 1000
"""Characters of the location in `progress`, as many as SCORM 2004 wants kept; `cmi` of a session has all of them."""

_PASSED: dict[SuccessStatus | None, bool] = {SuccessStatus.PASSED: True, SuccessStatus.FAILED: False}
_COMPLETED = CompletionStatus.COMPLETED
_UNKNOWN_COMPLETION, _UNKNOWN_SUCCESS = CompletionStatus.UNKNOWN, SuccessStatus.UNKNOWN
_encode = msgspec.json.Encoder().encode


def score_summary(
    scaled: float | None, raw: float | None, low: float | None, high: float | None
) -> ScoreSummary | None:
    """Return what is known of a score, None where nothing is."""
    if scaled is raw is low is high is None:
        return None
    return ScoreSummary(_known(scaled), _known(raw), _known(low), _known(high))


def _known(value: float | None) -> float | UnsetType:
    """Return a whole number as an integer: databases return every score as floating point."""
    if value is None:
        return UNSET
    number = float(value)
    return int(number) if number.is_integer() else number


def attempt_summary(row: Attempt) -> AttemptSummary:
    """Return an attempt as the LMS sees it."""
    return AttemptSummary(
        row.uuid,
        row.number,
        row.status,
        row.scorm_version,
        row.completion_status or _UNKNOWN_COMPLETION,
        row.success_status or _UNKNOWN_SUCCESS,
        score_summary(row.score_scaled, row.score_raw, row.score_min, row.score_max),
        row.progress_measure,
        duration(row.total_time),
    )


def launched_attempt(row: Attempt, entry: str) -> LaunchedAttempt:
    """Return an attempt as the LMS sees it that opens a session of it."""
    return LaunchedAttempt(**msgspec.structs.asdict(attempt_summary(row)), entry=entry)


def enrollment_summary(row: Enrollment) -> EnrollmentSummary:
    """Return an enrollment as the LMS's gradebook sees it."""
    registration = row.course_registration
    return EnrollmentSummary(
        registration or row.registration,
        LearnerSummary(row.learner_id, row.learner_name),
        ActivitySummary(row.activity_id, row.activity_name),
        CourseSummary(
            row.course_id,
            row.course_name,
            registration or registration_in(str(row.lms_id), row.learner_id, course_of(row)),
        ),
        row.total_attempts,
        row.completion_status or _UNKNOWN_COMPLETION,
        row.success_status or _UNKNOWN_SUCCESS,
        score_summary(row.best_scaled, row.best_raw, row.best_min, row.best_max),
        duration(row.total_time),
        format_timestamp(row.first_commit_at),
        format_timestamp(row.last_commit_at),
    )


def shown_version(row: Attempt, state: AttemptState) -> ScormVersion:
    """Return the version that an attempt is shown in: what its content showed, else what the LMS said."""
    return state.snapshot.scorm_version or ("2004" if row.scorm_version == "2004" else "1.2")


def launch_values(row: Session, attempt: AttemptState, session: SessionState) -> LaunchValues:
    """Return what a session's player is loaded with beside the attempt's data."""
    owner = row.attempt.enrollment
    return LaunchValues(
        learner_id=owner.learner_id,
        learner_name=owner.learner_name,
        entry=row.entry,
        total_time=attempt.total_time,
        mode=session.mode,
        credit=session.credit,
    )


def resume_values(row: Attempt, attempt: AttemptState) -> LaunchValues:
    """Return what a session that continues an attempt is loaded with beside the attempt's data."""
    owner = row.enrollment
    return LaunchValues(owner.learner_id, owner.learner_name, "resume", attempt.total_time)


def progress_summary(state: AttemptState) -> ProgressSummary:
    """Return what a progress bar and a bookmark need."""
    snapshot = state.snapshot
    return ProgressSummary(
        snapshot.completion_status == _COMPLETED,
        _PASSED.get(snapshot.success_status),
        None if state.score is None else state.score.scaled,
        snapshot.progress_measure,
        snapshot.location and snapshot.location[:MAX_PROGRESS_LOCATION],
    )


def commit_response(
    session_id: str,
    number: int,
    disposition: Disposition,
    row: Attempt,
    state: AttemptState,
    statements: Sequence[Statement],
    warnings: Sequence[CmiWarning],
) -> bytes:
    """Return the JSON response to a commit."""
    omitted: OmittedCounts | UnsetType = UNSET
    if len(statements) > MAX_LISTED_STATEMENTS or len(warnings) > MAX_LISTED_WARNINGS:
        omitted = OmittedCounts(
            max(0, len(statements) - MAX_LISTED_STATEMENTS), max(0, len(warnings) - MAX_LISTED_WARNINGS)
        )
    return _encode(
        CommitResponse(
            session_id=session_id,
            commit=number,
            disposition=disposition,
            attempt=attempt_summary(row),
            enrollment=enrollment_summary(row.enrollment),
            progress=progress_summary(state),
            statements=[
                StatementReference(statement.id, statement.verb, statement.rule)
                for statement in statements[:MAX_LISTED_STATEMENTS]
            ],
            warnings=warnings[:MAX_LISTED_WARNINGS],
            omitted=omitted,
        )
    )


def repeated_response(first: str, warnings: Sequence[CmiWarning]) -> bytes:
    """Return the first response once more, which differs in its disposition and warnings about the repetition."""
    reply = msgspec.json.decode(first) | {"disposition": Disposition.DUPLICATE}
    return _encode(reply | {"warnings": [*reply["warnings"], *warnings]} if warnings else reply)
