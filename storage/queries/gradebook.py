"""Enrollments in the order of their latest updates, for gradebooks that follow them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, literal, select, tuple_

from storage import attempts
from storage.attempts import Enrollment
from storage.course_completion import in_course
from storage.gradebook_tables import course_activity_list
from storage.queries.enrollment_filter import is_status
from storage.queries.keyset import MAX_SORTED_ROWS, READ, CursorError, among
from storage.tables import attempt, enrollment
from storage.update_order import is_settled

CURSOR = re.compile("([0-9]{1,18})-([0-9]{1,18})")
"""The number of an update, and the id of its enrollment."""
MAX_COURSE_ROWS = 1_000
"""Enrollments of a learner in one course that are returned, those that began first."""
_WITH_LATEST_ATTEMPT = enrollment.outerjoin(
    attempt, (attempt.c.enrollment_id == enrollment.c.id) & (attempt.c.number == enrollment.c.latest_attempt)
)
_PLACE = (enrollment.c.update_number, enrollment.c.id)


class GradebookFilter(NamedTuple):
    """Which enrollments of an LMS: learner, activity and course by their ids, `completion` the best of all attempts."""

    lms_id: int
    learner: str | None = None
    activity: str | None = None
    course: str | None = None
    completion: str | None = None


class GradebookRow(NamedTuple):
    """An enrollment, and the status of its latest attempt that had a commit; None where there is none."""

    enrollment: Enrollment
    status: str | None


class CourseStanding(NamedTuple):
    """The ids of a course's activities, None where the LMS listed none, and a learner's enrollments in the course."""

    activities: tuple[str, ...] | None
    rows: list[GradebookRow]


class GradebookPage(NamedTuple):
    """Rows, the cursor behind them, and whether there is more already.

    A page can have fewer rows than asked for, or none, and still more be there: so far the search has come.
    """

    rows: list[GradebookRow]
    next: str
    has_more: bool


def read_updates(
    connection: Connection, selection: GradebookFilter, *, since: str | None = None, limit: int
) -> GradebookPage:
    """Return the enrollments that were created or updated after a cursor, in the order of their latest updates.

    Whoever goes on with the cursor that is returned gets every later update, whatever is being written at the moment;
    an enrollment that is updated again comes again.

    Raises:
        CursorError: `since` is none that was given out.
    """
    after = (0, 0) if since is None else _place(since)
    is_new = _row() > _values(after), is_settled(connection)
    reach = enrollment.c.lms_id == selection.lms_id, *is_new
    query = select(*_PLACE, attempt.c.status).select_from(_WITH_LATEST_ATTEMPT)
    query = query.where(*is_status(enrollment.c.completion_status, selection.completion))
    end = None
    few = _few(connection, selection)
    if few is not None:
        # what is sorted must not be looked for in the order of the index, which can be long
        query = query.where(*is_new, among(connection, enrollment.c.id, few)).order_by(_PLACE[0] + 0, _PLACE[1])
    else:
        walked = select(*_PLACE).where(*reach).order_by(*_PLACE)
        end = connection.execute(walked.offset(READ - 1).limit(1)).one_or_none()
        query = query.where(*reach, *_of_ids(selection)).order_by(*_PLACE)
        if end is not None:
            query = query.where(_row() <= _values(end))
    rows = connection.execute(query.limit(limit + 1)).all()
    shown, has_more = rows[:limit], len(rows) > limit
    if has_more:
        here: Sequence[int] = shown[-1][:2]
    elif end is not None:
        here, has_more = end, True
    else:
        # past the updates that are not asked for, so that they are not read again
        newest = select(*_PLACE).where(*reach).order_by(*(column.desc() for column in _PLACE)).limit(1)
        here = connection.execute(newest).one_or_none() or after
    statuses = {row.id: row.status for row in shown}
    return GradebookPage(_rows(connection, statuses), "-".join(map(str, here)), has_more)


def standing(connection: Connection, lms_id: int, learner: str, course: str) -> CourseStanding | None:
    """Return where a learner stands in a course, by the LMS's ids; None where nothing is known of that.

    An activity that the LMS named no course with is a course of its own.
    """
    listed = connection.execute(
        select(course_activity_list.c.activities).where(
            course_activity_list.c.lms_id == lms_id,
            course_activity_list.c.learner_id == learner,
            course_activity_list.c.course_id == course,
        )
    ).scalar_one_or_none()
    query = (
        select(enrollment.c.id, attempt.c.status)
        .select_from(_WITH_LATEST_ATTEMPT)
        .where(in_course((lms_id, learner, course)))
        .order_by(enrollment.c.id)
        .limit(MAX_COURSE_ROWS)
    )
    rows = _rows(connection, {row.id: row.status for row in connection.execute(query)})
    if listed is None and not rows:
        return None
    return CourseStanding(None if listed is None else tuple(msgspec.json.decode(listed, type=list[str])), rows)


def _rows(connection: Connection, statuses: Mapping[int, str | None]) -> list[GradebookRow]:
    """Return the rows of enrollments, in the order of the statuses of their latest attempts."""
    chosen = among(connection, enrollment.c.id, [*statuses])
    by_id = {owner.id: owner for owner in attempts.load_enrollments(connection, chosen, len(statuses))}
    return [GradebookRow(by_id[enrollment_id], status) for enrollment_id, status in statuses.items()]


def _place(cursor: str) -> tuple[int, int]:
    parts = CURSOR.fullmatch(cursor)
    if parts is None:
        raise CursorError("The cursor is not one of this list; start without one.")
    return int(parts[1]), int(parts[2])


def _of_ids(selection: GradebookFilter) -> list[ColumnElement[bool]]:
    return [
        column == value
        for column, value in (
            (enrollment.c.learner_id, selection.learner),
            (enrollment.c.activity_id, selection.activity),
            (enrollment.c.course_id, selection.course),
        )
        if value is not None
    ]


def _few(connection: Connection, selection: GradebookFilter) -> list[int] | None:
    """Return the ids of the enrollments where indexes find them and they are few; None where it must be searched."""
    wanted = _of_ids(selection)
    if not wanted:
        return None
    # without a learner, the index on LMS and learner would be read to its end
    lms_id = enrollment.c.lms_id + 0 if selection.learner is None else enrollment.c.lms_id
    query = select(enrollment.c.id).where(lms_id == selection.lms_id, *wanted)
    ids = list(connection.execute(query.limit(MAX_SORTED_ROWS + 1)).scalars())
    return None if len(ids) > MAX_SORTED_ROWS else ids


def _row() -> ColumnElement[Any]:
    return tuple_(*_PLACE)


def _values(place: Sequence[int]) -> ColumnElement[Any]:
    return tuple_(*(literal(part, column.type) for part, column in zip(place, _PLACE, strict=True)))
