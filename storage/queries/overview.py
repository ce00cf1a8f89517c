"""How the bridge does: what came in of late, what waits, and what people must look after."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, func, select

from storage import pauses, target_alarms
from storage.attempts import IS_OPEN
from storage.pauses import Pause
from storage.queries.keyset import Count, up_to
from storage.queries.queues import Queue, queues
from storage.tables import audit_log, journal, session, statement, try_
from storage.target_alarms import TargetAlarm

MINUTE = 60_000
"""Milliseconds."""

COUNTED = 100_000
"""No number of the overview is counted further, and no rate is made of more rows."""

LATE = 60 * MINUTE
"""Milliseconds that a statement waits before it is an alarm."""

LATE_REMOVAL = 24 * 60 * MINUTE
"""Milliseconds that what an erasure asks of a target waits before it is an alarm."""


class Minute(NamedTuple):
    """How many there were in the minute that began at `at`."""

    at: int
    number: int


class Rate(NamedTuple):
    """How many there were in each minute from `since` on, to the minute that is not over yet; none is left out.

    `since` is later than asked for where there were too many to count them all.
    """

    since: int
    minutes: list[Minute]


class AlarmKind(StrEnum):
    """What an alarm of the overview is about."""

    PAUSED = "paused"
    """Somebody paused the target."""
    TARGET = "target"
    """A request to the target fails: its alarm is the detail."""
    DIVERGED = "diverged"
    """The LRS has statements of another history of the database."""
    DEAD = "dead"
    """Statements are not sent any more."""
    QUARANTINED = "quarantined"
    """Statements are invalid."""
    DEAD_DOCUMENTS = "dead documents"
    """Documents are not sent any more."""
    LATE = "late"
    """Statements have waited for long."""
    LATE_REMOVALS = "late removals"
    """What erasures ask of the target has waited for long."""


class Alarm(NamedTuple):
    """What people must look after; `number` is of deliveries, `since` a time, each where there is one."""

    kind: AlarmKind
    target: str
    number: Count | None = None
    since: int | None = None
    detail: TargetAlarm | None = None


class Overview(NamedTuple):
    """The state of the bridge. `queues` has targets that anything waits for or is in trouble at."""

    alarms: list[Alarm]
    commits: Rate
    statements: Rate
    queues: dict[str, Queue]
    pauses: dict[str, Pause]
    target_alarms: list[TargetAlarm]
    open_sessions: Count


def overview(connection: Connection, now: int, minutes: int = 60) -> Overview:
    """Return the state of the bridge at `now`, with rates of the last minutes."""
    waits, paused = queues(connection, COUNTED), pauses.current(connection)
    troubles = target_alarms.current(connection)
    is_open = select(session.c.started_at).where(*IS_OPEN)
    return Overview(
        alarms(waits, paused, now, troubles),
        commits(connection, now, minutes),
        statements(connection, now, minutes),
        waits,
        paused,
        troubles,
        up_to(connection, is_open, COUNTED),
    )


def commits(connection: Connection, now: int, minutes: int) -> Rate:
    """Count what was received in each of the last minutes."""
    return rate(connection, journal.c.received_at, now, minutes)


def statements(connection: Connection, now: int, minutes: int) -> Rate:
    """Count what was made in each of the last minutes."""
    return rate(connection, statement.c.created_at, now, minutes)


def rate(connection: Connection, time: Column[Any], now: int, minutes: int) -> Rate:
    """Count the rows of a table by the minute of an indexed time, in the last `minutes` minutes up to `now`."""
    this = now - now % MINUTE
    since, until = this - (minutes - 1) * MINUTE, this + MINUTE
    within = select(time.label("at")).where(time >= since, time < until).order_by(time.desc()).limit(COUNTED).subquery()
    first, number = connection.execute(select(func.min(within.c.at), func.count()).select_from(within)).one()
    if number == COUNTED:  # the minute that it ends in is not counted whole
        since = min(first - first % MINUTE + MINUTE, this)
    at = time - time % MINUTE
    counts = {
        row.at: row.number
        for row in connection.execute(
            select(at.label("at"), func.count().label("number")).where(time >= since, time < until).group_by("at")
        )
    }
    return Rate(since, [Minute(minute, counts.get(minute, 0)) for minute in range(since, until, MINUTE)])


def alarms(
    waits: dict[str, Queue], paused: dict[str, Pause], now: int, troubles: Sequence[TargetAlarm] = ()
) -> list[Alarm]:
    """Return what people must look after, target by target."""
    raised = []
    for target in sorted({*waits, *paused, *(trouble.target for trouble in troubles)}):
        pause, queue = paused.get(target), waits.get(target, Queue())
        if pause is not None and not pause.automatic:
            raised.append(Alarm(AlarmKind.PAUSED, target, since=pause.since))
        else:  # nothing is tried of what people have paused: what was the matter before says nothing
            its = (trouble for trouble in troubles if trouble.target == target)
            raised += [Alarm(AlarmKind.TARGET, target, since=trouble.since, detail=trouble) for trouble in its]
        for kind, number in (
            (AlarmKind.DIVERGED, queue.diverged),
            (AlarmKind.DEAD, queue.dead),
            (AlarmKind.QUARANTINED, queue.quarantined),
            (AlarmKind.DEAD_DOCUMENTS, queue.dead_documents),
        ):
            if number.number:
                raised.append(Alarm(kind, target, number))
        if queue.oldest is not None and queue.oldest <= now - LATE:
            raised.append(Alarm(AlarmKind.LATE, target, queue.waiting, queue.oldest))
        if queue.oldest_removal is not None and queue.oldest_removal <= now - LATE_REMOVAL:
            raised.append(Alarm(AlarmKind.LATE_REMOVALS, target, queue.removals, queue.oldest_removal))
    return raised


def change_marker(connection: Connection) -> tuple[int, int, int]:
    """Return what grows with each commit, try and entry of the audit log: equal while none of these is stored."""
    newest = (select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery() for table in (journal, try_, audit_log))
    commits, tries, entries = connection.execute(select(*newest)).one()
    return commits, tries, entries
