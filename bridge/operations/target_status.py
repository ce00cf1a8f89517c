"""The status of targets: their queues, pauses and alarms, and one rule for the state that follows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from bridge.settings import TargetSettings
from storage import pauses, target_alarms
from storage.pauses import Pause
from storage.queries.keyset import Count
from storage.queries.queues import Queue, queues
from storage.states import AlarmState, RequestKind
from storage.target_alarms import TargetAlarm


class TargetState(StrEnum):
    """The state of a target's statements."""

    FLOWING = "flowing"
    """Statements are sent as they are made."""
    PAUSED = "paused"
    """Somebody paused the target."""
    UNAUTHORIZED = "unauthorized"
    """The LRS denies the bridge access (401, or 403 to everything)."""
    REFUSING = "refusing"
    """The LRS refuses every statement."""
    UNREACHABLE = "unreachable"
    """The LRS cannot be reached, or fails."""
    INTERRUPTED = "interrupted"
    """The bridge itself fails to send."""
    NOT_CONFIGURED = "not configured"
    """Deliveries wait for a target that the settings do not have."""


ALARM_STATES = {
    AlarmState.NOT_ALLOWED: TargetState.UNAUTHORIZED,
    AlarmState.REFUSING: TargetState.REFUSING,
    AlarmState.UNREACHABLE: TargetState.UNREACHABLE,
    AlarmState.FAULT: TargetState.INTERRUPTED,
}
"""The state that an alarm of a target's statements puts it in."""


class TargetStatus(NamedTuple):
    """A target and what waits for it; no count goes further than `queues.COUNTED`.

    Attributes:
        name: empty for what waits while no LRS is configured.
        endpoint: None for a target that is not configured any more.
        oldest_waiting: when the oldest waiting statement was made, in milliseconds since the epoch.
        waiting_removals: statements to void and documents to delete for erasures.
        oldest_removal: when the oldest of these was asked for, in milliseconds since the epoch.
        diverged: dead deliveries whose LRS has a statement of another history of this database under their id.
        form: what it gets differently from what the mapping says, in words; empty for nothing.
    """

    name: str
    endpoint: str | None
    state: TargetState
    waiting: Count
    waiting_documents: Count
    dead: Count
    dead_documents: Count
    quarantined: Count
    oldest_waiting: int | None
    pause: Pause | None
    alarms: Sequence[TargetAlarm] = ()
    diverged: Count = Count(0)
    form: str = ""
    waiting_removals: Count = Count(0)
    oldest_removal: int | None = None

    @property
    def since(self) -> int | None:
        """Return since when the state is what it is, in milliseconds since the epoch; None where it is flowing."""
        if self.state is TargetState.PAUSED:
            return None if self.pause is None else self.pause.since
        if self.state not in ALARM_STATES.values():
            return None
        return next((alarm.since for alarm in self.alarms if ALARM_STATES[AlarmState(alarm.state)] is self.state), None)


def target_statuses(connection: Connection, targets: Sequence[TargetSettings]) -> list[TargetStatus]:
    """Return the status of each target that is configured, or that anything waits for."""
    endpoints = {target.name: target.endpoint for target in targets}
    forms = {target.name: target.form_description for target in targets}
    waiting, paused, alarms = queues(connection), pauses.current(connection), target_alarms.current(connection)
    names = [*endpoints, *sorted({*waiting, *paused} - endpoints.keys())]
    return [
        _status(
            name,
            endpoints.get(name),
            waiting.get(name, Queue()),
            paused.get(name),
            [alarm for alarm in alarms if alarm.target == name],
            forms.get(name, ""),
        )
        for name in names
    ]


def target_state(pause: Pause | None, alarms: Sequence[TargetAlarm], *, is_configured: bool) -> TargetState:
    """Return the state of a target from its pause and its alarms."""
    if pause is not None and not pause.automatic:
        return TargetState.PAUSED
    of_statements = next((alarm for alarm in alarms if alarm.request_kind == RequestKind.STATEMENTS), None)
    if of_statements is not None:
        return ALARM_STATES[AlarmState(of_statements.state)]
    return TargetState.FLOWING if is_configured else TargetState.NOT_CONFIGURED


_ALARMS = {
    AlarmState.NOT_ALLOWED: ("denies the bridge access", ", since"),
    AlarmState.REFUSING: ("refuses everything", ", since"),
    AlarmState.UNREACHABLE: ("is unreachable", " since"),
    AlarmState.FAULT: ("receives nothing, as the bridge itself fails", ", since"),
}
_REQUESTS = {
    RequestKind.VOIDING: " (statements that void others)",
    RequestKind.READING: " (reading statements back)",
    RequestKind.DOCUMENTS: " (documents)",
}


def describe_alarm(alarm: TargetAlarm) -> str:
    """Return an alarm as a predicate of the LRS, as in "refuses everything", without what the LRS answered."""
    return _ALARMS[AlarmState(alarm.state)][0] + _REQUESTS.get(RequestKind(alarm.request_kind), "")


def describe_alarm_since(alarm: TargetAlarm) -> str:
    """Return the same so that a time can follow, as in "refuses everything, since"."""
    return describe_alarm(alarm) + _ALARMS[AlarmState(alarm.state)][1]


def _status(
    name: str, endpoint: str | None, queue: Queue, paused: Pause | None, alarms: Sequence[TargetAlarm], form: str
) -> TargetStatus:
    return TargetStatus(
        name,
        endpoint,
        target_state(paused, alarms, is_configured=endpoint is not None),
        queue.waiting,
        queue.waiting_documents,
        queue.dead,
        queue.dead_documents,
        queue.quarantined,
        queue.oldest,
        paused,
        alarms,
        queue.diverged,
        form,
        queue.removals,
        queue.oldest_removal,
    )
