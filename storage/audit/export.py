"""All that a search finds, page after page, for files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, Engine

from storage.audit.pages import Page
from storage.engine import reading

T = TypeVar("T")

TOGETHER = 50
"""Rows of one page."""


def pages(engine: Engine, page: Callable[[Connection, str | None, int], Page[T]]) -> Iterator[list[T]]:
    """Return the rows of a search in lists of a few hundred, from the first page to the last.

    Each is read in a transaction of its own, so that a long export holds nothing up; what is changed meanwhile can be
    found twice or not at all. `page` gives the page after a cursor, of at most so many rows:
    `lambda connection, after, most: search(connection, which, after=after, most=most)`.
    """
    after = None
    while True:
        with reading(engine) as connection:
            found = page(connection, after, TOGETHER)
        if found.rows:
            yield found.rows
        if found.after is None:
            return
        after = found.after
