"""Deliveries that wait for no target in particular: none was configured when their statements were made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, exists, select, tuple_, update

from storage import frames, target_statements
from storage.outbox import LATE, SHARDS, UNASSIGNED, insert_deliveries
from storage.prepared import Write, write
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import attempt, delivery, statement
from storage.target_statements import TargetStatement


class UnassignedDelivery(NamedTuple):
    """A delivery that waits for no target in particular, and its statement."""

    id: int
    enrollment_id: int
    attempt_id: int
    position: int
    session_id: str
    mapping_version_id: int
    rule: str
    problem: str | None
    body: str


def load(connection: Connection, limit: int) -> list[UnassignedDelivery]:
    """Return deliveries that wait for no target in particular, the oldest first, at most `limit`."""
    rows = connection.execute(
        select(
            delivery.c.id,
            attempt.c.enrollment_id,
            *(statement.c[name] for name in UnassignedDelivery._fields[2:]),
            statement.c.frame,
        )
        .select_from(
            delivery.join(
                statement,
                and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
            ).join(attempt, attempt.c.id == delivery.c.attempt_id)
        )
        .where(delivery.c.target == UNASSIGNED, delivery.c.state == spelled_out(DeliveryState.WAITING))
        .order_by(delivery.c.id)
        .limit(limit)
    )
    return [
        UnassignedDelivery._make((*row[:-2], frames.text_of(connection, row.body, row.frame))) for row in rows.all()
    ]


def assign(
    connection: Connection, receivers: Mapping[UnassignedDelivery, Sequence[str]], forms: Sequence[TargetStatement]
) -> dict[tuple[int, int, str], int]:
    """Assign deliveries that wait for no target in particular to their receivers, with the forms that these get.

    The first receiver takes the delivery over, others get one of their own; without any it is dropped. Return the ids
    by attempt, position and target.
    """
    write(connection, [target_statements.adding(connection, forms)])
    by_target: dict[str, list[int]] = {}
    for waiting, names in receivers.items():
        by_target.setdefault(names[0] if names else UNASSIGNED, []).append(waiting.id)
    unwanted = by_target.pop(UNASSIGNED, [])
    connection.execute(delete(delivery).where(delivery.c.id.in_(unwanted), delivery.c.target == UNASSIGNED))
    for target, ids in by_target.items():
        connection.execute(
            update(delivery).where(delivery.c.id.in_(ids), delivery.c.target == UNASSIGNED).values(target=target)
        )
    copies = [
        (
            target,
            waiting.attempt_id,
            waiting.position,
            waiting.attempt_id % SHARDS,
            DeliveryState.WAITING.value,
            0,
            LATE,
        )
        for waiting, names in receivers.items()
        for target in names[1:]
    ]
    write(connection, [Write(insert_deliveries, copies)])
    keys = {(waiting.attempt_id, waiting.position) for waiting in receivers}
    rows = connection.execute(
        select(delivery.c.id, delivery.c.attempt_id, delivery.c.position, delivery.c.target).where(
            tuple_(delivery.c.attempt_id, delivery.c.position).in_(keys)
        )
    )
    return {(row.attempt_id, row.position, row.target): row.id for row in rows}


def assign_waiting(connection: Connection, target: str, unwanted: Collection[str] = ()) -> int:
    """Return the deliveries that wait for no target in particular to this one; return how many.

    Those of statements of unwanted rules are forgotten, as if the target had been there when they were made.
    """
    waits = delivery.c.target == UNASSIGNED, delivery.c.state == spelled_out(DeliveryState.WAITING)
    if unwanted:
        of_unwanted = exists().where(
            statement.c.attempt_id == delivery.c.attempt_id,
            statement.c.position == delivery.c.position,
            statement.c.rule.in_(unwanted),
        )
        connection.execute(delete(delivery).where(*waits, of_unwanted))
    return connection.execute(update(delivery).where(*waits).values(target=target)).rowcount


def any_waits(connection: Connection) -> bool:
    """Return whether deliveries wait for no target in particular."""
    query = (
        select(delivery.c.id)
        .where(delivery.c.target == UNASSIGNED, delivery.c.state == spelled_out(DeliveryState.WAITING))
        .limit(1)
    )
    return connection.execute(query).first() is not None
