"""Rows of the views of reports, in their order and a few at a time, however many there are.

Keys are looked up in the tables, by an index, and only then the rows of these keys in the view: a view that is asked
for a part of itself in its own order would be sorted as a whole for each part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    TableClause,
    and_,
    column,
    literal,
    select,
    table,
    tuple_,
)

from storage.queries.keyset import TimeSpan, among
from storage.report_views import ENROLLMENT, STATEMENT, ReportView
from storage.tables import attempt, enrollment, lms, statement

BATCH_SIZE = 200
"""Keys that are looked up at once: an attempt can have hundreds of interactions."""
FETCH_SIZE = 500
"""Rows that are in memory at once."""


class ReportFilter(NamedTuple):
    """Which rows of a view: of a span of the view's time, of an LMS by its name, and of a course by its id."""

    span: TimeSpan = TimeSpan()
    lms: str | None = None
    course: str | None = None


def home_pages(connection: Connection) -> dict[str, str]:
    """Return the home page of each LMS by its name."""
    return {row[0]: row[1] for row in connection.execute(select(lms.c.name, lms.c.home_page))}


def batches(connection: Connection, view: ReportView, selection: ReportFilter) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield the rows of a view: statements in the order of their time, all others in the order they began.

    Behind the view's columns they have the learner's name, and when the attempt or enrollment began, in milliseconds
    since the epoch. Values are as the database's driver gives them.
    """
    rows = table(view.name, *(column(each.name) for each in view.columns))
    joined = _with_owner(view, rows)
    began_at = enrollment.c.created_at if view is ENROLLMENT else attempt.c.started_at
    query = select(rows, enrollment.c.learner_name, began_at).select_from(joined)
    if selection.lms is not None:
        query = query.where(rows.c.lms == selection.lms)
    if selection.course is not None:
        query = query.where(rows.c.course_id == selection.course)
    ranges = _statements(connection, selection.span) if view is STATEMENT else _ids(connection, view, rows, selection)
    order = (statement.c.created_at, statement.c.attempt_id, statement.c.position)
    query = query.order_by(*(order if view is STATEMENT else [rows.c[name] for name in view.key]))
    for condition in ranges:
        result = connection.execute(query.where(condition), execution_options={"yield_per": FETCH_SIZE})
        yield from result.partitions()


def _with_owner(view: ReportView, rows: TableClause) -> FromClause:
    if view is ENROLLMENT:
        return rows.join(enrollment, enrollment.c.id == rows.c.enrollment_key)
    if view is STATEMENT:
        its = and_(rows.c.attempt_key == statement.c.attempt_id, rows.c.position == statement.c.position)
        joined = statement.join(rows, its).join(attempt, attempt.c.id == statement.c.attempt_id)
    else:
        joined = rows.join(attempt, attempt.c.id == rows.c.attempt_key)
    return joined.join(enrollment, enrollment.c.id == attempt.c.enrollment_id)


def _ids(
    connection: Connection, view: ReportView, rows: TableClause, selection: ReportFilter
) -> Iterator[ColumnElement[bool]]:
    """Yield conditions of having one of some keys, those that began first before all others."""
    key, time = (
        (enrollment.c.id, enrollment.c.created_at) if view is ENROLLMENT else (attempt.c.id, attempt.c.started_at)
    )
    after = 0
    while True:
        query = select(key).where(key > after, *selection.span.of(time)).order_by(key).limit(BATCH_SIZE)
        ids = connection.execute(query).scalars().all()
        if not ids:
            return
        yield among(connection, rows.c[view.key[0]], ids)
        after = ids[-1]


def _statements(connection: Connection, span: TimeSpan) -> Iterator[ColumnElement[bool]]:
    """Yield conditions of being between two statements in the order of time."""
    key = tuple_(statement.c.created_at, statement.c.attempt_id, statement.c.position)
    within = span.of(statement.c.created_at)
    after: tuple[int, ...] | None = None
    while True:
        begin = [] if after is None else [key > _literals(after)]
        query = select(*key.clauses).where(*within, *begin).order_by(*key.clauses).limit(FETCH_SIZE)
        keys = connection.execute(query).all()
        if not keys:
            return
        after = tuple(keys[-1])
        yield and_(*within, *begin, key <= _literals(after))


def _literals(key: Sequence[int]) -> Any:
    return tuple_(*map(literal, key))
