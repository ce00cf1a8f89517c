"""Deliveries as people look for them, and what people do to those in trouble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    insert,
    select,
    update,
)

from storage import target_alarms
from storage.outbox import LATE
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import (
    attempt,
    delivery,
    delivery_try,
    enrollment,
    lms,
    statement,
    try_,
)

TROUBLED = (DeliveryState.DEAD, DeliveryState.QUARANTINED, DeliveryState.DISCARDED)
STATES: tuple[str, ...] = tuple(state.value for state in DeliveryState)
RETRIED = (DeliveryState.DEAD, DeliveryState.WAITING)
"""States of what a retry sends at once. What is quarantined would be refused by every LRS."""
DISCARDED = (DeliveryState.WAITING, DeliveryState.DEAD, DeliveryState.QUARANTINED)
"""States that a discard ends."""


class DeliveryFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which deliveries: those that meet all that is told. Times are milliseconds since the epoch, `since` included.

    `outcome` and `status` are of the last try.
    """

    target: str | None = None
    state: str | None = None
    statement: str | None = None
    verb: str | None = None
    rule: str | None = None
    lms: str | None = None
    learner: str | None = None
    activity: str | None = None
    session: str | None = None
    attempt: str | None = None
    since: int | None = None
    until: int | None = None
    outcome: str | None = None
    status: int | None = None


class Delivery(NamedTuple):
    """A delivery, what it delivers, and what its last try came to."""

    id: int
    target: str
    state: str
    tries: int
    not_before: int
    settled_at: int | None
    statement_id: str
    position: int
    rule: str
    verb: str
    created_at: int
    problem: str | None
    session_id: str
    commit_number: int
    lms: str
    learner_id: str
    activity_id: str
    attempt_id: str
    attempt_number: int
    outcome: str | None
    status: int | None
    answer: str | None


class TryLine(NamedTuple):
    """One request that carried a delivery. Times are milliseconds; `started_at` since the epoch."""

    started_at: int
    duration_ms: int
    outcome: str
    status: int | None
    answer: str


_IS_TROUBLED = delivery.c.state.in_([spelled_out(state) for state in TROUBLED])
LAST_TRY = func.coalesce(
    delivery.c.settled_by,
    select(func.max(delivery_try.c.try_id)).where(delivery_try.c.delivery_id == delivery.c.id).scalar_subquery(),
)
"""The try that settled a delivery, or the last one so far."""
_ITS_STATEMENT = and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position)
_TRIED = try_.alias("tried")
"""The tries once more, where the query has those of its own."""
_FROM = (
    delivery.join(statement, _ITS_STATEMENT)
    .join(attempt, attempt.c.id == delivery.c.attempt_id)
    .join(enrollment, enrollment.c.id == attempt.c.enrollment_id)
    .join(lms, lms.c.id == enrollment.c.lms_id)
)
_SHOWN = select(
    delivery.c.id,
    delivery.c.target,
    delivery.c.state,
    delivery.c.tries,
    delivery.c.not_before,
    delivery.c.settled_at,
    statement.c.id.label("statement_id"),
    delivery.c.position,
    statement.c.rule,
    statement.c.verb,
    statement.c.created_at,
    statement.c.problem,
    statement.c.session_id,
    statement.c.commit_number,
    lms.c.name.label("lms"),
    enrollment.c.learner_id,
    enrollment.c.activity_id,
    attempt.c.uuid.label("attempt_id"),
    attempt.c.number.label("attempt_number"),
    try_.c.outcome,
    try_.c.status,
    try_.c.answer,
).select_from(_FROM.outerjoin(try_, try_.c.id == LAST_TRY))


def find(connection: Connection, selection: DeliveryFilter, *, limit: int = 50) -> list[Delivery]:
    """Return deliveries, the newest first. Quick where an index finds them, as of a statement; else there are pages."""
    query = chosen(selection, delivery.c.id).order_by(delivery.c.id.desc()).limit(limit)
    return shown(connection, list(connection.execute(query).scalars()))


def shown(connection: Connection, delivery_ids: Sequence[int]) -> list[Delivery]:
    """Return deliveries by their ids, in the order of these."""
    rows = [Delivery._make(row) for row in connection.execute(_SHOWN.where(delivery.c.id.in_(delivery_ids)))]
    place = {delivery_id: number for number, delivery_id in enumerate(delivery_ids)}
    return sorted(rows, key=lambda row: place[row.id])


def ids(connection: Connection, selection: DeliveryFilter, *, after: int, limit: int) -> list[int]:
    """Return the ids above `after` of those that meet a filter, in their order."""
    query = chosen(selection, delivery.c.id).where(delivery.c.id > after).order_by(delivery.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def tries(connection: Connection, delivery_id: int, limit: int = 200) -> list[TryLine]:
    """Return a delivery's last tries, at most so many, in their order."""
    without = select(delivery_try.c.try_id).where(delivery_try.c.delivery_id == delivery_id)
    settling = select(delivery.c.settled_by).where(delivery.c.id == delivery_id)
    rows = connection.execute(
        select(*(try_.c[name] for name in TryLine._fields))
        .where(try_.c.id.in_(without.union_all(settling)))
        .order_by(try_.c.id.desc())
        .limit(limit)
    )
    return [TryLine(*row) for row in rows][::-1]


def ahead(connection: Connection, blocked: Delivery, limit: int) -> tuple[list[str], int]:
    """Return the statements of the same attempt that wait for the same target and must arrive before this one.

    The first ones, at most `limit`, and how many there are.
    """
    before = (
        attempt.c.uuid == blocked.attempt_id,
        delivery.c.target == blocked.target,
        delivery.c.state == spelled_out(DeliveryState.WAITING),
        delivery.c.position < blocked.position,
    )
    rows = connection.execute(
        select(statement.c.id).select_from(_FROM).where(*before).order_by(delivery.c.position).limit(limit)
    )
    first = list(rows.scalars())
    if len(first) < limit:
        return first, len(first)
    number = connection.execute(select(func.count()).select_from(_FROM).where(*before)).scalar_one()
    return first, number


def retry(connection: Connection, delivery_ids: Sequence[int]) -> int:
    """Retry dead deliveries, and waiting ones that were tried at once; return how many.

    The ids of their statements stay, and the alarms of their targets end, so that running bridges try at once. What
    the target has of their attempts by now, it has: a statement that is retried can arrive after later ones.
    """
    settled = select(delivery.c.id, delivery.c.settled_by).where(
        delivery.c.id.in_(delivery_ids),
        delivery.c.state == spelled_out(DeliveryState.DEAD),
        delivery.c.settled_by.is_not(None),
    )
    connection.execute(insert(delivery_try).from_select(["delivery_id", "try_id"], settled))
    moved = _move(
        connection,
        delivery_ids,
        (DeliveryState.DEAD,),
        state=DeliveryState.WAITING,
        not_before=0,
        settled_at=None,
        settled_by=None,
    )
    waits = (
        delivery.c.id.in_(delivery_ids),
        delivery.c.state == spelled_out(DeliveryState.WAITING),
        delivery.c.not_before > LATE,
    )
    moved += connection.execute(update(delivery).where(*waits).values(not_before=LATE)).rowcount
    if moved:
        targets = connection.execute(select(delivery.c.target).where(delivery.c.id.in_(delivery_ids)).distinct())
        target_alarms.end_all(connection, list(targets.scalars()))
    return moved


def discard(connection: Connection, delivery_ids: Sequence[int], now: int) -> int:
    """Discard deliveries for good; return how many.

    One that is on its way at this moment can still arrive: it counts as discarded all the same.
    """
    return _move(connection, delivery_ids, DISCARDED, state=DeliveryState.DISCARDED, settled_at=now)


def of_state(state: str) -> list[ColumnElement[bool]]:
    """Return the conditions of a state, so that the indexes which have them are used."""
    if state not in STATES:
        return [delivery.c.state == state]
    # spelled out: from a parameter no database tells that an index with a condition has all that is asked for
    is_it = delivery.c.state == spelled_out(state)
    return [is_it, _IS_TROUBLED] if state in TROUBLED else [is_it]


def of_last_try(selection: DeliveryFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that a filter sets to the last try."""
    pairs = ((_TRIED.c.outcome, selection.outcome), (_TRIED.c.status, selection.status))
    conditions = [column == value for column, value in pairs if value is not None]
    return [exists().where(_TRIED.c.id == LAST_TRY, *conditions)] if conditions else []


def _move(connection: Connection, delivery_ids: Sequence[int], states: Sequence[str], **values: Any) -> int:
    return connection.execute(
        update(delivery).where(delivery.c.id.in_(delivery_ids), delivery.c.state.in_(states)).values(values)
    ).rowcount


def chosen(
    selection: DeliveryFilter, column: ColumnElement[Any], met: Sequence[ColumnElement[bool]] | None = None
) -> Select[Any]:
    """Return the query for one column of the deliveries that meet a filter, which joins no more than it must.

    `met` are conditions that come to the same as the filter's and are used instead.
    """
    of_statement = (
        selection.statement,
        selection.verb,
        selection.rule,
        selection.session,
        selection.since,
        selection.until,
    )
    of_attempt = (selection.attempt, selection.lms, selection.learner, selection.activity)
    is_known = [any(value is not None for value in values) for values in (of_statement, of_attempt)]
    tables: FromClause = delivery
    if is_known[0]:
        tables = tables.join(statement, _ITS_STATEMENT)
    if is_known[1]:
        tables = tables.join(attempt, attempt.c.id == delivery.c.attempt_id).join(enrollment).join(lms)
    return select(column).select_from(tables).where(*(conditions(selection) if met is None else met))


def conditions(selection: DeliveryFilter) -> list[ColumnElement[bool]]:
    """Return what a delivery must meet, of a query that joins what it is about."""
    columns = {
        "target": delivery.c.target,
        "statement": statement.c.id,
        "verb": statement.c.verb,
        "rule": statement.c.rule,
        "lms": lms.c.name,
        "learner": enrollment.c.learner_id,
        "activity": enrollment.c.activity_id,
        "session": statement.c.session_id,
        "attempt": attempt.c.uuid,
    }
    values = {name: value for name in columns if (value := getattr(selection, name)) is not None}
    clauses = [columns[name] == value for name, value in values.items()] + of_last_try(selection)
    if selection.state is not None:
        clauses += of_state(selection.state)
    if selection.since is not None:
        clauses.append(statement.c.created_at >= selection.since)
    if selection.until is not None:
        clauses.append(statement.c.created_at < selection.until)
    return clauses
