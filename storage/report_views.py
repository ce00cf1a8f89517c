"""The views that reports and dashboards read, and what each of their columns holds. docs/reports.md describes them.

Their definitions are in the migrations. They are a contract: columns are added, and never renamed, retyped or removed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ColumnKind(StrEnum):
    """What a column of a view holds."""

    KEY = "key"
    """A whole number that joins views: of an enrollment or an attempt in this database."""
    INTEGER = "integer"
    """A whole number."""
    NUMBER = "number"
    """A number, in double precision."""
    TEXT = "text"
    """Text."""
    UUID = "uuid"
    """A UUID."""
    BOOLEAN = "boolean"
    """True or false; 1 or 0 on SQLite."""
    TIME = "time"
    """A time with its zone; RFC 3339 in UTC on SQLite."""
    LIST = "list"
    """A list of texts; JSON."""


class ReportColumn(NamedTuple):
    """A column of a view."""

    name: str
    kind: ColumnKind


class ReportView(NamedTuple):
    """A view: its name, its columns, those that make a row unique and sort it, and the time that a row belongs to.

    That time never changes, so that a row is in the same month whenever it is read.
    """

    name: str
    columns: tuple[ReportColumn, ...]
    key: tuple[str, ...]
    time: str


def _columns(description: str) -> tuple[ReportColumn, ...]:
    pairs = (entry.split(":") for entry in description.split())
    return tuple(ReportColumn(name, ColumnKind(kind)) for name, kind in pairs)


_WHOSE = (
    "registration:uuid lms:text learner_id:text activity_id:text activity_name:text course_id:text course_name:text"
)
_STATUSES = "completion_status:text success_status:text completed:boolean passed:boolean"

ENROLLMENT = ReportView(
    "report_enrollment",
    _columns(f"""
        enrollment_key:key {_WHOSE} total_attempts:integer {_STATUSES} best_score_scaled:number best_score_raw:number
        best_score_min:number best_score_max:number total_time_seconds:number created_at:time first_commit_at:time
        last_commit_at:time
    """),
    ("enrollment_key",),
    "created_at",
)
ATTEMPT = ReportView(
    "report_attempt",
    _columns(f"""
        attempt_key:key enrollment_key:key attempt_id:uuid {_WHOSE} attempt_number:integer scorm_version:text
        status:text {_STATUSES} score_scaled:number score_raw:number score_min:number score_max:number
        progress_measure:number total_time_seconds:number started_at:time last_commit_at:time
    """),
    ("attempt_key",),
    "started_at",
)
INTERACTION = ReportView(
    "report_interaction",
    _columns(f"""
        attempt_key:key interaction_index:integer attempt_id:uuid {_WHOSE} attempt_number:integer scorm_version:text
        interaction_id:text type:text description:text learner_response:text correct_responses:list result:text
        success:boolean result_score:number weighting:number latency_seconds:number timestamp:time objectives:list
        attempt_started_at:time
    """),
    ("attempt_key", "interaction_index"),
    "attempt_started_at",
)
STATEMENT = ReportView(
    "report_statement",
    _columns(f"""
        attempt_key:key position:integer statement_id:uuid attempt_id:uuid {_WHOSE} session_id:uuid
        commit_number:integer rule:text verb_id:text object_id:text object_type:text result_completion:boolean
        result_success:boolean result_score_scaled:number result_score_raw:number result_score_min:number
        result_score_max:number result_duration_seconds:number timestamp:time created_at:time quarantined:boolean
    """),
    ("attempt_key", "position"),
    "created_at",
)
VIEWS = (ENROLLMENT, ATTEMPT, INTERACTION, STATEMENT)
