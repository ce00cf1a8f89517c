"""Whose: the part of searches that is about LMS, learner, activity and course."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, false, or_, select

from storage import deliveries
from storage.queries.keyset import MAX_SORTED_ROWS, TimeSpan, begins, up_to
from storage.tables import attempt, enrollment, lms, session, statement

UNKNOWN = "unknown"
"""The completion or success of what nothing was said of, which is stored as this or as NULL."""


class EnrollmentFilter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which enrollments: those that meet all that is told.

    `lms` is the LMS's name; `learner`, `activity` and `course` are ids; `learner_prefix` is how the learner's id
    begins, `learner_name` how the name does, in upper and lower case as stored. `enrollment` is a registration.
    """

    lms: str | None = None
    learner: str | None = None
    learner_prefix: str | None = None
    learner_name: str | None = None
    activity: str | None = None
    course: str | None = None
    enrollment: str | None = None


class AttemptFilter(EnrollmentFilter, frozen=True, omit_defaults=True, kw_only=True):
    """Which enrollments, attempts or sessions.

    `status` is an attempt's (active, suspended, terminated, abandoned); `completion` and `success` are an attempt's,
    or an enrollment's best; `unknown` is one of them. `since` and `until` are about the last commit, in milliseconds
    since the epoch, `since` included.
    """

    status: str | None = None
    completion: str | None = None
    success: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def span(self) -> TimeSpan:
        """Return the times of the last commit."""
        return TimeSpan(self.since, self.until)


WHOSE = {
    "lms": lms.c.name,
    "learner_id": enrollment.c.learner_id,
    "learner_name": enrollment.c.learner_name,
    "activity_id": enrollment.c.activity_id,
    "activity_name": enrollment.c.activity_name,
    "registration": enrollment.c.registration,
    "attempt_id": attempt.c.uuid,
    "attempt_number": attempt.c.number,
}
"""Fields of rows of an attempt -> columns, of what joins attempt, enrollment and LMS."""


def conditions(
    connection: Connection, selection: EnrollmentFilter, *, walked: bool = False
) -> list[ColumnElement[bool]]:
    """Return what an enrollment must meet.

    `walked` is for queries that walk another table's index.
    """
    clauses: list[ColumnElement[bool]] = []
    # SQLite takes an index of enrollments wherever it can, and then has to sort; PostgreSQL knows how many there are
    walked = walked and connection.dialect.name == "sqlite"
    if selection.lms is not None:
        lms_id = connection.execute(select(lms.c.id).where(lms.c.name == selection.lms)).scalar_one_or_none()
        owner = enrollment.c.lms_id + 0 if walked else enrollment.c.lms_id
        clauses.append(false() if lms_id is None else owner == lms_id)
    for column, value in (
        (enrollment.c.learner_id, selection.learner),
        (enrollment.c.activity_id, selection.activity),
        (enrollment.c.course_id, selection.course),
    ):
        if value is not None:
            clauses.append((column.concat("") if walked else column) == value)
    if selection.enrollment is not None:
        clauses.append(enrollment.c.registration == selection.enrollment)
    for column, prefix in (
        (enrollment.c.learner_id, selection.learner_prefix),
        (enrollment.c.learner_name, selection.learner_name),
    ):
        if prefix is not None:
            clauses.append(begins(connection, column.concat("") if walked else column, prefix))
    return clauses


def few(connection: Connection, selection: EnrollmentFilter) -> list[int] | None:
    """Return the ids of the enrollments where indexes find them and they are few; None where it must be searched."""
    helped = (selection.learner, selection.learner_prefix, selection.activity, selection.course, selection.enrollment)
    if all(value is None for value in helped):
        return None
    query = select(enrollment.c.id).where(*conditions(connection, selection))
    if selection.lms is None and selection.enrollment is None:
        # the index on learners begins with the LMS
        query = query.where(enrollment.c.lms_id.in_(list(connection.execute(select(lms.c.id)).scalars())))
    ids = list(connection.execute(query.limit(MAX_SORTED_ROWS + 1)).scalars())
    return None if len(ids) > MAX_SORTED_ROWS else ids


def narrowed(
    connection: Connection, query: Select[Any], selection: EnrollmentFilter, column: ColumnElement[int]
) -> tuple[Select[Any], bool]:
    """Return a query for the enrollments told, and whether they are few. `column` has an enrollment's id.

    The query must join enrollments.
    """
    ids = few(connection, selection)
    if ids is not None:
        return query.where(column.in_(ids)), True
    return query.where(*conditions(connection, selection, walked=True)), False


def few_attempts(connection: Connection, selection: deliveries.DeliveryFilter) -> list[int] | None:
    """Return the ids of the attempts where indexes find them and their statements are few, None else."""
    if selection.attempt is not None:
        query = select(attempt.c.id).where(attempt.c.uuid == selection.attempt)
    elif selection.session is not None:
        query = select(session.c.attempt_id).where(session.c.session_id == selection.session)
    else:
        enrollments = few(connection, of_statements(selection))
        if enrollments is None:
            return None
        query = select(attempt.c.id).where(attempt.c.enrollment_id.in_(enrollments))
    ids = list(connection.execute(query.limit(MAX_SORTED_ROWS + 1)).scalars())
    if len(ids) > MAX_SORTED_ROWS:
        return None
    its = select(statement.c.attempt_id).where(statement.c.attempt_id.in_(ids))
    return None if up_to(connection, its, MAX_SORTED_ROWS).is_lower_bound else ids


def of_statements(selection: deliveries.DeliveryFilter) -> EnrollmentFilter:
    """Return the part of a filter of statements and deliveries that is about enrollments."""
    return EnrollmentFilter(lms=selection.lms, learner=selection.learner, activity=selection.activity)


def is_status(column: ColumnElement[Any], value: str | None) -> list[ColumnElement[bool]]:
    """Return the condition of a status that is unknown where nothing is stored."""
    if value is None:
        return []
    return [or_(column.is_(None), column == value) if value == UNKNOWN else column == value]


def of_attempt(selection: AttemptFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that a filter sets to the statuses of an attempt."""
    clauses = [
        *is_status(attempt.c.completion_status, selection.completion),
        *is_status(attempt.c.success_status, selection.success),
    ]
    return clauses if selection.status is None else [*clauses, attempt.c.status == selection.status]
