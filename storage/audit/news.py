"""Whether anything was stored since somebody looked."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from storage.tables import act, journal, try_


def mark(connection: Connection) -> tuple[int, int, int]:
    """Give what grows with each commit, each try and each act; equal marks: nothing of these was stored in between."""
    newest = (select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery() for table in (journal, try_, act))
    commits, tries, acts = connection.execute(select(*newest)).one()
    return commits, tries, acts
