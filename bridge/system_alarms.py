"""Alarms about the bridge itself: raised and cleared while it runs, and logged once for each change.

They are kept in memory, for this process alone, and name nobody.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog

from bridge.clock import Monotonic, Now

log = structlog.get_logger(__name__)


class AlarmCode(StrEnum):
    """What can be wrong with the bridge itself."""

    LOW_DISK = "low-disk"
    """The disk of the database is nearly full: nothing new is stored."""
    NOT_STORED = "commits-not-stored"
    """The database does not store commits."""
    OVER_LIMIT = "over-limit"
    """Clients exceed their budgets and are refused."""


@dataclass(frozen=True, slots=True)
class SystemAlarm:
    """An alarm that is raised; `since` is in milliseconds since the epoch."""

    code: AlarmCode
    since: int
    detail: str


class SystemAlarms:
    """The alarms that are raised now. Any thread may use it."""

    def __init__(self, now: Now, monotonic: Monotonic) -> None:
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._current: dict[AlarmCode, tuple[SystemAlarm, float | None]] = {}

    def raise_alarm(self, code: AlarmCode, detail: str, *, for_seconds: float | None = None) -> None:
        """Raise an alarm, or renew one that is raised; after `for_seconds` it is cleared by itself."""
        until = None if for_seconds is None else self._monotonic() + for_seconds
        with self._lock:
            earlier = self._current.get(code)
            alarm = SystemAlarm(code, self._now(), detail) if earlier is None else replace(earlier[0], detail=detail)
            self._current[code] = alarm, until
        if earlier is None:
            log.error("alarm_raised", alarm=str(code), detail=detail)

    def clear(self, code: AlarmCode) -> None:
        """Clear an alarm, if it is raised."""
        if code not in self._current:
            return
        with self._lock:
            cleared = self._current.pop(code, None)
        if cleared is not None:
            log.info("alarm_cleared", alarm=str(code))

    def current(self) -> list[SystemAlarm]:
        """Return the alarms that are raised, oldest first."""
        now = self._monotonic()
        for code in [code for code, (_, until) in [*self._current.items()] if until is not None and until <= now]:
            self.clear(code)
        with self._lock:
            return [alarm for alarm, _ in self._current.values()]
