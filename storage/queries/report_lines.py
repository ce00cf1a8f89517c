"""What LMSs are told of an attempt or of one of its sessions: lines without bodies, so many at a time."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, select

from storage.queries.lookups import CommitLine, DeliveryLine
from storage.tables import delivery, document, document_delivery, journal, session, statement

T = TypeVar("T")

LINES = 500
"""Of each kind, at a time."""

_MAX_INTEGER = 2**31 - 1
"""What PostgreSQL's INTEGER holds: no position is beyond it."""


class ReportPage(NamedTuple, Generic[T]):
    """Rows, and the place of the last of them where there are more; the next ones are those after it."""

    rows: list[T]
    after: int | None


class AttemptScope(NamedTuple):
    """An attempt by the id of its row, or one session of it alone."""

    attempt_id: int
    session_id: str | None = None


class SessionReport(NamedTuple):
    """A session without its state."""

    session_id: str
    entry: str
    started_at: int
    last_commit_at: int | None
    ended_at: int | None
    ended: str | None
    source: str


class StatementReport(NamedTuple):
    """A statement without its JSON."""

    session_id: str
    id: str
    verb: str
    rule: str
    commit_number: int
    deliveries: tuple[DeliveryLine, ...]


class DocumentReport(NamedTuple):
    """A document without its content."""

    session_id: str
    name: str
    resource: str
    commit_number: int
    deliveries: tuple[DeliveryLine, ...]


def sessions(connection: Connection, attempt_id: int, after: int) -> ReportPage[SessionReport]:
    """Return an attempt's sessions in the order they began, behind the first `after` ones."""
    rows = connection.execute(
        select(*(session.c[name] for name in SessionReport._fields))
        .where(session.c.attempt_id == attempt_id)
        .order_by(session.c.started_at, session.c.session_id)
        .offset(after)
        .limit(LINES + 1)
    ).all()
    return ReportPage([SessionReport._make(row) for row in rows[:LINES]], after + LINES if len(rows) > LINES else None)


def commits(connection: Connection, scope: AttemptScope, after: int) -> ReportPage[CommitLine]:
    """Return commits in the order they were received, behind the place `after`."""
    place = journal.c.id + 0  # by the index on sessions, however long the journal is
    rows = connection.execute(
        select(place, *(journal.c[name] for name in CommitLine.__slots__))
        .where(journal.c.session_id.in_(_session_ids(scope)) if scope.session_id is None else _is(journal, scope))
        .where(place > after)
        .order_by(place)
        .limit(LINES + 1)
    ).all()
    return ReportPage([CommitLine(*row[1:]) for row in rows[:LINES]], rows[LINES - 1][0] if len(rows) > LINES else None)


def statements(connection: Connection, scope: AttemptScope, after: int) -> ReportPage[StatementReport]:
    """Return statements in their order, behind the position `after`, with their deliveries."""
    query = select(statement.c.position, *(statement.c[name] for name in StatementReport._fields[:-1])).where(
        statement.c.attempt_id == scope.attempt_id, statement.c.position > min(after, _MAX_INTEGER)
    )
    if scope.session_id is not None:
        query = query.where(_is(statement, scope))
    rows = connection.execute(query.order_by(statement.c.position).limit(LINES + 1)).all()
    shown = rows[:LINES]
    ways: dict[int, list[DeliveryLine]] = {row.position: [] for row in shown}
    if shown:
        for row in connection.execute(
            select(delivery.c.position, *(delivery.c[name] for name in ("target", "state", "tries", "settled_at")))
            .where(
                delivery.c.attempt_id == scope.attempt_id,
                delivery.c.position.between(shown[0].position, shown[-1].position),
            )
            .order_by(delivery.c.id)
        ):
            if row.position in ways:
                ways[row.position].append(DeliveryLine(*row[1:]))
    lines = [StatementReport._make((*row[1:], tuple(ways[row.position]))) for row in shown]
    return ReportPage(lines, shown[-1].position if len(rows) > LINES else None)


def documents(connection: Connection, scope: AttemptScope) -> list[DocumentReport]:
    """Return the documents that an attempt or session changed last: as many at most as the mapping document has."""
    query = select(document.c.id, *(document.c[name] for name in DocumentReport._fields[:-1])).where(
        document.c.attempt_id == scope.attempt_id
    )
    if scope.session_id is not None:
        query = query.where(_is(document, scope))
    rows = connection.execute(query.order_by(document.c.name, document.c.id)).all()
    ways: dict[str, list[DeliveryLine]] = {row.id: [] for row in rows}
    names = ("target", "state", "tries", "settled_at")
    for row in connection.execute(
        select(document_delivery.c.document_id, *(document_delivery.c[name] for name in names))
        .where(document_delivery.c.document_id.in_(ways))
        .order_by(document_delivery.c.target)
    ):
        ways[row.document_id].append(DeliveryLine(*row[1:]))
    return [DocumentReport._make((*row[1:], tuple(ways[row.id]))) for row in rows]


def _is(table: Any, scope: AttemptScope) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.c.session_id == scope.session_id
    return condition


def _session_ids(scope: AttemptScope) -> Any:
    return select(session.c.session_id).where(session.c.attempt_id == scope.attempt_id)
