"""One learner, course or activity: what its enrollments come to."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, FromClause, case, func, select

from storage.queries.keyset import READ, Count
from storage.states import SearchKind
from storage.tables import enrollment, lms

MAX_ACTIVITIES = 50
"""Activities of a course that are listed, those with most learners."""

COLUMNS: dict[SearchKind, Column[str]] = {
    SearchKind.LEARNER: enrollment.c.learner_id,
    SearchKind.COURSE: enrollment.c.course_id,
    SearchKind.ACTIVITY: enrollment.c.activity_id,
}
"""Where enrollments have the id of each kind."""


class SubjectTotals(NamedTuple):
    """What enrollments come to; with a lower bound, those that were read. `total_time` in hundredths of a second."""

    enrollments: Count
    learners: int
    courses: int
    activities: int
    completed: int
    passed: int
    failed: int
    total_time: int
    first_commit_at: int | None
    last_commit_at: int | None


class ActivityTotals(NamedTuple):
    """An activity of a course, and what its enrollments come to."""

    activity_id: str
    activity_name: str
    enrollments: int
    completed: int
    passed: int
    failed: int


def totals(connection: Connection, kind: SearchKind, lms_name: str, subject_id: str) -> SubjectTotals | None:
    """Return what the enrollments of a learner, course or activity come to, None where there are none."""
    rows, number = _rows(connection, kind, lms_name, subject_id)
    columns = (
        func.count(),
        *(func.count(rows.c[name].distinct()) for name in ("learner_id", "course", "activity_id")),
        *_results(rows),
        func.coalesce(func.sum(rows.c.total_time), 0),
        func.min(rows.c.first_commit_at),
        func.max(rows.c.last_commit_at),
    )
    count, *sums = connection.execute(select(*columns)).one()
    if not count:
        return None
    *numbers, first, last = sums
    # PostgreSQL sums whole numbers to decimals
    return SubjectTotals._make((Count(count, is_lower_bound=number > READ), *map(int, numbers), first, last))


def activities(connection: Connection, lms_name: str, course_id: str) -> list[ActivityTotals]:
    """Return the activities of a course, those first that most learners are enrolled in."""
    rows, _ = _rows(connection, SearchKind.COURSE, lms_name, course_id)
    number = func.count().label("number")
    query = (
        select(rows.c.activity_id, func.max(rows.c.activity_name), number, *_results(rows))
        .group_by(rows.c.activity_id)
        .order_by(number.desc(), rows.c.activity_id)
        .limit(MAX_ACTIVITIES)
    )
    return [ActivityTotals(row[0], row[1], *map(int, row[2:])) for row in connection.execute(query)]


def _rows(connection: Connection, kind: SearchKind, lms_name: str, subject_id: str) -> tuple[FromClause, int]:
    """Return the newest `READ` enrollments, and how many there are of all LMSs, counted one further."""
    lms_id = connection.execute(select(lms.c.id).where(lms.c.name == lms_name)).scalar_one_or_none()
    its = select(enrollment).where(COLUMNS[kind] == subject_id)
    if kind == SearchKind.LEARNER:
        its = its.where(enrollment.c.lms_id == lms_id)  # the index begins with it
    some = its.limit(READ + 1).subquery()
    number = connection.execute(select(func.count()).select_from(some)).scalar_one()
    read = its.limit(READ).subquery()
    course = case((read.c.course_id == "", read.c.activity_id), else_=read.c.course_id)
    return select(read, course.label("course")).where(read.c.lms_id == lms_id).subquery(), number


def _results(rows: FromClause) -> list[Any]:
    return [
        func.coalesce(func.sum(case((column == value, 1), else_=0)), 0)
        for column, value in (
            (rows.c.completion_status, "completed"),
            (rows.c.success_status, "passed"),
            (rows.c.success_status, "failed"),
        )
    ]
