"""What waits for LRSs, counted now and then and no further than a limit, for all who ask meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bridge.clock import Monotonic, Now
from bridge.database import Database, describe_error
from bridge.single_flight import SingleFlight
from storage import pauses, target_alarms
from storage.database_files import DatabaseFileLostError
from storage.pauses import Pause
from storage.queries.queues import waiting_by_target
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
    """Numbers by target, and the targets that are paused or in trouble, as of `counted_at` (ms since the epoch)."""

    statements: dict[str, int]
    documents: dict[str, int]
    pauses: dict[str, Pause]
    target_alarms: list[TargetAlarm]
    counted_at: int


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
                log.warning("backlog_not_counted", error=describe_error(error))
        return self._counts

    async def _count(self) -> None:
        counted = await self._database.read(_waiting)
        self._counts = WaitingCounts(*counted, self._now())
        self._fresh_until = self._monotonic() + COUNT_TTL


def _waiting(connection: Connection) -> tuple[dict[str, int], dict[str, int], dict[str, Pause], list[TargetAlarm]]:
    statements, documents = waiting_by_target(connection, COUNT_LIMIT)
    return statements, documents, pauses.current(connection), target_alarms.current(connection)
