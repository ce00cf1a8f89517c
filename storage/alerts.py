"""Alerts that have begun and not ended, and the notifications of them that are to be sent or were.

An alert and its notifications are stored together, so that each beginning and end is told, and told once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from storage.alarm_tables import alert, alert_notification
from storage.engine import insert_for
from storage.schema import spelled_out
from storage.states import AlertEvent, NotificationState
from storage.tables import enrollment, lms

MAX_KEPT = 500
"""Notifications that are kept."""
MAX_ERROR_LENGTH = 500


class Alert(NamedTuple):
    """Something that is wrong, at what; `since` is in milliseconds since the epoch."""

    condition: str
    subject: str
    since: int
    detail: str


class Notification(NamedTuple):
    """The news of an alert's beginning or end for one channel. Times are milliseconds since the epoch.

    `at` is when it began or ended, `not_before` when it is tried next.
    """

    id: int
    channel: str
    condition: str
    subject: str
    event: str
    at: int
    since: int
    detail: str
    state: str
    tries: int
    not_before: int
    error: str | None


_ALERT = tuple(alert.c[name] for name in Alert._fields)
_NOTIFICATION = tuple(alert_notification.c[name] for name in Notification._fields)


def current(connection: Connection) -> list[Alert]:
    """Return the alerts that have not ended, oldest first."""
    rows = connection.execute(select(*_ALERT).order_by(alert.c.since, alert.c.condition, alert.c.subject))
    return [Alert(*row) for row in rows]


def begin(connection: Connection, new: Alert, channels: Collection[str], at: int) -> bool:
    """Store an alert, and that these channels are to be told; return False where it had begun already."""
    row = insert_for(connection, alert).values(new._asdict()).on_conflict_do_nothing().returning(alert.c.condition)
    if connection.execute(row).first() is None:
        return False
    _notify(connection, new, channels, AlertEvent.BEGAN, at)
    return True


def end(connection: Connection, ended: Alert, channels: Collection[str], at: int) -> bool:
    """End an alert, and tell those who were told that it began; return False where it had ended already.

    Those that have not been told yet need not know of either.
    """
    its = (alert.c.condition == ended.condition) & (alert.c.subject == ended.subject)
    if not connection.execute(delete(alert).where(its)).rowcount:
        return False
    untold = (
        (alert_notification.c.condition == ended.condition)
        & (alert_notification.c.subject == ended.subject)
        & (alert_notification.c.since == ended.since)
        & (alert_notification.c.state == spelled_out(NotificationState.WAITING))
    )
    removed = connection.execute(delete(alert_notification).where(untold).returning(alert_notification.c.channel))
    skipped = {row.channel for row in removed}
    _notify(connection, ended, [name for name in channels if name not in skipped], AlertEvent.ENDED, at)
    return True


def _notify(connection: Connection, its: Alert, channels: Collection[str], event: AlertEvent, at: int) -> None:
    rows = [
        its._asdict()
        | {"channel": name, "event": event, "at": at, "state": NotificationState.WAITING, "tries": 0, "not_before": at}
        for name in channels
    ]
    if rows:
        connection.execute(insert(alert_notification), rows)


def due(connection: Connection, now: int, limit: int = 100) -> list[Notification]:
    """Return notifications that are to be sent now, in their order."""
    query = select(*_NOTIFICATION).where(
        alert_notification.c.state == spelled_out(NotificationState.WAITING), alert_notification.c.not_before <= now
    )
    return [Notification(*row) for row in connection.execute(query.order_by(alert_notification.c.id).limit(limit))]


def settle(
    connection: Connection, ids: Sequence[int], state: NotificationState, *, not_before: int, error: str | None
) -> None:
    """Store what came of a try, and forget the oldest notifications."""
    connection.execute(
        update(alert_notification)
        .where(alert_notification.c.id.in_(ids))
        .values(
            state=state,
            tries=alert_notification.c.tries + 1,
            not_before=not_before,
            error=None if error is None else error[:MAX_ERROR_LENGTH],
        )
    )
    newest = connection.execute(select(func.max(alert_notification.c.id))).scalar_one()
    connection.execute(delete(alert_notification).where(alert_notification.c.id <= newest - MAX_KEPT))


def recent(connection: Connection, limit: int) -> list[Notification]:
    """Return the newest notifications, newest first."""
    query = select(*_NOTIFICATION).order_by(alert_notification.c.id.desc()).limit(limit)
    return [Notification(*row) for row in connection.execute(query)]


def silent_lmss(connection: Connection, since: int) -> dict[str, int]:
    """Return the LMSs that have sent commits, and none since a time: by name, when the last one came."""
    silent = {}
    for row in connection.execute(select(lms.c.id, lms.c.name)).all():
        heard = select(enrollment.c.id).where(enrollment.c.lms_id == row.id, enrollment.c.last_commit_at >= since)
        if connection.execute(heard.limit(1)).first() is not None:
            continue
        last = connection.execute(
            select(func.max(enrollment.c.last_commit_at)).where(enrollment.c.lms_id == row.id)
        ).scalar_one()
        if last is not None:
            silent[row.name] = last
    return silent
