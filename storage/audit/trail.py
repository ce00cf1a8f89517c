"""Acts of administration, as people look for them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from storage.acts import Act
from storage.audit.pages import Order, Page, Reach, Span
from storage.tables import act


class Looked(NamedTuple):
    """Which acts: those that meet all that is told. `subject` is a part of it; times are ms since the epoch."""

    by: str = ""
    verb: str = ""
    subject: str = ""
    since: int | None = None
    until: int | None = None


class NumberedAct(NamedTuple):
    """An act and its number."""

    id: int
    act: Act


_COLUMNS = tuple(act.c[name] for name in Act._fields)
_NEWEST = Order(act.c.id)


def find(connection: Connection, which: Looked, *, after: str | None = None, most: int = 50) -> Page[NumberedAct]:
    """Give acts, the newest first.

    Raises:
        CursorError: `after` is no cursor of these pages.
    """
    query = select(act.c.id, *_COLUMNS)
    if which.by:
        query = query.where(act.c.by == which.by)
    if which.verb:
        query = query.where(act.c.verb == which.verb)
    if which.subject:
        query = query.where(act.c.subject.contains(which.subject, autoescape=True))
    query = query.where(*Span(which.since, which.until).of(act.c.at))
    return _NEWEST.page(connection, query, _numbered, Reach(), after=after or None, most=most)


def _numbered(number: int, *told: Any) -> NumberedAct:
    return NumberedAct(number, Act(*told))


def verbs(connection: Connection) -> list[str]:
    """Give the verbs that there are acts of."""
    return list(connection.execute(select(act.c.verb).distinct().order_by(act.c.verb)).scalars())
