"""Deliveries in pages, in the order they were made or the other way round, and how many a filter meets."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, select, union_all

from storage import deliveries
from storage.deliveries import Delivery, DeliveryFilter, of_state
from storage.outbox import SHARDS
from storage.queries import enrollment_filter, queues
from storage.queries.keyset import PAGE_SIZE, READ, Count, KeysetOrder, ResultPage, ScanLimit, among, cut, encode, up_to
from storage.states import DeliveryState
from storage.tables import delivery

COUNTED = 10_000
"""Deliveries that are counted at most."""

TOGETHER = 1_000
"""Deliveries of which the rest of the filter is asked at once."""


class DeliveryOrder(StrEnum):
    """What deliveries are sorted by."""

    NEWEST = "-made"
    """The last one that was made first."""
    OLDEST = "made"


_ORDERS = {
    DeliveryOrder.NEWEST: KeysetOrder(delivery.c.id),
    DeliveryOrder.OLDEST: KeysetOrder(delivery.c.id, is_ascending=True),
}


def search(
    connection: Connection,
    selection: DeliveryFilter,
    *,
    order: DeliveryOrder = DeliveryOrder.NEWEST,
    after: str | None = None,
    limit: int = PAGE_SIZE,
) -> ResultPage[Delivery]:
    """Return a page of deliveries.

    Those of a state other than delivered are found by indexes that have only them; of all others, the first in the
    order are looked through.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query = _few(connection, selection)
    if query is not None:
        page = _ORDERS[order].page(connection, query, int, ScanLimit(few=True), after=after, limit=limit)
    else:
        page = _looked_through(connection, selection, order, after, limit)
    return ResultPage(deliveries.shown(connection, page.rows), page.after)


class Some(NamedTuple):
    """How many there are, and the newest of them."""

    number: Count
    newest: list[Delivery]


def some(
    connection: Connection,
    selection: DeliveryFilter,
    examples: int,
    *,
    limit: int = COUNTED,
    looked_at: int | None = None,
) -> Some:
    """Count those that meet a filter, no further than `limit`, and return so many examples.

    What no index tells is counted among the newest of the state, or of all, of which `looked_at` are looked at, by
    default `READ`; the count then says that there are older ones, which may meet it.
    """
    query = _few(connection, selection)
    if query is not None or (_is_of_state(selection) and _is_indexed(selection)):
        query = deliveries.chosen(selection, delivery.c.id) if query is None else query
        newest = search(connection, selection, limit=examples).rows if examples else []
        return Some(up_to(connection, query, limit), newest)
    looked_at = READ if looked_at is None else looked_at
    order = DeliveryOrder.NEWEST
    ids = _first(connection, selection, order, None, looked_at + 1)
    met = [delivery_id for part in _that_meet(connection, selection, order, ids[:looked_at]) for delivery_id in part]
    return Some(Count(len(met), is_lower_bound=len(ids) > looked_at), deliveries.shown(connection, met[:examples]))


def how_many(connection: Connection, selection: DeliveryFilter, limit: int = COUNTED) -> Count:
    """Count those that meet a filter as `some` does."""
    return some(connection, selection, 0, limit=limit).number


def _few(connection: Connection, selection: DeliveryFilter) -> Select[tuple[int]] | None:
    """Return the query of those that indexes find and that are few, None where they must be looked for."""
    query = deliveries.chosen(selection, delivery.c.id)
    attempts = enrollment_filter.few_attempts(connection, selection)
    if attempts is not None:
        return query.where(delivery.c.attempt_id.in_(attempts))
    return None if selection.statement is None else query


def _looked_through(
    connection: Connection, selection: DeliveryFilter, order: DeliveryOrder, after: str | None, limit: int
) -> ResultPage[int]:
    place = None if after is None else _ORDERS[order].place(after)[0]
    if _is_of_state(selection):
        return cut(_first(connection, selection, order, place, limit + 1), limit, lambda delivery_id: [delivery_id])
    ids, matching = _first(connection, selection, order, place, READ), list[int]()
    for part in _that_meet(connection, selection, order, ids):
        matching += part
        if len(matching) > limit:
            return cut(matching[: limit + 1], limit, lambda delivery_id: [delivery_id])
    return ResultPage(matching, encode(ids[-1:]) if len(ids) == READ else None)


def _first(
    connection: Connection, selection: DeliveryFilter, order: DeliveryOrder, place: object, limit: int
) -> list[int]:
    """Return the first ids after a place of those that may meet a filter: all of its state and target, or all.

    Each target and shard is read from the end of its own part of the index, however long that is.
    """
    query = select(delivery.c.id).order_by(_sorted(delivery.c.id, order)).limit(limit)
    if place is not None:
        query = query.where(delivery.c.id < place if order is DeliveryOrder.NEWEST else delivery.c.id > place)
    if not _is_indexed(selection):
        return list(connection.execute(query).scalars())
    conditions = of_state(str(selection.state))
    targets = (
        queues.targets(connection, delivery.c.target, conditions) if selection.target is None else [selection.target]
    )
    parts = [query.where(*conditions, delivery.c.target == target) for target in targets]
    if selection.state == DeliveryState.WAITING:
        parts = [part.where(delivery.c.shard == shard) for part in parts for shard in range(SHARDS)]
    if not parts:
        return []
    each = union_all(*(select(part.subquery().c.id) for part in parts)).subquery()
    return list(connection.execute(select(each.c.id).order_by(_sorted(each.c.id, order)).limit(limit)).scalars())


def _sorted(ids: ColumnElement[int], order: DeliveryOrder) -> ColumnElement[int]:
    return ids.desc() if order is DeliveryOrder.NEWEST else ids.asc()


def _that_meet(
    connection: Connection, selection: DeliveryFilter, order: DeliveryOrder, ids: list[int]
) -> Iterator[list[int]]:
    """Return those of some deliveries that meet a filter, some at a time, in their order."""
    elsewhere = msgspec.structs.replace(selection, lms=None, learner=None, activity=None)
    owners = enrollment_filter.conditions(connection, enrollment_filter.of_statements(selection), walked=True)
    query = deliveries.chosen(selection, delivery.c.id, [*deliveries.conditions(elsewhere), *owners])
    query = query.order_by(_sorted(delivery.c.id, order))
    for first in range(0, len(ids), TOGETHER):
        part = query.where(among(connection, delivery.c.id, ids[first : first + TOGETHER]))
        yield list(connection.execute(part).scalars())


def _is_of_state(selection: DeliveryFilter) -> bool:
    """Return whether a filter is about nothing but what the indexes of deliveries have."""
    rest = msgspec.structs.replace(selection, state=None, target=None)
    return rest == DeliveryFilter() and (_is_indexed(selection) or selection == rest)


def _is_indexed(selection: DeliveryFilter) -> bool:
    """Return whether an index has the deliveries of a filter's state alone."""
    return selection.state is not None and selection.state in {DeliveryState.WAITING, *deliveries.TROUBLED}
