"""Acts of administration, as people look for them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from storage.acts import Act
from storage.audit import pages
from storage.audit.pages import CursorError, Page
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


def find(connection: Connection, which: Looked, *, after: str | None = None, most: int = 50) -> Page[NumberedAct]:
    """Give acts, the newest first.

    Raises:
        CursorError: `after` is no cursor of these pages.
    """
    query = select(act.c.id, *_COLUMNS).order_by(act.c.id.desc()).limit(most + 1)
    if which.by:
        query = query.where(act.c.by == which.by)
    if which.verb:
        query = query.where(act.c.verb == which.verb)
    if which.subject:
        query = query.where(act.c.subject.contains(which.subject, autoescape=True))
    if which.since is not None:
        query = query.where(act.c.at >= which.since)
    if which.until is not None:
        query = query.where(act.c.at < which.until)
    if after:
        query = query.where(act.c.id < _place(after))
    found = [NumberedAct(row[0], Act(*row[1:])) for row in connection.execute(query)]
    return pages.cut(found, most, lambda one: (one.id,))


def _place(cursor: str) -> int:
    key = pages.decode(cursor)
    if len(key) == 1 and isinstance(key[0], int) and abs(key[0]) < 1 << 63:
        return key[0]
    raise CursorError("The page's cursor is of another search; start from the first page.")


def verbs(connection: Connection) -> list[str]:
    """Give the verbs that there are acts of."""
    return list(connection.execute(select(act.c.verb).distinct().order_by(act.c.verb)).scalars())
