"""What a commit and a session are answered with: the shapes of the contract over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mappings.attempt.commit import Disposition
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.render import LaunchValues
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.times import duration
from mappings.cmi.warnings import CmiWarning
from mappings.definition.statement_context import registration_in
from mappings.generation.statements import Statement
from mappings.xapi.timestamps import rfc3339
from storage.attempts import Attempt, Enrollment, Session, course_of

MAX_LISTED_STATEMENTS = 200
MAX_LISTED_WARNINGS = 100
"""How many statements and warnings a response lists: it is kept, and repeated for every duplicate of its commit."""
MAX_PROGRESS_LOCATION = 1000
"""Characters of the location in `progress`, as many as SCORM 2004 wants kept; `cmi` of a session has all of them."""

_encode = msgspec.json.Encoder().encode


def tidy(value: float | None) -> float | int | None:
    """Give a whole number as one: databases hand all scores back as floating point."""
    return int(value) if value is not None and value.is_integer() else value


def time_text(milliseconds: int | None) -> str | None:
    """Give a time as RFC 3339, None where there is none."""
    return None if milliseconds is None else rfc3339(milliseconds)


def score_object(
    scaled: float | None, raw: float | None, low: float | None, high: float | None
) -> dict[str, Any] | None:
    """Give a score as `{"scaled", "raw", "min", "max"}` with what is known, None where nothing is."""
    known: dict[str, Any] = {}
    if scaled is not None:
        known["scaled"] = tidy(float(scaled))
    if raw is not None:
        known["raw"] = tidy(float(raw))
    if low is not None:
        known["min"] = tidy(float(low))
    if high is not None:
        known["max"] = tidy(float(high))
    return known or None


def attempt_object(row: Attempt) -> dict[str, Any]:
    """Give an attempt as the LMS sees it."""
    return {
        "id": row.uuid,
        "number": row.number,
        "status": row.status,
        "scorm_version": row.scorm_version,
        "completion_status": row.completion_status or "unknown",
        "success_status": row.success_status or "unknown",
        "score": score_object(row.score_scaled, row.score_raw, row.score_min, row.score_max),
        "progress_measure": row.progress_measure,
        "total_time": duration(row.total_time),
    }


def enrollment_object(row: Enrollment) -> dict[str, Any]:
    """Give an enrollment as the LMS's gradebook sees it."""
    return {
        "registration": row.course_registration or row.registration,
        "learner": {"id": row.learner_id, "name": row.learner_name},
        "activity": {"id": row.activity_id, "name": row.activity_name},
        "course": {
            "id": row.course_id,
            "name": row.course_name,
            "registration": row.course_registration or registration_in(str(row.lms_id), row.learner_id, course_of(row)),
        },
        "total_attempts": row.total_attempts,
        "completion_status": row.completion_status or "unknown",
        "success_status": row.success_status or "unknown",
        "best_score": score_object(row.best_scaled, row.best_raw, row.best_min, row.best_max),
        "total_time": duration(row.total_time),
        "first_commit_at": time_text(row.first_commit_at),
        "last_commit_at": time_text(row.last_commit_at),
    }


def shown_version(row: Attempt, state: AttemptState) -> ScormVersion:
    """Give the version whose words an attempt is told in: what its content showed, else what the LMS said."""
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


def progress_object(state: AttemptState) -> dict[str, Any]:
    """Give what a progress bar and a bookmark need."""
    known = state.snapshot
    return {
        "completed": known.completion_status == "completed",
        "passed": {"passed": True, "failed": False}.get(known.success_status or ""),
        "score": None if state.score is None else state.score.scaled,
        "measure": known.progress_measure,
        "location": known.location and known.location[:MAX_PROGRESS_LOCATION],
    }


def commit_reply(
    session_id: str,
    number: int,
    disposition: Disposition,
    row: Attempt,
    state: AttemptState,
    statements: Sequence[Statement],
    warnings: Sequence[CmiWarning],
) -> bytes:
    """Give the answer to a commit.

    `result` and `errorCode` are what scorm-again reads; everything else is for the LMS. `omitted` is there where not
    all statements and warnings are listed.
    """
    omitted = {}
    if len(statements) > MAX_LISTED_STATEMENTS or len(warnings) > MAX_LISTED_WARNINGS:
        omitted["omitted"] = {
            "statements": max(0, len(statements) - MAX_LISTED_STATEMENTS),
            "warnings": max(0, len(warnings) - MAX_LISTED_WARNINGS),
        }
    return _encode(
        {
            "result": True,
            "errorCode": 0,
            "session_id": session_id,
            "commit": number,
            "disposition": disposition,
            "attempt": attempt_object(row),
            "enrollment": enrollment_object(row.enrollment),
            "progress": progress_object(state),
            "statements": [
                {"id": one.id, "verb": one.verb, "rule": one.rule} for one in statements[:MAX_LISTED_STATEMENTS]
            ],
            "warnings": warnings[:MAX_LISTED_WARNINGS],
            **omitted,
        }
    )


def repeated_reply(first: str, warnings: Sequence[CmiWarning]) -> bytes:
    """Give the first answer once more, told apart by its disposition and warnings about the repetition."""
    reply = msgspec.json.decode(first) | {"disposition": "duplicate"}
    return _encode(reply | {"warnings": [*reply["warnings"], *warnings]} if warnings else reply)
