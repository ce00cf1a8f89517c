"""What waits for LRSs, counted now and then and no further than a limit, for all who ask meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bridge.clock import Monotonic, Now
from bridge.database import Database, log_failure
from bridge.single_flight import SingleFlight
from storage import disk_space, pauses, target_alarms
from storage.database_files import DatabaseFileLostError
from storage.pauses import Pause
from storage.queries.queues import Queue, queues
from storage.target_alarms import TargetAlarm

log = structlog.get_logger(__name__)

COUNT_LIMIT = 10_000
"""Rows for each target beyond which nothing is counted: a number of 10,000 means that many or more."""
COUNT_TTL = 5.0
"""Seconds for which numbers are not counted again."""
COUNT_TIMEOUT = 1.0
"""Seconds that somebody who asks waits for new numbers."""


@dataclass(frozen=True, slots=True)
class WaitingCounts:
    """Queues by target, the targets that are paused or in trouble, and the database's size in bytes.

    `counted_at` is in milliseconds since the epoch; no number goes further than `COUNT_LIMIT`.
    """

    queues: dict[str, Queue]
    pauses: dict[str, Pause]
    target_alarms: list[TargetAlarm]
    database_bytes: int
    counted_at: int

    @property
    def statements(self) -> dict[str, int]:
        """Return the statements that wait, by target."""
        return {name: queue.waiting.number for name, queue in self.queues.items() if queue.waiting.number}

    @property
    def documents(self) -> dict[str, int]:
        """Return the documents that wait, by target."""
        return {
            name: queue.waiting_documents.number
            for name, queue in self.queues.items()
            if queue.waiting_documents.number
        }

    @property
    def removals(self) -> dict[str, int]:
        """Return what targets have still to remove, by target."""
        return {name: queue.removals.number for name, queue in self.queues.items() if queue.removals.number}


class Backlog:
    """Counts what waits, once at a time and every few seconds at most."""

    def __init__(self, database: Database, now: Now, monotonic: Monotonic) -> None:
        self._database = database
        self._now = now
        self._monotonic = monotonic
        self._counts: WaitingCounts | None = None
        self._fresh_until = 0.0
        self._counting = SingleFlight(self._count)

    async def current(self) -> WaitingCounts | None:
        """Return the numbers, those of a while ago if counting takes long; None if there are none yet."""
        if self._counts is None or self._monotonic() >= self._fresh_until:
            try:
                await self._counting.result(COUNT_TIMEOUT)
            except TimeoutError:
                pass
            except (DBAPIError, DatabaseFileLostError) as error:
                log_failure(log, "backlog_not_counted", error)
        return self._counts

    async def _count(self) -> None:
        counted = await self._database.read(_waiting)
        self._counts = WaitingCounts(*counted, self._now())
        self._fresh_until = self._monotonic() + COUNT_TTL


def _waiting(connection: Connection) -> tuple[dict[str, Queue], dict[str, Pause], list[TargetAlarm], int]:
    return (
        queues(connection, COUNT_LIMIT),
        pauses.current(connection),
        target_alarms.current(connection),
        disk_space.database_bytes(connection),
    )
