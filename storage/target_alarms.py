"""Alarms of targets: what keeps an LRS from taking something, for each kind of request, as the bridge saw it.

The bridge begins an alarm and ends it when such a request succeeds. People who resume a target, or retry what waits for
it, end its alarms as well: running bridges see that and try at once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, select, update

from storage.alarm_tables import target_alarm
from storage.engine import insert_for
from storage.outbox import truncate_answer
from storage.states import RequestKind


class TargetAlarm(NamedTuple):
    """One alarm. Times are milliseconds since the epoch; `seen_at` is when it was last seen to be so."""

    target: str
    request_kind: str
    state: str
    since: int
    seen_at: int
    reason: str


_COLUMNS = tuple(target_alarm.c[name] for name in TargetAlarm._fields)


def begin(connection: Connection, alarm: TargetAlarm) -> bool:
    """Store an alarm, or that it is still so; return whether it is news. `since` stays while the state does."""
    alarm = alarm._replace(reason=truncate_answer(alarm.reason))
    new = (
        insert_for(connection, target_alarm)
        .values(alarm._asdict())
        .on_conflict_do_nothing()
        .returning(target_alarm.c.target)
    )
    if connection.execute(new).first() is not None:
        return True
    existing = update(target_alarm).where(_is(alarm.target, alarm.request_kind))
    changed = existing.where(target_alarm.c.state != alarm.state).values(alarm._asdict())
    if connection.execute(changed).rowcount:
        return True
    connection.execute(existing.values(seen_at=alarm.seen_at, reason=alarm.reason))
    return False


def end(connection: Connection, target: str, request_kind: str) -> bool:
    """End an alarm; return whether there was one."""
    return connection.execute(delete(target_alarm).where(_is(target, request_kind))).rowcount > 0


def end_all(connection: Connection, targets: Collection[str]) -> int:
    """End all alarms of targets, so that running bridges try them at once; return how many there were."""
    return connection.execute(delete(target_alarm).where(target_alarm.c.target.in_(targets))).rowcount


def current(connection: Connection) -> list[TargetAlarm]:
    """Return all alarms, target by target, those of statements first."""
    order = {kind.value: number for number, kind in enumerate(RequestKind)}
    alarms = [TargetAlarm(*row) for row in connection.execute(select(*_COLUMNS))]
    return sorted(alarms, key=lambda alarm: (alarm.target, order.get(alarm.request_kind, len(order))))


def _is(target: str, request_kind: str) -> ColumnElement[bool]:
    return (target_alarm.c.target == target) & (target_alarm.c.request_kind == request_kind)
