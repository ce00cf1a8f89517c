"""A write that means nothing, to see whether the database takes one."""

from __future__ import annotations

from sqlalchemy import Connection, insert, update

from storage.tables import write_probe


def write(connection: Connection, content: bytes) -> None:
    """Write some bytes, in place of what the last probe wrote."""
    rewritten = connection.execute(update(write_probe).where(write_probe.c.id == 1).values(content=content))
    if not rewritten.rowcount:
        connection.execute(insert(write_probe).values(id=1, content=content))
