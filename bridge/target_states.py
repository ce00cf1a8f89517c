"""How targets do, and pausing them: for pages and commands alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from bridge.target_settings import TargetSettings
from storage import audit_log, documents, outbox, pauses, target_alarms
from storage.audit.pages import Count
from storage.audit.queues import Queue, queues
from storage.audit_log import AuditEntry
from storage.pauses import Pause
from storage.target_alarms import AlarmState, RequestKind, TargetAlarm


class TargetState(NamedTuple):
    """What a target's deliveries come to.

    `name` is empty for what waits while no LRS is configured, `endpoint` None for a target that is not any more.
    `state` is flowing, paused, not let in, refusing, unreachable, interrupted or not configured. `oldest_waiting` is
    when the statement that waits longest was made, in milliseconds since the epoch. `diverged` are those of the dead
    that met a statement of another history of this database at the LRS. Nothing is counted further than
    `queues.COUNTED`.
    """

    name: str
    endpoint: str | None
    state: str
    waiting: Count
    waiting_documents: Count
    dead: Count
    dead_documents: Count
    quarantined: Count
    oldest_waiting: int | None
    pause: Pause | None
    alarms: Sequence[TargetAlarm] = ()
    diverged: Count = Count(0)


def overview(connection: Connection, targets: Sequence[TargetSettings]) -> list[TargetState]:
    """Give each target that is configured, or that anything waits for."""
    endpoints = {one.name: one.endpoint for one in targets}
    waits, paused, alarms = queues(connection), pauses.current(connection), target_alarms.current(connection)
    names = [*endpoints, *sorted({*waits, *paused} - endpoints.keys())]
    return [
        _one(
            name,
            endpoints.get(name),
            waits.get(name, Queue()),
            paused.get(name),
            [alarm for alarm in alarms if alarm.target == name],
        )
        for name in names
    ]


def pause(connection: Connection, name: str, *, by: str, reason: str, now: int) -> bool:
    """Let a target get nothing until `resume`, and keep who did it; False where people have paused it already."""
    if not pauses.begin(connection, Pause(name, now, by, reason, automatic=False)):
        return False
    audit_log.append(connection, AuditEntry(now, by, "pause", name, 1, reason))
    return True


def resume(connection: Connection, name: str, *, by: str, reason: str, now: int) -> bool:
    """End a target's pause and its alarms, let what waits be tried at once, and keep who did it.

    False where it is neither paused nor in trouble.
    """
    was_paused, alarms = pauses.end(connection, name), target_alarms.end_all(connection, [name])
    hurried = outbox.hurry(connection, name) + documents.hurry(connection, name, now)
    if not (was_paused or alarms or hurried):
        return False
    audit_log.append(connection, AuditEntry(now, by, "resume", name, 1, reason))
    return True


def state_of(pause: Pause | None, alarms: Sequence[TargetAlarm], *, is_configured: bool) -> str:
    """Return how a target does in a word or two, from its pause and its alarms."""
    if pause is not None and not pause.automatic:
        return "paused"
    of_statements = next((alarm for alarm in alarms if alarm.request_kind == RequestKind.STATEMENTS), None)
    if of_statements is not None:
        return _STATES[AlarmState(of_statements.state)]
    return "flowing" if is_configured else "not configured"


_STATES = {
    AlarmState.NOT_ALLOWED: "not let in",
    AlarmState.REFUSING: "refusing",
    AlarmState.UNREACHABLE: "unreachable",
    AlarmState.FAULT: "interrupted",
}
_MATTERS = {
    AlarmState.NOT_ALLOWED: ("does not let the bridge in", ", since"),
    AlarmState.REFUSING: ("refuses everything", ", since"),
    AlarmState.UNREACHABLE: ("is unreachable", " since"),
    AlarmState.FAULT: ("gets nothing, as the bridge itself fails", ", since"),
}
_SUBJECTS = {
    RequestKind.VOIDING: " (statements that void others)",
    RequestKind.READING: " (reading statements back)",
    RequestKind.DOCUMENTS: " (documents)",
}


def alarm_text(alarm: TargetAlarm) -> str:
    """Say what an LRS does, as in "refuses everything", without what it answered."""
    return _MATTERS[AlarmState(alarm.state)][0] + _SUBJECTS.get(RequestKind(alarm.request_kind), "")


def alarm_text_since(alarm: TargetAlarm) -> str:
    """Say it so that a time can follow."""
    return alarm_text(alarm) + _MATTERS[AlarmState(alarm.state)][1]


def _one(
    name: str, endpoint: str | None, queue: Queue, paused: Pause | None, alarms: Sequence[TargetAlarm]
) -> TargetState:
    state = state_of(paused, alarms, is_configured=endpoint is not None)
    return TargetState(
        name,
        endpoint,
        state,
        queue.waiting,
        queue.waiting_documents,
        queue.dead,
        queue.dead_documents,
        queue.quarantined,
        queue.oldest,
        paused,
        alarms,
        queue.diverged,
    )
