"""The pauses of targets, by people, and their alarms, polled for the workers of a process."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, log_failure
from bridge.forwarding.alarms import TargetAlarms
from bridge.periodic_task import PeriodicTask
from storage import pauses, target_alarms
from storage.pauses import Pause
from storage.target_alarms import TargetAlarm

log = structlog.get_logger(__name__)

POLL_INTERVAL = 0.5
"""Seconds between polls: a pause that another process begins is in effect after so many."""


class PauseMonitor(PeriodicTask):
    """Shared by all workers of a process, which send nothing until it has polled once.

    `now` returns milliseconds since the epoch; `wake` lets workers poll when a pause has ended.
    """

    def __init__(self, database: Database, now: Now, wake: Callable[[], None]) -> None:
        super().__init__(POLL_INTERVAL)
        self._database = database
        self._wake = wake
        self._known: dict[str, Pause] = {}
        self._is_current = False
        self.alarms = TargetAlarms(database, now)

    def is_paused(self, target: str) -> bool:
        """Return whether somebody has paused a target, as far as this process knows."""
        pause = self._known.get(target)
        return not self._is_current or (pause is not None and not pause.automatic)

    async def run_once(self) -> bool:
        """Read what is paused now."""
        # one after the other: the later poll must not end with what the earlier one read
        async with self.alarms.lock:
            current_pauses, alarms = await self._database.read(_read)
            before, self._known = self._known, current_pauses
            self.alarms.follow(alarms)
            was_current, self._is_current = self._is_current, True
        if not was_current or any(
            not self.is_paused(target) for target, pause in before.items() if not pause.automatic
        ):
            self._wake()
        return False

    async def refresh_now(self) -> None:
        """Read what this process has just changed: when this returns, no request is begun that a pause forbids.

        If the database does not answer any more, nothing is sent until it does.
        """
        try:
            await self.run_once()
        except DATABASE_ERRORS as error:
            self._is_current = False
            log_failure(log, "pauses_not_read", error)


def _read(connection: Connection) -> tuple[dict[str, Pause], list[TargetAlarm]]:
    return pauses.current(connection), target_alarms.current(connection)
