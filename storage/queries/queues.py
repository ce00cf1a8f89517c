"""What waits for each target and what is in trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from storage import diverged
from storage.deliveries import of_state
from storage.erasure_tables import removal
from storage.outbox import SHARDS
from storage.queries.keyset import Count, up_to
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import delivery, document_delivery, statement


class Queue(NamedTuple):
    """What a target's deliveries come to; `oldest` is when the statement that waits longest was made.

    `diverged` are those of the dead that met a statement of another history of the database at the target. `removals`
    are what the target has still to remove for erasures, `oldest_removal` when the first of these was asked for.
    """

    waiting: Count = Count(0)
    dead: Count = Count(0)
    quarantined: Count = Count(0)
    waiting_documents: Count = Count(0)
    dead_documents: Count = Count(0)
    oldest: int | None = None
    diverged: Count = Count(0)
    removals: Count = Count(0)
    oldest_removal: int | None = None


COUNTED = 100_000
"""Rows of a queue up to which they are counted."""


def queues(connection: Connection, limit: int = COUNTED) -> dict[str, Queue]:
    """Return target -> its queue, for targets that anything waits for or is in trouble at.

    No number is counted further than `limit`.
    """
    counted = {
        "waiting": _by_target(connection, delivery.c.target, of_state(DeliveryState.WAITING), limit),
        "dead": _by_target(connection, delivery.c.target, of_state(DeliveryState.DEAD), limit),
        "quarantined": _by_target(connection, delivery.c.target, of_state(DeliveryState.QUARANTINED), limit),
        "waiting_documents": _by_target(
            connection, document_delivery.c.target, document_state(DeliveryState.WAITING), limit
        ),
        "diverged": diverged.count_by_target(connection, limit),
        "dead_documents": _by_target(connection, document_delivery.c.target, document_state(DeliveryState.DEAD), limit),
        "removals": _by_target(connection, removal.c.target, (), limit),
    }
    names: set[str] = set().union(*counted.values())
    by_target = {}
    for target in sorted(names):
        numbers: Mapping[str, Any] = {name: its[target] for name, its in counted.items() if target in its}
        oldest = _oldest(connection, target) if target in counted["waiting"] else None
        oldest_removal = _oldest_removal(connection, target) if target in counted["removals"] else None
        by_target[target] = Queue(**numbers, oldest=oldest, oldest_removal=oldest_removal)
    return by_target


def document_state(state: str) -> list[ColumnElement[bool]]:
    """Return the condition of a document's delivery, so that the indexes which have it are used."""
    value = spelled_out(state) if state in {DeliveryState.WAITING, DeliveryState.DEAD} else state
    return [document_delivery.c.state == value]


def targets(
    connection: Connection, target: ColumnElement[str], conditions: Sequence[ColumnElement[bool]]
) -> Iterator[str]:
    """Return the targets of some deliveries in their order.

    They are what the index begins with: from one target it goes to the next without reading between.
    """
    first = select(func.min(target)).where(*conditions)
    name: str | None = connection.execute(first).scalar_one()
    while name is not None:
        yield name
        name = connection.execute(first.where(target > name)).scalar_one()


def _by_target(
    connection: Connection, target: ColumnElement[str], conditions: Sequence[ColumnElement[bool]], limit: int
) -> dict[str, Count]:
    return {
        name: up_to(connection, select(target).where(*conditions, target == name), limit)
        for name in targets(connection, target, conditions)
    }


def _oldest(connection: Connection, target: str) -> int | None:
    """Return when the first waiting delivery's statement was made: the first one of each shard, by the index."""
    firsts = [
        connection.execute(
            select(func.min(delivery.c.id)).where(
                delivery.c.target == target, delivery.c.shard == shard, *of_state(DeliveryState.WAITING)
            )
        ).scalar_one()
        for shard in range(SHARDS)
    ]
    query = (
        select(func.min(statement.c.created_at))
        .select_from(
            delivery.join(
                statement,
                and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
            )
        )
        .where(delivery.c.id.in_([delivery_id for delivery_id in firsts if delivery_id is not None]))
    )
    created_at: int | None = connection.execute(query).scalar_one()
    return created_at


def _oldest_removal(connection: Connection, target: str) -> int | None:
    """Return when the first removal that waits was asked for, by the index."""
    first = select(func.min(removal.c.created_at)).where(removal.c.target == target)
    created_at: int | None = connection.execute(first).scalar_one()
    return created_at
