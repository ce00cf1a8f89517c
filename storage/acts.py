"""What people did to targets, deliveries and mapping versions. Rows are only ever added."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from storage.tables import act


class Act(NamedTuple):
    """Who did what, when (milliseconds since the epoch), to how many of what (`number`), and why.

    `subject` is a target's name, or JSON: the filter by which deliveries were chosen, or a mapping version and whose.
    """

    at: int
    by: str
    verb: str
    subject: str
    number: int
    reason: str


def add(connection: Connection, done: Act) -> None:
    """Keep it."""
    connection.execute(insert(act).values(done._asdict()))


def newest(connection: Connection, most: int = 100) -> list[Act]:
    """Give the last ones, the newest first."""
    rows = connection.execute(select(*(act.c[name] for name in Act._fields)).order_by(act.c.id.desc()).limit(most))
    return [Act(*row) for row in rows]
