"""Attempts as people look for them, those first that had the newest commit."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from storage.queries.enrollment_filter import AttemptFilter, narrowed, of_attempt
from storage.queries.keyset import PAGE_SIZE, KeysetOrder, ResultPage, ScanLimit
from storage.tables import attempt, enrollment, lms


class AttemptRow(NamedTuple):
    """An attempt in a list, with whose it is; `total_time` in hundredths of a second."""

    uuid: str
    number: int
    registration: str
    lms: str
    learner_id: str
    learner_name: str
    activity_id: str
    activity_name: str
    course_id: str
    course_name: str
    scorm_version: str | None
    status: str
    completion_status: str | None
    success_status: str | None
    score_scaled: float | None
    score_raw: float | None
    score_min: float | None
    score_max: float | None
    progress_measure: float | None
    total_time: int
    started_at: int
    last_commit_at: int | None


_OWNERS = AttemptRow._fields[4:10]
ROWS: Select[Any] = select(
    attempt.c.uuid,
    attempt.c.number,
    enrollment.c.registration,
    lms.c.name,
    *(enrollment.c[name] for name in _OWNERS),
    *(attempt.c[name] for name in AttemptRow._fields[10:]),
).select_from(attempt.join(enrollment).join(lms))
_NEWEST = KeysetOrder(attempt.c.last_commit_at, attempt.c.id)


def search(
    connection: Connection, selection: AttemptFilter, *, after: str | None = None, limit: int = PAGE_SIZE
) -> ResultPage[AttemptRow]:
    """Return a page of attempts; those that had no commit yet come last.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, is_few = narrowed(connection, ROWS, selection, attempt.c.enrollment_id)
    query = query.where(*of_attempt(selection))
    return _NEWEST.page(connection, query, AttemptRow, ScanLimit(selection.span, is_few), after=after, limit=limit)


def find(connection: Connection, uuid: str) -> AttemptRow | None:
    """Return an attempt, None where there is none of this id."""
    row = connection.execute(ROWS.where(attempt.c.uuid == uuid)).one_or_none()
    return None if row is None else AttemptRow(*row)
