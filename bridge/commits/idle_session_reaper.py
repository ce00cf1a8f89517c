"""The reaper: ends sessions from which nothing has come for a long time.

Browsers that die, tablets that are put away and players that know no end leave sessions open. Their statements would
wait for a last word that never comes.
"""

from __future__ import annotations

from typing import NamedTuple

import structlog

from bridge.clock import Now
from bridge.commits.commands import CloseIdleSession
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.periodic_task import ItemBackoff, PeriodicTask
from storage import attempts

log = structlog.get_logger(__name__)

REAP_INTERVAL = 60.0
"""Seconds."""
BATCH_SIZE = 500


class _Reaped(NamedTuple):
    """How many sessions were ended, and whether there may be more."""

    ended: int
    may_be_more: bool


class IdleSessionReaper(PeriodicTask):
    """Ends idle sessions; `idle_after` is in seconds."""

    def __init__(self, database: Database, commits: CommitService, now: Now, idle_after: int) -> None:
        super().__init__(REAP_INTERVAL)
        self._database = database
        self._commits = commits
        self._now = now
        self._idle_after = idle_after
        self._backoff = ItemBackoff("idle sessions", now)

    async def run_once(self) -> bool:
        """End sessions that are idle now; return whether there may be more, and some of these were ended."""
        reaped = await self._reap()
        return reaped.may_be_more and reaped.ended > 0

    async def reap(self) -> int:
        """End sessions that are idle now, some hundreds at most; return how many were ended."""
        return (await self._reap()).ended

    async def _reap(self) -> _Reaped:
        idle_since = self._now() - self._idle_after * 1000
        limit = BATCH_SIZE + len(self._backoff)
        idle = await self._database.read(attempts.idle_sessions, idle_since, limit)
        session_ids = self._backoff.due(idle, BATCH_SIZE)
        results = await self._backoff.run_each(
            session_ids, lambda session_id: self._commits.close_idle_session(CloseIdleSession(session_id, idle_since))
        )
        ended = sum(results)
        if ended:
            log.info("idle_sessions_ended", sessions=ended)
        return _Reaped(ended, may_be_more=len(session_ids) == BATCH_SIZE)
