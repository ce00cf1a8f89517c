"""Sessions as people look for them: those of the attempt first that had the newest commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from storage.attempts import IS_OPEN
from storage.queries.enrollment_filter import AttemptFilter, narrowed, of_attempt
from storage.queries.keyset import PAGE_SIZE, KeysetOrder, ResultPage, ScanLimit
from storage.tables import attempt, enrollment, lms, session


class SessionRow(NamedTuple):
    """A session in a list, with whose it is. `ended` is None while it is open; `commits` counts what it had."""

    session_id: str
    attempt_id: str
    attempt_number: int
    registration: str
    lms: str
    learner_id: str
    learner_name: str
    activity_id: str
    activity_name: str
    entry: str
    commits: int
    started_at: int
    last_commit_at: int | None
    ended_at: int | None
    ended: str | None
    source: str


_ROWS: Select[Any] = select(
    session.c.session_id,
    attempt.c.uuid,
    attempt.c.number,
    enrollment.c.registration,
    lms.c.name,
    *(enrollment.c[name] for name in SessionRow._fields[5:9]),
    *(session.c[name] for name in SessionRow._fields[9:]),
).select_from(session.join(attempt).join(enrollment).join(lms))
_OF_ATTEMPTS = KeysetOrder(attempt.c.last_commit_at, attempt.c.id, session.c.session_id)
_LATEST_OPENED = KeysetOrder(session.c.started_at, session.c.session_id)


def search(
    connection: Connection, selection: AttemptFilter, *, after: str | None = None, limit: int = PAGE_SIZE
) -> ResultPage[SessionRow]:
    """Return a page of sessions. What the filter tells of status and time is about their attempts.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, is_few = narrowed(connection, _ROWS, selection, attempt.c.enrollment_id)
    query = query.where(*of_attempt(selection))
    return _OF_ATTEMPTS.page(connection, query, SessionRow, ScanLimit(selection.span, is_few), after=after, limit=limit)


def open_ones(connection: Connection, *, after: str | None = None, limit: int = PAGE_SIZE) -> ResultPage[SessionRow]:
    """Return a page of sessions that have not ended, those first that began last.

    Raises:
        ValueError: `after` is no cursor of this list.
    """
    return _LATEST_OPENED.page(connection, _ROWS, SessionRow, ScanLimit(among=IS_OPEN), after=after, limit=limit)


def find(connection: Connection, session_id: str) -> SessionRow | None:
    """Return a session, None where there is none of this id."""
    row = connection.execute(_ROWS.where(session.c.session_id == session_id)).one_or_none()
    return None if row is None else SessionRow(*row)


def of_ids(connection: Connection, session_ids: Iterable[str]) -> dict[str, SessionRow]:
    """Return the known ones of some sessions, by their ids."""
    rows = connection.execute(_ROWS.where(session.c.session_id.in_(sorted({*session_ids}))))
    return {row[0]: SessionRow(*row) for row in rows}
