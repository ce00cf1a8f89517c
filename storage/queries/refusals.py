"""Refused requests, as people look for them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from storage.queries.keyset import KeysetOrder, ResultPage, ScanLimit
from storage.tables import lms, refusal


class RefusalFilter(NamedTuple):
    """Which refusals: those that meet all that is set. `lms` is the LMS's name."""

    lms: str | None = None
    code: str | None = None


class RefusalRow(NamedTuple):
    """A refused request. `at` is in milliseconds since the epoch; `wire_format` is empty where it was not known."""

    id: int
    lms: str
    at: int
    status: int
    code: str
    detail: str
    wire_format: str
    method: str
    path: str


class RefusalGroup(NamedTuple):
    """Refused requests of an LMS for one reason: how many there are, and when the last one came."""

    lms: str
    code: str
    number: int
    last_at: int


_OWN = tuple(refusal.c[name] for name in RefusalRow._fields[2:])
_NEWEST = KeysetOrder(refusal.c.id)


def search(
    connection: Connection, selection: RefusalFilter, *, after: str | None = None, limit: int = 50
) -> ResultPage[RefusalRow]:
    """Return refusals, the newest first.

    Raises:
        CursorError: `after` is no cursor of these pages.
    """
    query = select(refusal.c.id, lms.c.name, *_OWN).join_from(refusal, lms)
    if selection.lms is not None:
        query = query.where(lms.c.name == selection.lms)
    if selection.code is not None:
        query = query.where(refusal.c.code == selection.code)
    return _NEWEST.page(connection, query, RefusalRow, ScanLimit(), after=after or None, limit=limit)


def groups(connection: Connection) -> list[RefusalGroup]:
    """Return the refusals by LMS and code, those first of which most were refused."""
    number = func.count().label("number")
    query = (
        select(lms.c.name, refusal.c.code, number, func.max(refusal.c.at))
        .join_from(refusal, lms)
        .group_by(lms.c.name, refusal.c.code)
        .order_by(number.desc(), lms.c.name, refusal.c.code)
    )
    return [RefusalGroup(*row) for row in connection.execute(query)]
