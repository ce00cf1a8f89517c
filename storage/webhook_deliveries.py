"""The outbox of webhooks: events of learners' results, one delivery for each endpoint that gets them.

A delivery is `waiting` until the endpoint has taken it (`delivered`) or refused it again and again (`dead`), or people
gave it up (`discarded`). Claiming one leaves no mark: what a killed process had on its way is still waiting, and sent
again under the same id. Those of an enrollment are sent in their order, each when the one before it is settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    literal,
    or_,
    select,
    update,
)

from storage import leases
from storage.outbox import MAX_WAIT, truncate_answer
from storage.prepared import Prepared, Write
from storage.queries.keyset import Count, CursorError, ResultPage, cut, decode, up_to
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import enrollment, lease, lms
from storage.webhook_tables import webhook_delivery, webhook_endpoint

_WAITING: ColumnElement[str] = spelled_out(DeliveryState.WAITING)


class NewWebhookDelivery(NamedTuple):
    """A delivery to store; `enrollment_id` is None where it is of a learner who was erased."""

    endpoint_id: int
    enrollment_id: int | None
    message_id: str
    type: str
    body: str
    created_at: int
    not_before: int = 0


class ClaimedWebhookDelivery(NamedTuple):
    """A delivery that may be tried now."""

    id: int
    enrollment_id: int | None
    message_id: str
    type: str
    body: str
    tries: int
    refusals: int


class WebhookSettlement(NamedTuple):
    """What a try means for a delivery: its new state, and when it may be tried again. Times are in milliseconds.

    `status` is None where no answer came; `answer` then says what happened instead.
    """

    delivery_id: int
    state: DeliveryState
    tried_at: int
    settled_at: int | None
    not_before: int
    is_refusal: bool
    status: int | None
    answer: str


class WebhookDelivery(NamedTuple):
    """A delivery as people see it."""

    id: int
    endpoint: str
    lms: str
    learner_id: str | None
    activity_id: str | None
    message_id: str
    type: str
    body: str
    created_at: int
    state: str
    tries: int
    not_before: int
    tried_at: int | None
    status: int | None
    answer: str
    settled_at: int | None


class WebhookCounts(NamedTuple):
    """What waits for an endpoint and what is dead, and when the oldest that waits was made."""

    waiting: Count
    dead: Count
    oldest: int | None


_insert = Prepared(
    {name: webhook_delivery.c[name] for name in (*NewWebhookDelivery._fields, "state", "tries", "refusals", "answer")},
    # the endpoint may have been removed since this process last looked
    lambda rows: rows.insert(webhook_delivery, condition=exists().where(webhook_endpoint.c.id == rows["endpoint_id"])),
)


def adding(deliveries: Sequence[NewWebhookDelivery]) -> Write:
    """Return what adds deliveries, in their order."""
    return Write(_insert, [(*delivery, DeliveryState.WAITING.value, 0, 0, "") for delivery in deliveries])


def add(connection: Connection, deliveries: Sequence[NewWebhookDelivery]) -> None:
    """Store deliveries."""
    write = adding(deliveries)
    write.statement.run(connection, write.rows)


def claim(
    connection: Connection, endpoint_id: int, *, lease_name: str, owner: str, now: int, limit: int
) -> list[ClaimedWebhookDelivery]:
    """Return deliveries that may be tried now, the oldest first and at most one of each enrollment.

    None where the process does not hold the lease.
    """
    before = webhook_delivery.alias("before")
    # with a limit, PostgreSQL looks it up for each delivery in turn
    held_back = (
        select(before.c.id)
        .where(
            before.c.enrollment_id == webhook_delivery.c.enrollment_id,
            before.c.endpoint_id == webhook_delivery.c.endpoint_id,
            before.c.id < webhook_delivery.c.id,
            before.c.state == _WAITING,
        )
        .limit(1)
        .scalar_subquery()
    )
    not_before = webhook_delivery.c.not_before
    rows = connection.execute(
        select(*(webhook_delivery.c[name] for name in ClaimedWebhookDelivery._fields))
        .where(
            webhook_delivery.c.endpoint_id == endpoint_id,
            webhook_delivery.c.state == _WAITING,
            # nothing is asked to wait for so long: the clock was set back meanwhile
            or_(not_before <= now, not_before > now + MAX_WAIT),
            held_back.is_(None),
            leases.holds(connection.dialect.name, literal(lease_name), literal(owner, lease.c.owner.type)),
        )
        .order_by(webhook_delivery.c.id)
        .limit(limit)
    )
    return [ClaimedWebhookDelivery._make(row) for row in rows]


def settle(connection: Connection, settlements: Sequence[WebhookSettlement], *, forgotten: Sequence[str] = ()) -> None:
    """Store the results of tries; what people or an erasure did to a delivery meanwhile stays as it is.

    Delivered ones of `forgotten` types are deleted: they name a person who is not to be known any more.
    """
    values = [
        {
            "key": entry.delivery_id,
            "new_state": entry.state.value,
            "at": entry.tried_at,
            "settled": entry.settled_at,
            "next_try": entry.not_before,
            "refused": int(entry.is_refusal),
            "new_status": entry.status,
            "said": truncate_answer(entry.answer),
        }
        for entry in settlements
    ]
    if not values:
        return
    connection.execute(_settlement, values)
    done = [entry.delivery_id for entry in settlements if entry.state is DeliveryState.DELIVERED]
    if done and forgotten:
        connection.execute(
            delete(webhook_delivery).where(webhook_delivery.c.id.in_(done), webhook_delivery.c.type.in_(forgotten))
        )


_settlement = (
    update(webhook_delivery)
    .where(webhook_delivery.c.id == bindparam("key"), webhook_delivery.c.state == _WAITING)
    .values(
        state=bindparam("new_state"),
        tries=webhook_delivery.c.tries + 1,
        refusals=webhook_delivery.c.refusals + bindparam("refused"),
        not_before=bindparam("next_try"),
        tried_at=bindparam("at"),
        settled_at=bindparam("settled"),
        status=bindparam("new_status"),
        answer=bindparam("said"),
    )
)


def hurry(connection: Connection, endpoint_id: int) -> int:
    """Retry what waits for an endpoint after a try at once; return how many deliveries that is."""
    its = webhook_delivery.c.endpoint_id == endpoint_id, webhook_delivery.c.state == _WAITING
    tried = webhook_delivery.c.tries > 0
    return connection.execute(update(webhook_delivery).where(*its, tried).values(not_before=0)).rowcount


def retry_dead(connection: Connection, endpoint_id: int, message_id: str | None = None) -> int:
    """Let dead deliveries to an endpoint wait again, all or one; return how many there were."""
    values = {"state": DeliveryState.WAITING.value, "not_before": 0, "refusals": 0, "settled_at": None}
    return connection.execute(update(webhook_delivery).where(_dead(endpoint_id, message_id)).values(values)).rowcount


def discard_dead(connection: Connection, endpoint_id: int, now: int, message_id: str | None = None) -> int:
    """Discard dead deliveries to an endpoint, all or one; return how many there were."""
    values = {"state": DeliveryState.DISCARDED.value, "settled_at": now}
    return connection.execute(update(webhook_delivery).where(_dead(endpoint_id, message_id)).values(values)).rowcount


def _dead(endpoint_id: int, message_id: str | None) -> ColumnElement[bool]:
    its = [webhook_delivery.c.endpoint_id == endpoint_id, webhook_delivery.c.state == spelled_out(DeliveryState.DEAD)]
    return and_(*its, *([] if message_id is None else [webhook_delivery.c.message_id == message_id]))


def delete_some(connection: Connection, endpoint_id: int, limit: int) -> int:
    """Delete deliveries to an endpoint, at most so many; return how many."""
    ids = select(webhook_delivery.c.id).where(webhook_delivery.c.endpoint_id == endpoint_id).limit(limit)
    return connection.execute(delete(webhook_delivery).where(webhook_delivery.c.id.in_(ids))).rowcount


def counts(connection: Connection, endpoint_id: int, limit: int) -> WebhookCounts:
    """Count what waits for an endpoint and what is dead, no further than `limit`."""
    its = webhook_delivery.c.endpoint_id == endpoint_id
    waiting = select(webhook_delivery.c.id).where(its, webhook_delivery.c.state == _WAITING)
    dead = select(webhook_delivery.c.id).where(its, webhook_delivery.c.state == spelled_out(DeliveryState.DEAD))
    oldest = select(webhook_delivery.c.created_at).where(its, webhook_delivery.c.state == _WAITING)
    return WebhookCounts(
        up_to(connection, waiting, limit),
        up_to(connection, dead, limit),
        connection.execute(oldest.order_by(webhook_delivery.c.id).limit(1)).scalar_one_or_none(),
    )


def search(
    connection: Connection, *, endpoint_id: int | None, state: str | None, limit: int, after: str | None = None
) -> ResultPage[WebhookDelivery]:
    """Return deliveries, the newest first: those to an endpoint and in a state where these are given.

    Raises:
        CursorError: `after` is no cursor of this search.
    """
    conditions: list[ColumnElement[bool]] = []
    if endpoint_id is not None:
        conditions.append(webhook_delivery.c.endpoint_id == endpoint_id)
    if state is not None:
        conditions.append(webhook_delivery.c.state == state)
    if after is not None:
        key = decode(after)
        if len(key) != 1 or not isinstance(key[0], int):
            raise CursorError("The page's cursor is of another list; start from the first page.")
        conditions.append(webhook_delivery.c.id < key[0])
    named = {
        "endpoint": webhook_endpoint.c.name,
        "lms": lms.c.name,
        "learner_id": enrollment.c.learner_id,
        "activity_id": enrollment.c.activity_id,
    }
    columns: list[Any] = [
        (named[name] if name in named else webhook_delivery.c[name]).label(name) for name in WebhookDelivery._fields
    ]
    rows = connection.execute(
        select(*columns)
        .select_from(
            webhook_delivery.join(webhook_endpoint)
            .join(lms, lms.c.id == webhook_endpoint.c.lms_id)
            .outerjoin(enrollment, enrollment.c.id == webhook_delivery.c.enrollment_id)
        )
        .where(*conditions)
        .order_by(webhook_delivery.c.id.desc())
        .limit(limit + 1)
    )
    return cut([WebhookDelivery._make(row) for row in rows], limit, lambda delivery: [delivery.id])
