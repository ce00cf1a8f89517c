"""Deliveries in pages, the newest first, and how many a filter meets."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from storage import deliveries
from storage.audit import whose
from storage.audit.pages import FEW, MOST, Count, Order, Page, Reach, up_to
from storage.deliveries import Delivery, Filter, of_state
from storage.tables import delivery

COUNTED = 10_000
"""Deliveries up to which they are counted one by one."""

_NEWEST = Order(delivery.c.id)


def search(connection: Connection, which: Filter, *, after: str | None = None, most: int = MOST) -> Page[Delivery]:
    """Give a page of deliveries.

    Those of a state other than delivered are found by indexes that have only them; of all others, the newest are
    looked through.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, reach = deliveries.chosen(which, delivery.c.id), Reach(few=True)
    attempts = whose.few_attempts(connection, which)
    if attempts is not None:
        query = query.where(delivery.c.attempt_id.in_(attempts))
    elif which.statement is None:
        among = _indexed(which)
        query = deliveries.chosen(which, delivery.c.id, _walked(connection, which))
        ids = list(connection.execute(select(delivery.c.id).where(*among).limit(FEW + 1)).scalars()) if among else None
        if ids is None or len(ids) > FEW:
            reach = Reach(among=tuple(among))
        else:
            query = query.where(delivery.c.id.in_(ids))
    found = _NEWEST.page(connection, query, int, reach, after=after, most=most)
    return Page(deliveries.shown(connection, found.rows), found.after)


def _walked(connection: Connection, which: Filter) -> list[ColumnElement[bool]]:
    """Give the filter's conditions for a walk from delivery to delivery."""
    elsewhere = msgspec.structs.replace(which, lms=None, learner=None, activity=None)
    owners = whose.conditions(connection, whose.of_statements(which), walked=True)
    return [*deliveries.conditions(elsewhere), *owners]


def _indexed(which: Filter) -> list[ColumnElement[bool]]:
    """Give the conditions that an index of such deliveries alone has, none where there is no such index."""
    if which.state is None or which.state == "delivered":
        return []
    found = of_state(which.state)
    return found if which.target is None else [*found, delivery.c.target == which.target]


def how_many(connection: Connection, which: Filter, most: int = COUNTED) -> Count:
    """Count those that meet a filter, no further than `most`."""
    return up_to(connection, deliveries.chosen(which, delivery.c.id), most)
