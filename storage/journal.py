"""The journal: every commit as it was received, and what became of it.

Rows are only added. Retention empties old ones of their content, and erasing a learner deletes theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from storage.prepared import Write, insert_into
from storage.tables import journal


class JournalEntry(NamedTuple):
    """One commit on its way into the journal.

    `response` is JSON, None for a duplicate; `body` is None where it is, byte for byte, that of the commit
    `duplicate_of`; `request_metadata` is JSON of what the request had beside its body, None where it had nothing.
    """

    session_id: str
    number: int
    received_at: int
    wire_format: str
    content_type: str
    disposition: str
    duplicate_of: int | None
    digest: str
    sequence: int | None
    idempotency_key: str | None
    response: str | None
    body: bytes | None
    request_metadata: str | None
    mapping_version_id: int


_insert = insert_into(journal, JournalEntry._fields)


class PriorEntry(NamedTuple):
    """What is asked of an earlier commit: enough to tell whether a new one repeats it."""

    number: int
    digest: str
    sequence: int | None
    idempotency_key: str | None


_EARLIER = select(*(journal.c[name] for name in PriorEntry._fields)).where(journal.c.duplicate_of.is_(None))


def appending(entries: Sequence[JournalEntry]) -> Write:
    """Return what adds commits."""
    return Write(_insert, entries)


def earlier(
    connection: Connection, session_id: str, *, digest: str, sequence: int | None, idempotency_key: str | None
) -> list[PriorEntry]:
    """Return the commits of a session that have this digest, sequence or key, but for those that repeat another."""
    same = [journal.c.digest == digest]
    if sequence is not None:
        same.append(journal.c.sequence == sequence)
    if idempotency_key is not None:
        same.append(journal.c.idempotency_key == idempotency_key)
    rows = connection.execute(_EARLIER.where(journal.c.session_id == session_id, or_(*same)).order_by(journal.c.number))
    return [PriorEntry(*row) for row in rows]


def last_number(connection: Connection, session_id: str) -> int:
    """Return the number of a session's last commit that repeats no other; 0 where there is none."""
    query = select(func.max(journal.c.number)).where(
        journal.c.session_id == session_id, journal.c.duplicate_of.is_(None)
    )
    return connection.execute(query).scalar_one() or 0


def response(connection: Connection, session_id: str, number: int) -> str | None:
    """Return the response to a commit, as JSON, None where it was removed as it had become old."""
    stored: str | None = connection.execute(
        select(journal.c.response).where(journal.c.session_id == session_id, journal.c.number == number)
    ).scalar_one()
    return stored
