"""Deliveries in pages, the newest first, and how many a filter meets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Select, select, union_all

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

_NEWEST = KeysetOrder(delivery.c.id)


def search(
    connection: Connection, selection: DeliveryFilter, *, after: str | None = None, limit: int = PAGE_SIZE
) -> ResultPage[Delivery]:
    """Return a page of deliveries.

    Those of a state other than delivered are found by indexes that have only them; of all others, the newest are
    looked through.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query = _few(connection, selection)
    if query is not None:
        page = _NEWEST.page(connection, query, int, ScanLimit(few=True), after=after, limit=limit)
    else:
        page = _looked_through(connection, selection, after, limit)
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
    ids = _newest(connection, selection, None, looked_at + 1)
    met = [delivery_id for part in _that_meet(connection, selection, ids[:looked_at]) for delivery_id in part]
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
    connection: Connection, selection: DeliveryFilter, after: str | None, limit: int
) -> ResultPage[int]:
    below = None if after is None else _NEWEST.place(after)[0]
    if _is_of_state(selection):
        return cut(_newest(connection, selection, below, limit + 1), limit, lambda delivery_id: [delivery_id])
    ids, matching = _newest(connection, selection, below, READ), list[int]()
    for part in _that_meet(connection, selection, ids):
        matching += part
        if len(matching) > limit:
            return cut(matching[: limit + 1], limit, lambda delivery_id: [delivery_id])
    return ResultPage(matching, encode(ids[-1:]) if len(ids) == READ else None)


def _newest(connection: Connection, selection: DeliveryFilter, below: object, limit: int) -> list[int]:
    """Return the ids, the newest first, of those that may meet a filter: all of its state and target, or all there are.

    Each target and shard is read from the end of its own part of the index, however long that is.
    """
    query = select(delivery.c.id).order_by(delivery.c.id.desc()).limit(limit)
    if below is not None:
        query = query.where(delivery.c.id < below)
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
    return list(connection.execute(select(each.c.id).order_by(each.c.id.desc()).limit(limit)).scalars())


def _that_meet(connection: Connection, selection: DeliveryFilter, ids: list[int]) -> Iterator[list[int]]:
    """Return those of some deliveries that meet a filter, some at a time, the newest first."""
    elsewhere = msgspec.structs.replace(selection, lms=None, learner=None, activity=None)
    owners = enrollment_filter.conditions(connection, enrollment_filter.of_statements(selection), walked=True)
    query = deliveries.chosen(selection, delivery.c.id, [*deliveries.conditions(elsewhere), *owners])
    query = query.order_by(delivery.c.id.desc())
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
