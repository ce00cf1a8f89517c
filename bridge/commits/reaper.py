"""The reaper: ends sessions from which nothing has come for a long time.

Browsers that die, tablets that are put away and players that know no end leave sessions open. Their statements would
wait for a last word that never comes.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.commits.service import CommitService
from bridge.commits.work import Closing
from bridge.database import Database, describe
from bridge.errors import BridgeError
from storage import attempts

log = structlog.get_logger(__name__)

EVERY = 60.0
"""Seconds between looks."""
MOST_TOGETHER = 500


class Reaper:
    """Ends idle sessions; `idle_after` is in seconds."""

    def __init__(self, database: Database, commits: CommitService, now: Now, idle_after: int) -> None:
        self._database = database
        self._commits = commits
        self._now = now
        self._idle_after = idle_after
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Look again and again until `stop`. No fault of the database ends it."""
        while not self._stopping.is_set():
            try:
                while await self.reap() == MOST_TOGETHER:
                    pass
            except DBAPIError as error:
                log.error("reaping_interrupted", error=describe(error))  # noqa: TRY400 -- its own words hold values
            except Exception:
                log.exception("reaping_interrupted")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._stopping.wait()

    async def reap(self) -> int:
        """End sessions that are idle now, some hundreds at most; tell how many were."""
        idle_since = self._now() - self._idle_after * 1000
        found = await self._database.read(attempts.idle_sessions, idle_since, MOST_TOGETHER)
        ends = await asyncio.gather(
            *(self._commits.close(Closing(session_id, idle_since)) for session_id in found), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, BridgeError):
                raise end
        if found:
            log.info("idle_sessions_ended", sessions=len(found))
        return len(found)
