"""Pauses: targets that get nothing for now, because somebody says so, or that do not let the bridge in.

A pause by people holds everything back until people end it. One that the bridge made itself (`automatic`) is an alarm:
the target is tried now and then all the same, and it ends when the target lets the bridge in again.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.outbox import kept_text
from storage.tables import pause


class Pause(NamedTuple):
    """Why a target is paused, by whom, and since when, in milliseconds since the epoch."""

    target: str
    since: int
    by: str
    reason: str
    automatic: bool


_COLUMNS = tuple(pause.c[name] for name in Pause._fields)


def begin(connection: Connection, wanted: Pause) -> bool:
    """Pause a target; tell whether this is news. A pause by people takes the place of an automatic one, only."""
    build = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert
    new = build(pause).values(wanted._replace(reason=kept_text(wanted.reason))._asdict())
    if wanted.automatic:
        new = new.on_conflict_do_nothing()
    else:
        told = {name: new.excluded[name] for name in Pause._fields if name != "target"}
        new = new.on_conflict_do_update(index_elements=["target"], set_=told, where=pause.c.automatic)
    return connection.execute(new.returning(pause.c.target)).first() is not None


def end(connection: Connection, target: str, *, automatic_only: bool = False) -> bool:
    """End a target's pause; tell whether there was one to end."""
    gone = delete(pause).where(pause.c.target == target)
    return connection.execute(gone.where(pause.c.automatic) if automatic_only else gone).rowcount > 0


def current(connection: Connection) -> dict[str, Pause]:
    """Give target -> its pause."""
    return {row.target: Pause(*row) for row in connection.execute(select(*_COLUMNS).order_by(pause.c.target))}
