"""The audit log: what people did to targets, deliveries, mappings, tokens, accounts and learners.

Rows are only ever added, but for the ids of erased learners, which are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, insert, or_, select, update

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


ERASED = "(erased)"
"""What stands in place of an erased learner's id."""


def naming(connection: Connection, mark: str, lms: str | None, limit: int) -> list[int]:
    """Return the ids of entries whose subject, which is JSON, names a learner by `mark`; at most so many.

    With an LMS, entries that name another one are left out.
    """
    query = select(audit_log.c.id).where(audit_log.c.subject.contains(mark, autoescape=True))
    if lms is not None:
        of_lms = audit_log.c.subject.contains(f'"lms":{msgspec.json.encode(lms).decode()}', autoescape=True)
        query = query.where(or_(of_lms, ~audit_log.c.subject.contains('"lms":"', autoescape=True)))
    return list(connection.execute(query.order_by(audit_log.c.id).limit(limit)).scalars())


def redact(connection: Connection, ids: Sequence[int], mark: str) -> None:
    """Put `ERASED` in place of a learner's id in the subjects of entries."""
    redacted = func.replace(audit_log.c.subject, mark, f'"learner":"{ERASED}"')
    connection.execute(update(audit_log).where(audit_log.c.id.in_(ids)).values(subject=redacted))
