"""Pauses: targets that get nothing for now, because somebody says so, or that do not take anything.

A pause by people holds everything back until people end it. A pause that nobody made (`automatic`) is an alarm that is
read as one: the LRS lets no statement in, it is tried now and then all the same, and it ends when one is taken.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from storage import target_alarms
from storage.alarm_tables import pause
from storage.engine import insert_for
from storage.outbox import truncate_answer
from storage.states import AlarmState, RequestKind


class Pause(NamedTuple):
    """Why a target is paused, by whom, and since when, in milliseconds since the epoch."""

    target: str
    since: int
    by: str
    reason: str
    automatic: bool


BRIDGE = "scorm-bridge"
"""Who began a pause that nobody did."""
_OWN_FIELDS = tuple(name for name in Pause._fields if name != "automatic")
_COLUMNS = tuple(pause.c[name] for name in _OWN_FIELDS)
_HOLDING = {AlarmState.NOT_ALLOWED, AlarmState.REFUSING}


def begin(connection: Connection, wanted: Pause) -> bool:
    """Pause a target as people want it; return whether this is news."""
    values = {name: getattr(wanted, name) for name in _OWN_FIELDS} | {"reason": truncate_answer(wanted.reason)}
    new = insert_for(connection, pause).values(values).on_conflict_do_nothing().returning(pause.c.target)
    return connection.execute(new).first() is not None


def end(connection: Connection, target: str) -> bool:
    """End the pause that people made; return whether there was one to end."""
    return connection.execute(delete(pause).where(pause.c.target == target)).rowcount > 0


def current(connection: Connection) -> dict[str, Pause]:
    """Return target -> its pause: that of people, or the alarm that holds its statements back."""
    pauses = {
        alarm.target: Pause(alarm.target, alarm.since, BRIDGE, alarm.reason, automatic=True)
        for alarm in target_alarms.current(connection)
        if alarm.request_kind == RequestKind.STATEMENTS and alarm.state in _HOLDING
    }
    rows = connection.execute(select(*_COLUMNS))
    pauses |= {row.target: Pause(row.target, row.since, row.by, row.reason, automatic=False) for row in rows}
    return dict(sorted(pauses.items()))
