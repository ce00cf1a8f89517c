"""Recordings of sessions: stored part by part, within bounds, each call once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from storage.engine import insert_for
from storage.recording_tables import recording_part
from storage.tables import session

MAX_CALLS = 10_000
"""Calls that are kept of a session: the first ones."""
MAX_BYTES = 2 * 1024 * 1024
"""Bytes of them, as JSON."""


@dataclass(frozen=True, slots=True)
class NewPart:
    """Calls to be stored, in the order of their numbers.

    Attributes:
        started_at: when their times are counted from, by the page's clock, in ms since the epoch.
        made: how many calls the session has had by then.
        received_at: in ms since the epoch.
        calls: number, number of the commit that follows, and JSON of each.
    """

    session_id: str
    started_at: int
    made: int
    received_at: int
    calls: Collection[tuple[int, int, bytes]]


def add_part(connection: Connection, part: NewPart) -> int:
    """Store what is new of a part, and return how many calls that is; none of a session that is not there."""
    if connection.execute(select(session.c.session_id).where(session.c.session_id == part.session_id)).first() is None:
        return 0
    its = recording_part.c.session_id == part.session_id
    stored = connection.execute(
        select(
            recording_part.c.id,
            recording_part.c.first_number,
            recording_part.c.last_number,
            recording_part.c.call_count,
            recording_part.c.size,
            recording_part.c.made,
        ).where(its)
    ).all()
    calls = _new_calls(
        part,
        [range(row.first_number, row.last_number + 1) for row in stored],
        room=MAX_CALLS - sum(row.call_count for row in stored),
        room_bytes=MAX_BYTES - sum(row.size for row in stored),
    )
    if calls or not stored:
        numbers, commits = [call[0] for call in calls] or [0], [call[1] for call in calls] or [0]
        body = b"[%b]" % b",".join(call[2] for call in calls)
        values = {
            "session_id": part.session_id,
            "first_number": numbers[0],
            "last_number": numbers[-1],
            "first_commit": min(commits),
            "last_commit": max(commits),
            "call_count": len(calls),
            "made": part.made,
            "size": len(body),
            "started_at": part.started_at,
            "received_at": part.received_at,
            "calls": body,
        }
        # another process may have stored it meanwhile
        connection.execute(insert_for(connection, recording_part).values(values).on_conflict_do_nothing())
    elif part.made > max(row.made for row in stored):
        newest = max(row.id for row in stored)
        connection.execute(update(recording_part).where(recording_part.c.id == newest).values(made=part.made))
    return len(calls)


def _new_calls(part: NewPart, known: Collection[range], *, room: int, room_bytes: int) -> list[tuple[int, int, bytes]]:
    calls: list[tuple[int, int, bytes]] = []
    for call in part.calls:
        if any(call[0] in numbers for numbers in known):
            continue
        room -= 1
        room_bytes -= len(call[2]) + 1
        if room < 0 or room_bytes < 0:
            break
        calls.append(call)
    return calls
