"""The reaper: ends sessions from which nothing has come for a long time.

Browsers that die, tablets that are put away and players that know no end leave sessions open. Their statements would
wait for a last word that never comes.
"""

from __future__ import annotations

import asyncio

import structlog

from bridge.clock import Now
from bridge.commits.service import CommitService
from bridge.commits.work import Closing
from bridge.database import Database
from bridge.watch import Watch, raise_unknown
from storage import attempts

log = structlog.get_logger(__name__)

EVERY = 60.0
"""Seconds between looks."""
MOST_TOGETHER = 500


class Reaper(Watch):
    """Ends idle sessions; `idle_after` is in seconds."""

    def __init__(self, database: Database, commits: CommitService, now: Now, idle_after: int) -> None:
        super().__init__(EVERY)
        self._database = database
        self._commits = commits
        self._now = now
        self._idle_after = idle_after

    async def look(self) -> bool:
        """End sessions that are idle now."""
        return await self.reap() == MOST_TOGETHER

    async def reap(self) -> int:
        """End sessions that are idle now, some hundreds at most; tell how many were."""
        idle_since = self._now() - self._idle_after * 1000
        found = await self._database.read(attempts.idle_sessions, idle_since, MOST_TOGETHER)
        raise_unknown(
            await asyncio.gather(
                *(self._commits.close(Closing(session_id, idle_since)) for session_id in found), return_exceptions=True
            )
        )
        if found:
            log.info("idle_sessions_ended", sessions=len(found))
        return len(found)
