"""Deliveries in pages, and how many a filter meets."""

from __future__ import annotations

from sqlalchemy import Connection

from storage import deliveries
from storage.audit import statements
from storage.audit.pages import MOST, Count, Page, up_to
from storage.deliveries import Delivery, Filter
from storage.tables import delivery

COUNTED = 10_000
"""Deliveries up to which they are counted one by one."""


def search(connection: Connection, which: Filter, *, after: str | None = None, most: int = MOST) -> Page[Delivery]:
    """Give the deliveries of a page of statements, the newest statement first; `most` is of statements.

    Raises:
        CursorError: `after` is no cursor of this search.
    """
    found = statements.search(connection, which, after=after, most=most)
    place = {one.id: number for number, one in enumerate(found.rows)}
    rows = deliveries.of_statements(connection, list(place), which)
    return Page(sorted(rows, key=lambda one: (place[one.statement_id], one.id)), found.after)


def how_many(connection: Connection, which: Filter, most: int = COUNTED) -> Count:
    """Count those that meet a filter, no further than `most`."""
    return up_to(connection, deliveries.chosen(which, delivery.c.id), most)
