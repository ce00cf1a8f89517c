"""The pauses that people make, and the alarms of targets, as senders see them: looked up now and then."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe
from bridge.forwarding.alarms import TargetAlarms
from bridge.periodic_task import PeriodicTask
from storage import pauses, target_alarms
from storage.pauses import Pause
from storage.target_alarms import TargetAlarm

log = structlog.get_logger(__name__)

LOOK = 0.5
"""Seconds between looks: a pause that another process begins holds after so many."""


class PauseMonitor(PeriodicTask):
    """Shared by all senders of a process, which hold everything back until it has looked once.

    `now` gives milliseconds since the epoch; `wake` lets senders look when something is not held back any more.
    """

    def __init__(self, database: Database, now: Now, wake: Callable[[], None]) -> None:
        super().__init__(LOOK)
        self._database = database
        self._wake = wake
        self._known: dict[str, Pause] = {}
        self._is_sure = False
        self.alarms = TargetAlarms(database, now)

    def holds(self, target: str) -> bool:
        """Tell whether people have paused a target, as far as this process knows."""
        known = self._known.get(target)
        return not self._is_sure or (known is not None and not known.automatic)

    async def run_once(self) -> bool:
        """Learn what is paused now."""
        # one after the other: the later look must not end with what the earlier one read
        async with self.alarms.lock:
            known, alarms = await self._database.read(_stored)
            before, self._known = self._known, known
            self.alarms.follow(alarms)
            was_sure, self._is_sure = self._is_sure, True
        if not was_sure or any(not self.holds(target) for target, one in before.items() if not one.automatic):
            self._wake()
        return False

    async def follow_at_once(self) -> None:
        """Learn what this process has just changed: when this returns, no request is begun that a pause forbids.

        If the database does not answer any more, everything is held back until it does.
        """
        try:
            await self.run_once()
        except DATABASE_ERRORS as error:
            self._is_sure = False
            log.error("pauses_not_read", error=describe(error))  # noqa: TRY400 -- its own words hold rows' values


def _stored(connection: Connection) -> tuple[dict[str, Pause], list[TargetAlarm]]:
    return pauses.current(connection), target_alarms.current(connection)
