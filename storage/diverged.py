"""Deliveries that met a statement of another history of this database: it was restored from an older backup, or copied.

Such a delivery is dead, and the last try of it came to `TryOutcome.DIVERGED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, select, update

from storage import frames
from storage.deliveries import of_state
from storage.queries.keyset import Count, up_to
from storage.schema import spelled_out
from storage.states import DeliveryState, TryOutcome
from storage.tables import attempt, delivery, statement, target_statement, try_

_IS_DIVERGED = try_.c.outcome == spelled_out(TryOutcome.DIVERGED)
_DEAD_AND_DIVERGED = (
    select(delivery.c.id).select_from(delivery.join(try_, try_.c.id == delivery.c.settled_by)).where(_IS_DIVERGED)
)


class DivergedDelivery(NamedTuple):
    """A delivery and its statement; `mapping_version_id` is of the version that made it.

    `own_body` is what the target gets in place of `body`, in a form that `form` describes; None where it gets `body`.
    """

    id: int
    target: str
    enrollment_id: int
    attempt_id: int
    position: int
    statement_id: str
    session_id: str
    commit_number: int
    mapping_version_id: int
    rule: str
    verb: str
    body: str
    form: str | None
    own_body: str | None


def count_by_target(connection: Connection, limit: int) -> dict[str, Count]:
    """Return target -> how many of its dead deliveries diverged, not counted further than `limit`; none where none."""
    targets = connection.execute(select(try_.c.target).where(_IS_DIVERGED).distinct()).scalars().all()
    counts = {
        target: up_to(
            connection, _DEAD_AND_DIVERGED.where(*of_state(DeliveryState.DEAD), delivery.c.target == target), limit
        )
        for target in targets
    }
    return {target: count for target, count in counts.items() if count.number}


def enrollment_ids(connection: Connection, delivery_ids: Sequence[int]) -> list[int]:
    """Return the ids of the enrollments that deliveries are of."""
    rows = connection.execute(
        select(attempt.c.enrollment_id)
        .select_from(delivery.join(attempt, attempt.c.id == delivery.c.attempt_id))
        .where(delivery.c.id.in_(delivery_ids))
        .distinct()
    )
    return sorted(rows.scalars())


def load(connection: Connection, delivery_ids: Sequence[int]) -> list[DivergedDelivery]:
    """Return those of some deliveries that are dead and diverged, in the order of their attempts' statements."""
    names = ("session_id", "commit_number", "mapping_version_id", "rule", "verb", "body")
    rows = connection.execute(
        select(
            delivery.c.id,
            delivery.c.target,
            attempt.c.enrollment_id,
            delivery.c.attempt_id,
            delivery.c.position,
            statement.c.id,
            *(statement.c[name] for name in names),
            target_statement.c.form,
            target_statement.c.body.label("own_body"),
            statement.c.frame,
            target_statement.c.frame.label("own_frame"),
        )
        .select_from(
            delivery.join(try_, try_.c.id == delivery.c.settled_by)
            .join(attempt, attempt.c.id == delivery.c.attempt_id)
            .join(
                statement,
                and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
            )
            .outerjoin(
                target_statement,
                and_(
                    target_statement.c.attempt_id == delivery.c.attempt_id,
                    target_statement.c.position == delivery.c.position,
                    target_statement.c.target == delivery.c.target,
                ),
            )
        )
        .where(delivery.c.id.in_(delivery_ids), *of_state(DeliveryState.DEAD), _IS_DIVERGED)
        .order_by(delivery.c.attempt_id, delivery.c.position, delivery.c.target)
    )
    return [
        DivergedDelivery._make(
            (
                *row[:11],
                frames.text_of(connection, row.body, row.frame),
                row.form,
                None if row.own_body is None else frames.text_of(connection, row.own_body, row.own_frame),
            )
        )
        for row in rows.all()
    ]


def statement_ids(connection: Connection, attempt_ids: Sequence[int]) -> dict[int, set[str]]:
    """Return attempt id -> the ids of all its statements."""
    ids: dict[int, set[str]] = {attempt_id: set() for attempt_id in attempt_ids}
    for row in connection.execute(
        select(statement.c.attempt_id, statement.c.id).where(statement.c.attempt_id.in_(ids))
    ):
        ids[row.attempt_id].add(row.id)
    return ids


def replace(connection: Connection, delivery_ids: Sequence[int], now: int) -> int:
    """Discard dead deliveries whose statements others take the place of, and return how many."""
    return connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(delivery_ids), *of_state(DeliveryState.DEAD))
        .values(state=DeliveryState.DISCARDED, settled_at=now)
    ).rowcount
