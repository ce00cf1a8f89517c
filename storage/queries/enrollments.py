"""Enrollments as people look for them, those first that had the newest commit."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, select

from storage.queries.enrollment_filter import AttemptFilter, few, is_status, narrowed
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
_ORDERS = {
    "learner": "learner_name", "activity": "activity_name", "course": "course_name", "completion": "completion_status",
    "success": "success_status", "score": "best_scaled", "time": "total_time", "attempts": "total_attempts",
    "commit": "last_commit_at",
}  # fmt: skip
ORDERS = tuple(_ORDERS)
"""What enrollments can be sorted by."""


class EnrollmentOrder(NamedTuple):
    """What enrollments are sorted by, one of `ORDERS`."""

    column: str
    is_descending: bool = False


def search(
    connection: Connection, selection: AttemptFilter, *, after: str | None = None, limit: int = PAGE_SIZE
) -> ResultPage[EnrollmentRow]:
    """Return a page of enrollments. With `status`, those that have an attempt of it.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, is_few = narrowed(connection, _ROWS, selection, enrollment.c.id)
    query = query.where(*_of_status(selection))
    return _NEWEST.page(connection, query, EnrollmentRow, ScanLimit(selection.span, is_few), after=after, limit=limit)


def can_be_sorted(connection: Connection, selection: AttemptFilter) -> bool:
    """Return whether `sorted_by` sorts them."""
    return few(connection, selection) is not None


def sorted_by(
    connection: Connection, selection: AttemptFilter, order: EnrollmentOrder, *, first: int = 1, limit: int = PAGE_SIZE
) -> list[EnrollmentRow] | None:
    """Return the enrollments from number `first` on in an order of some column; None where they are not few.

    Only where indexes find them, and they are few, are they sorted by anything but the time of their last commit.
    """
    ids = few(connection, selection)
    if ids is None:
        return None
    column = enrollment.c[_ORDERS[order.column]]
    its = enrollment.c.id.in_(ids)
    query = _ROWS.where(its, *_of_status(selection), *selection.span.of(enrollment.c.last_commit_at))
    key = (column.desc() if order.is_descending else column.asc()).nulls_last()
    rows = connection.execute(query.order_by(key, enrollment.c.id.desc()).offset(first - 1).limit(limit))
    return [EnrollmentRow(*row) for row in rows]


def _of_status(selection: AttemptFilter) -> list[ColumnElement[bool]]:
    clauses = [
        *is_status(enrollment.c.completion_status, selection.completion),
        *is_status(enrollment.c.success_status, selection.success),
    ]
    if selection.status is not None:
        of_attempt = attempt.c.enrollment_id == enrollment.c.id
        clauses.append(exists().where(of_attempt, attempt.c.status == selection.status))
    return clauses


def find(connection: Connection, registration: str) -> EnrollmentRow | None:
    """Return an enrollment, None where there is none of this registration."""
    row = connection.execute(_ROWS.where(enrollment.c.registration == registration)).one_or_none()
    return None if row is None else EnrollmentRow(*row)
