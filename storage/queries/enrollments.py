"""Enrollments as people look for them, those first that had the newest commit."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, exists, select

from storage.queries.enrollment_filter import AttemptFilter, is_status, narrowed
from storage.queries.keyset import PAGE_SIZE, KeysetOrder, ResultPage, ScanLimit
from storage.tables import attempt, enrollment, lms


class EnrollmentRow(NamedTuple):
    """An enrollment in a list; `total_time` in hundredths of a second, scores the best of all attempts."""

    registration: str
    lms: str
    learner_id: str
    learner_name: str
    activity_id: str
    activity_name: str
    course_id: str
    course_name: str
    total_attempts: int
    completion_status: str | None
    success_status: str | None
    best_scaled: float | None
    best_raw: float | None
    best_min: float | None
    best_max: float | None
    total_time: int
    first_commit_at: int | None
    last_commit_at: int | None


_ROWS: Select[Any] = select(
    enrollment.c.registration, lms.c.name, *(enrollment.c[name] for name in EnrollmentRow._fields[2:])
).select_from(enrollment.join(lms))
_NEWEST = KeysetOrder(enrollment.c.last_commit_at, enrollment.c.id)


def search(
    connection: Connection, selection: AttemptFilter, *, after: str | None = None, limit: int = PAGE_SIZE
) -> ResultPage[EnrollmentRow]:
    """Return a page of enrollments. With `status`, those that have an attempt of it.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, is_few = narrowed(connection, _ROWS, selection, enrollment.c.id)
    query = query.where(
        *is_status(enrollment.c.completion_status, selection.completion),
        *is_status(enrollment.c.success_status, selection.success),
    )
    if selection.status is not None:
        query = query.where(
            exists().where(attempt.c.enrollment_id == enrollment.c.id, attempt.c.status == selection.status)
        )
    return _NEWEST.page(connection, query, EnrollmentRow, ScanLimit(selection.span, is_few), after=after, limit=limit)


def one(connection: Connection, registration: str) -> EnrollmentRow | None:
    """Return an enrollment, None where there is none of this registration."""
    row = connection.execute(_ROWS.where(enrollment.c.registration == registration)).one_or_none()
    return None if row is None else EnrollmentRow(*row)
