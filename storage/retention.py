"""What is deleted when it has become old, found and deleted some rows at a time.

Each kind is looked through by its ids, which grow with time. Looking takes no lock; what is found is deleted in a short
transaction of its own, and is by then nobody else's. What commits need stays for ever: the digest, the sequence and the
idempotency key of each, by which a repeated one is known, and all states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Table, and_, delete, or_, select, update

from storage.deliveries import of_state
from storage.recording_tables import recording_part
from storage.states import DeliveryState
from storage.tables import audit_log, delivery, delivery_try, document_try, journal, refusal, statement, try_
from storage.webhook_tables import webhook_delivery

SCAN_SIZE = 500
"""Rows that are looked at in one query."""
_SETTLED = (DeliveryState.DELIVERED, DeliveryState.DISCARDED)
"""States of deliveries of which nothing more is to come."""


class Scan(NamedTuple):
    """What a look found: ids of rows to delete, the last id it looked at, and whether nothing older may follow."""

    ids: list[int]
    last_id: int
    is_end: bool


class Sweep(NamedTuple):
    """One kind of what becomes old.

    Attributes:
        find: looks at the rows after an id for those older than a time, in milliseconds since the epoch.
        remove: deletes, or empties, rows by their ids, and returns how many.
    """

    name: str
    find: Callable[[Connection, int, int], Scan]
    remove: Callable[[Connection, Sequence[int]], int]


def _find_commits(connection: Connection, after: int, before: int) -> Scan:
    has_content = or_(*(journal.c[name].is_not(None) for name in ("body", "response", "frame")))
    rows = connection.execute(
        select(journal.c.id, journal.c.received_at, has_content)
        .where(journal.c.id > after)
        .order_by(journal.c.id)
        .limit(SCAN_SIZE)
    ).all()
    return _scan([(row[0], row[1]) for row in rows], before, [row[0] for row in rows if row[2] and row[1] < before])


def _empty_commits(connection: Connection, ids: Sequence[int]) -> int:
    emptied = ("body", "response", "frame", "dictionary_id", "body_size", "request_metadata")
    values = dict.fromkeys(emptied, None)
    return connection.execute(update(journal).where(journal.c.id.in_(ids)).values(values)).rowcount


def _find_deliveries(connection: Connection, after: int, before: int) -> Scan:
    # as long as a commit can be told anew, it must be known who has its statements
    commit_is_empty = and_(journal.c.body.is_(None), journal.c.frame.is_(None), journal.c.duplicate_of.is_(None))
    rows = connection.execute(
        select(delivery.c.id, statement.c.created_at, delivery.c.state, delivery.c.settled_at, commit_is_empty)
        .select_from(
            delivery.join(
                statement,
                and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
            ).join(
                journal,
                and_(journal.c.session_id == statement.c.session_id, journal.c.number == statement.c.commit_number),
            )
        )
        .where(delivery.c.id > after)
        .order_by(delivery.c.id)
        .limit(SCAN_SIZE)
    ).all()
    ids = [row[0] for row in rows if row[2] in _SETTLED and (row[3] or before) < before and row[4]]
    return _scan([(row[0], row[1]) for row in rows], before, ids)


def _delete_deliveries(connection: Connection, ids: Sequence[int]) -> int:
    connection.execute(delete(delivery_try).where(delivery_try.c.delivery_id.in_(ids)))
    # people may have one sent again meanwhile
    settled = delivery.c.state.in_(_SETTLED)
    return connection.execute(delete(delivery).where(delivery.c.id.in_(ids), settled)).rowcount


def _find_tries(connection: Connection, after: int, before: int) -> Scan:
    rows = connection.execute(
        select(try_.c.id, try_.c.started_at).where(try_.c.id > after).order_by(try_.c.id).limit(SCAN_SIZE)
    ).all()
    old = [row.id for row in rows if row.started_at < before]
    # why a statement is dead is known as long as it is
    dead = *of_state(DeliveryState.DEAD), delivery.c.settled_by.in_(old)
    needed = set(connection.execute(select(delivery.c.settled_by).where(*dead)).scalars()) if old else set()
    return _scan([tuple(row) for row in rows], before, [try_id for try_id in old if try_id not in needed])


def _delete_tries(connection: Connection, ids: Sequence[int]) -> int:
    for table in (delivery_try, document_try):
        connection.execute(delete(table).where(table.c.try_id.in_(ids)))
    return connection.execute(delete(try_).where(try_.c.id.in_(ids))).rowcount


def _find_webhooks(connection: Connection, after: int, before: int) -> Scan:
    columns = ("id", "created_at", "state", "settled_at")
    rows = connection.execute(
        select(*(webhook_delivery.c[name] for name in columns))
        .where(webhook_delivery.c.id > after)
        .order_by(webhook_delivery.c.id)
        .limit(SCAN_SIZE)
    ).all()
    ids = [row.id for row in rows if row.state in _SETTLED and (row.settled_at or before) < before]
    return _scan([(row.id, row.created_at) for row in rows], before, ids)


def _delete_webhooks(connection: Connection, ids: Sequence[int]) -> int:
    settled = webhook_delivery.c.state.in_(_SETTLED)
    return connection.execute(delete(webhook_delivery).where(webhook_delivery.c.id.in_(ids), settled)).rowcount


def _of_log(
    table: Table, time: str = "at"
) -> tuple[Callable[[Connection, int, int], Scan], Callable[[Connection, Sequence[int]], int]]:
    """Return how old rows of a table are found and deleted that nothing refers to."""

    def find(connection: Connection, after: int, before: int) -> Scan:
        rows = connection.execute(
            select(table.c.id, table.c[time]).where(table.c.id > after).order_by(table.c.id).limit(SCAN_SIZE)
        ).all()
        return _scan([tuple(row) for row in rows], before, [row[0] for row in rows if row[1] < before])

    def remove(connection: Connection, ids: Sequence[int]) -> int:
        return connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount

    return find, remove


def _scan(rows: Sequence[tuple[int, int]], before: int, ids: list[int]) -> Scan:
    """Return what a look at rows of id and time found; where all are too new, so are those that follow."""
    is_end = len(rows) < SCAN_SIZE or all(time >= before for _, time in rows)
    return Scan(ids, rows[-1][0] if rows else 0, is_end)


COMMITS = Sweep("commits", _find_commits, _empty_commits)
"""Bodies and responses of commits; everything else of them stays."""
DELIVERIES = Sweep("deliveries", _find_deliveries, _delete_deliveries)
"""Deliveries that are delivered or discarded, of commits whose bodies are gone."""
TRIES = Sweep("tries", _find_tries, _delete_tries)
"""Requests to LRSs and what these answered, but for those that tell why a delivery is dead."""
WEBHOOKS = Sweep("webhooks", _find_webhooks, _delete_webhooks)
"""Events of webhooks that are delivered or discarded."""
RECORDINGS = Sweep("recordings", *_of_log(recording_part, "received_at"))
"""Calls of sessions that pages have recorded."""
REFUSALS = Sweep("refusals", *_of_log(refusal))
"""Refused requests."""
AUDIT_LOG = Sweep("audit_log", *_of_log(audit_log))
"""What people did."""
