"""The journal: every commit as it was received, and what became of it.

Rows are only added. Retention empties old ones of their content, and erasing a learner deletes theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, or_, select

from storage import frames
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


_insert = insert_into(journal, (*JournalEntry._fields, "body_size", "dictionary_id", "frame"))
BODY_SIZE = func.coalesce(journal.c.body_size, func.length(journal.c.body))
"""Bytes of a commit's body, in whichever form it is stored; null where it is another commit's, or was removed."""


class StoredContent(NamedTuple):
    """What is stored of a commit's response and body; what was removed, or never was there, is None."""

    response: str | None
    body: bytes | None


class PriorEntry(NamedTuple):
    """What is asked of an earlier commit: enough to tell whether a new one repeats it."""

    number: int
    digest: str
    sequence: int | None
    idempotency_key: str | None


_EARLIER = select(*(journal.c[name] for name in PriorEntry._fields)).where(journal.c.duplicate_of.is_(None))


def appending(connection: Connection, entries: Sequence[JournalEntry]) -> Write:
    """Return what adds commits, their responses and bodies in frames."""
    contents = [(entry.mapping_version_id, pack(entry.response, entry.body)) for entry in entries]
    rows: list[tuple[Any, ...]] = []
    for entry, frame in zip(entries, frames.compress(connection, contents), strict=True):
        if frame.content is None:
            rows.append((*entry, None, *frame))
        else:
            size = None if entry.body is None else len(entry.body)
            rows.append((*entry[:10], None, None, *entry[12:], size, *frame))
    return Write(_insert, rows)


def pack(response: str | None, body: bytes | None) -> bytes:
    """Return a response and a body as one text; nothing without a body, which is stored as it is."""
    return b"" if body is None else (response or "").encode() + b"\n" + body


def content_of(connection: Connection, response: str | None, body: bytes | None, frame: bytes | None) -> StoredContent:
    """Return a commit's response and body, given its columns."""
    if frame is None:
        return StoredContent(response, None if body is None else bytes(body))
    # JSON has no line breaks
    text, _, content = frames.decompress(connection, frame).partition(b"\n")
    return StoredContent(text.decode() or None, content)


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
    row = connection.execute(
        select(journal.c.response, journal.c.body, journal.c.frame).where(
            journal.c.session_id == session_id, journal.c.number == number
        )
    ).one()
    return content_of(connection, *row).response
