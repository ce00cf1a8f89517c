"""What targets are to remove for erasures: statements to void and documents to delete, until each has done so.

A removal is a row as long as it waits, and only counted afterwards: a document's parameters name the learner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, literal, select, update

from storage import leases
from storage.erasure_tables import STATEMENTS, removal
from storage.erasures import add_target_counts
from storage.outbox import ShardLease, truncate_answer
from storage.tables import lease


class NewRemoval(NamedTuple):
    """A removal to store; `body` is the voiding statement, or the parameters of the document, as JSON."""

    erasure_id: int
    target: str
    resource: str
    body: str


class ClaimedRemoval(NamedTuple):
    """A removal that may be tried now."""

    id: int
    erasure_id: int
    resource: str
    body: str
    created_at: int
    tries: int


def add(connection: Connection, removals: Sequence[NewRemoval], now: int) -> None:
    """Store removals; they may be tried at once."""
    if removals:
        common = {"created_at": now, "tries": 0, "not_before": 0, "answer": ""}
        connection.execute(insert(removal), [entry._asdict() | common for entry in removals])


def claim(connection: Connection, part: ShardLease, *, now: int, limit: int) -> list[ClaimedRemoval]:
    """Return removals that may be tried now, the oldest first; none where the process does not hold the lease."""
    rows = connection.execute(
        select(*(removal.c[name] for name in ClaimedRemoval._fields))
        .where(
            removal.c.target == part.target,
            removal.c.not_before <= now,
            leases.holds(connection.dialect.name, literal(part.lease), literal(part.owner, lease.c.owner.type)),
        )
        .order_by(removal.c.id)
        .limit(limit)
    )
    return [ClaimedRemoval._make(row) for row in rows]


def settle(connection: Connection, target: str, done: Sequence[ClaimedRemoval]) -> None:
    """Count removals that the target has done, and forget what they were."""
    ids = [entry.id for entry in done]
    present = set(connection.execute(select(removal.c.id).where(removal.c.id.in_(ids)).with_for_update()).scalars())
    connection.execute(delete(removal).where(removal.c.id.in_(present)))
    counts: Counter[tuple[int, str]] = Counter(
        (entry.erasure_id, "voided" if entry.resource == STATEMENTS else "deleted")
        for entry in done
        if entry.id in present
    )
    for (erasure_id, name), count in sorted(counts.items()):
        add_target_counts(connection, erasure_id, target, {name: count})


def postpone(connection: Connection, ids: Sequence[int], not_before: int, answer: str) -> None:
    """Note a try that removed nothing, and when the next one may be; `answer` is what the target said."""
    connection.execute(
        update(removal)
        .where(removal.c.id.in_(ids))
        .values(tries=removal.c.tries + 1, not_before=not_before, answer=truncate_answer(answer))
    )


def hurry(connection: Connection, target: str) -> int:
    """Retry what waits for a target after a try at once; return how many removals that is."""
    waits = removal.c.target == target, removal.c.tries > 0
    return connection.execute(update(removal).where(*waits).values(not_before=0)).rowcount


def keep(connection: Connection, targets: Collection[str], limit: int = 1_000) -> int:
    """Drop what waits for targets that keep what they have by now, at most so much; return how much it was."""
    rows = connection.execute(
        select(removal.c.id, removal.c.erasure_id, removal.c.target).where(removal.c.target.in_(targets)).limit(limit)
    ).all()
    connection.execute(delete(removal).where(removal.c.id.in_([row.id for row in rows])))
    for (erasure_id, target), count in sorted(Counter((row.erasure_id, row.target) for row in rows).items()):
        add_target_counts(connection, erasure_id, target, {"kept": count})
    return len(rows)
