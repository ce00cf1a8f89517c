"""What was recorded of sessions: how much, the calls before commits of a timeline, and a recording whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from storage.recording_tables import recording_part
from storage.tables import attempt, enrollment, journal, lms, session

MAX_PARTS = 40
"""Parts of recordings that a page of a timeline reads at most: some 2 MB."""


class RecordedPart(NamedTuple):
    """A part of a session's recording. `calls` is a JSON list; times of calls are counted from `started_at`."""

    session_id: str
    first_number: int
    last_number: int
    started_at: int
    calls: bytes


class RecordingSummary(NamedTuple):
    """How much was recorded of a session: calls that are kept, and those that there were; `started_at` in ms."""

    session_id: str
    kept: int
    made: int
    started_at: int


class RecordedSession(NamedTuple):
    """Whose calls were recorded."""

    session_id: str
    attempt: str
    attempt_number: int
    entry: str
    scorm_version: str | None
    lms: str
    home_page: str
    learner_id: str
    learner_name: str
    activity_id: str
    activity_name: str
    activity_type: str
    course_id: str
    course_name: str


_PART: Select[Any] = select(*(recording_part.c[name] for name in RecordedPart._fields))
_SUMMARY = select(
    recording_part.c.session_id,
    func.sum(recording_part.c.call_count),
    func.max(recording_part.c.made),
    func.min(recording_part.c.started_at),
).group_by(recording_part.c.session_id)


def summaries(connection: Connection, attempt_uuid: str, first: int, limit: int) -> dict[str, RecordingSummary]:
    """Return how much was recorded of sessions of an attempt, as far as anything was, by their ids.

    Of the sessions in the order they began, `limit` from number `first` on.
    """
    shown = (
        select(session.c.session_id)
        .join(attempt, attempt.c.id == session.c.attempt_id)
        .where(attempt.c.uuid == attempt_uuid)
        .order_by(session.c.started_at, session.c.session_id)
        .offset(first - 1)
        .limit(limit)
    )
    return _by_session(connection, _SUMMARY.where(recording_part.c.session_id.in_(shown)))


def summary(connection: Connection, session_id: str) -> RecordingSummary | None:
    """Return how much was recorded of a session, None where nothing was."""
    return _by_session(connection, _SUMMARY.where(recording_part.c.session_id == session_id)).get(session_id)


def _by_session(connection: Connection, query: Select[Any]) -> dict[str, RecordingSummary]:
    rows = connection.execute(query)
    return {str(row[0]): RecordingSummary(str(row[0]), int(row[1]), int(row[2]), int(row[3])) for row in rows}


def parts_of_commits(
    connection: Connection, spans: Mapping[str, tuple[int, int | None]]
) -> tuple[list[RecordedPart], bool]:
    """Return the parts with calls before commits, and whether there are more than `MAX_PARTS` of them.

    `spans` has by session the sequences of the first and the last commit; None: what follows all of them as well.
    """
    if not spans:
        return [], False
    within = (
        and_(
            recording_part.c.session_id == session_id,
            recording_part.c.last_commit >= first,
            *(() if last is None else (recording_part.c.first_commit <= last,)),
        )
        for session_id, (first, last) in spans.items()
    )
    rows = connection.execute(
        _PART.where(or_(*within))
        .order_by(recording_part.c.session_id, recording_part.c.first_number)
        .limit(MAX_PARTS + 1)
    ).all()
    return [_part(row) for row in rows[:MAX_PARTS]], len(rows) > MAX_PARTS


def last_sequences(connection: Connection, session_ids: list[str]) -> dict[str, int]:
    """Return the highest sequence of the commits of sessions, of those that have one."""
    rows = connection.execute(
        select(journal.c.session_id, func.max(journal.c.sequence))
        .where(journal.c.session_id.in_(session_ids), journal.c.sequence.is_not(None))
        .group_by(journal.c.session_id)
    )
    return {str(row[0]): int(row[1]) for row in rows}


def parts(connection: Connection, session_id: str, *, after: int = 0) -> Iterator[RecordedPart]:
    """Yield the parts of a session's recording that have calls behind a number, in their order, one at a time."""
    query = _PART.where(recording_part.c.session_id == session_id).order_by(recording_part.c.first_number).limit(1)
    while (row := connection.execute(query.where(recording_part.c.last_number > after)).one_or_none()) is not None:
        yield _part(row)
        after = row.last_number


def _part(row: Row[Any]) -> RecordedPart:
    return RecordedPart(str(row.session_id), row.first_number, row.last_number, row.started_at, bytes(row.calls))


def recorded_session(connection: Connection, session_id: str) -> RecordedSession | None:
    """Return whose session it is, None where there is none of this id."""
    columns: tuple[Any, ...] = (
        session.c.session_id, attempt.c.uuid, attempt.c.number, session.c.entry, attempt.c.scorm_version, lms.c.name,
        lms.c.home_page, enrollment.c.learner_id, enrollment.c.learner_name, enrollment.c.activity_id,
        enrollment.c.activity_name, enrollment.c.activity_type, enrollment.c.course_id, enrollment.c.course_name,
    )  # fmt: skip
    row = connection.execute(
        select(*columns)
        .select_from(session.join(attempt, attempt.c.id == session.c.attempt_id).join(enrollment).join(lms))
        .where(session.c.session_id == session_id)
    ).one_or_none()
    return None if row is None else RecordedSession(*row)
