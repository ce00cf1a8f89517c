"""The audit log: what people did to targets, deliveries, mappings, tokens and accounts. Rows are only ever added."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select

from storage.queries.keyset import KeysetOrder, ResultPage, ScanLimit, TimeSpan
from storage.tables import audit_log


class AuditEntry(NamedTuple):
    """Who did what, when (milliseconds since the epoch), to how many of what (`affected`), and why.

    `subject` is the name of a target or an account, or the filter by which deliveries were chosen, as JSON. `action` is
    one word or several with hyphens (`pause`, `make-account`).
    """

    at: int
    by: str
    action: str
    subject: str
    affected: int
    reason: str


class NumberedEntry(NamedTuple):
    """An entry and its number."""

    id: int
    entry: AuditEntry


class AuditFilter(NamedTuple):
    """Which entries: those that meet every field set. `subject` is a part of theirs; times are ms since the epoch."""

    by: str = ""
    action: str = ""
    subject: str = ""
    since: int | None = None
    until: int | None = None


_COLUMNS = tuple(audit_log.c[name] for name in AuditEntry._fields)
_NEWEST = KeysetOrder(audit_log.c.id)


def append(connection: Connection, entry: AuditEntry) -> None:
    """Store an entry."""
    connection.execute(insert(audit_log).values(entry._asdict()))


def latest_id(connection: Connection) -> int:
    """Return the number of the latest entry, 0 where there is none."""
    return connection.execute(select(func.max(audit_log.c.id))).scalar_one() or 0


def newest(connection: Connection, limit: int = 100) -> list[AuditEntry]:
    """Return the newest entries, the last one first."""
    rows = connection.execute(select(*_COLUMNS).order_by(audit_log.c.id.desc()).limit(limit))
    return [AuditEntry(*row) for row in rows]


def search(
    connection: Connection, filter_: AuditFilter, *, after: str | None = None, limit: int = 50
) -> ResultPage[NumberedEntry]:
    """Return a page of entries, the newest first.

    Raises:
        CursorError: `after` is no cursor of these pages.
    """
    query = select(audit_log.c.id, *_COLUMNS)
    if filter_.by:
        query = query.where(audit_log.c.by == filter_.by)
    if filter_.action:
        query = query.where(audit_log.c.action == filter_.action)
    if filter_.subject:
        query = query.where(audit_log.c.subject.contains(filter_.subject, autoescape=True))
    query = query.where(*TimeSpan(filter_.since, filter_.until).of(audit_log.c.at))
    return _NEWEST.page(connection, query, _numbered, ScanLimit(), after=after or None, limit=limit)


def _numbered(number: int, *columns: Any) -> NumberedEntry:
    return NumberedEntry(number, AuditEntry(*columns))


def actions(connection: Connection) -> list[str]:
    """Return the actions that there are entries of."""
    return list(connection.execute(select(audit_log.c.action).distinct().order_by(audit_log.c.action)).scalars())
