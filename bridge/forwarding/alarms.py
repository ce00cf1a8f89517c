"""The alarms of targets: raised and cleared by the results of requests, and stored for all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from bridge.clock import Now
from bridge.database import Database
from storage import target_alarms
from storage.states import AlarmState, RequestKind
from storage.target_alarms import TargetAlarm

log = structlog.get_logger(__name__)

SEEN_INTERVAL = 20_000
"""Milliseconds at least between two updates of an alarm that lasts."""
MAX_ALARM_REASON_LENGTH = 500
"""Characters of an alarm's reason that are stored."""
_REMEDIES = {
    AlarmState.NOT_ALLOWED: "correct its credentials or permissions; it continues by itself",
    AlarmState.REFUSING: "see what it answers; statements wait instead of becoming dead, and it is probed now and then",
    AlarmState.UNREACHABLE: "it is probed at least once a minute, unless it asks for longer",
    AlarmState.FAULT: "please report the error that is logged as forwarding_interrupted",
}


class TargetAlarms:
    """Shared by all workers of a process; `now` returns milliseconds since the epoch."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now
        self._known: dict[tuple[str, str], TargetAlarm] = {}
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.lock = asyncio.Lock()
        """Held from reading all alarms to `follow`, so that no alarm is raised or cleared in between."""

    def state(self, target: str, kind: RequestKind) -> AlarmState | None:
        """Return the state of the alarm of such requests, as far as this process knows."""
        alarm = self._known.get((target, kind))
        return None if alarm is None else AlarmState(alarm.state)

    def on_external_end(self, target: str, callback: Callable[[], None]) -> None:
        """Call back when an alarm of a target was cleared elsewhere: the target is to be probed at once."""
        self._listeners.setdefault(target, []).append(callback)

    async def begin(self, target: str, kind: RequestKind, state: AlarmState, reason: str) -> None:
        """Raise an alarm, or update when it was last seen."""
        now = self._now()
        current = self._known.get((target, kind))
        is_recent = current is not None and current.state == state and abs(now - current.seen_at) < SEEN_INTERVAL
        if is_recent:
            return
        async with self.lock:
            since = current.since if current is not None and current.state == state else now
            alarm = TargetAlarm(target, kind.value, state.value, since, now, reason[:MAX_ALARM_REASON_LENGTH])
            is_new = await self._database.write(target_alarms.begin, alarm)
            self._known[target, kind] = alarm
            if is_new:
                log.error(
                    "target_alarm",
                    target=target,
                    requests=kind.value,
                    state=state.value,
                    consequence="nothing is lost",
                    remedy=_REMEDIES[state],
                )

    async def end(self, target: str, kind: RequestKind, *states: AlarmState) -> None:
        """Clear the alarm of such requests, as one succeeded; only one of these states where any are given."""
        current = self._known.get((target, kind))
        if current is None or (states and AlarmState(current.state) not in states):
            return
        async with self.lock:
            was_there = await self._database.write(target_alarms.end, target, kind.value)
            self._known.pop((target, kind), None)
            if was_there:
                log.info("target_alarm_ended", target=target, requests=kind.value)

    def follow(self, alarms: Sequence[TargetAlarm]) -> None:
        """Take over what is stored, under `lock`; targets whose alarms were cleared elsewhere are probed at once."""
        before, self._known = self._known, {(alarm.target, alarm.request_kind): alarm for alarm in alarms}
        for target in {target for target, kind in before if (target, kind) not in self._known}:
            for callback in self._listeners.get(target, ()):
                callback()
