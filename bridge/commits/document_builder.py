"""The builder of documents: soon after a session has ended, and now and then while it runs.

A commit only notes that its attempt's documents are due. That is stored with it, so nothing is forgotten when a process
dies, and what changes ten times meanwhile is built a document of once.
"""

from __future__ import annotations

from bridge.clock import Now
from bridge.commits.commands import BuildDocuments
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.periodic_task import ItemBackoff, PeriodicTask
from storage import attempts

BUILD_INTERVAL = 0.5
"""Seconds: what is due is built a little at a time, which commits hardly notice."""
BATCH_SIZE = 4
"""Attempts: commits that come meanwhile wait for all of them."""


class DocumentBuilder(PeriodicTask):
    """Builds the documents that are due."""

    def __init__(self, database: Database, commits: CommitService, now: Now) -> None:
        super().__init__(BUILD_INTERVAL)
        self._database = database
        self._commits = commits
        self._now = now
        self._backoff = ItemBackoff("documents", now)

    async def run_once(self) -> bool:
        """Build what is due now."""
        return await self.build(self._now())

    async def build(self, due: int) -> bool:
        """Build the documents that are due by a time, in milliseconds since the epoch, of some attempts.

        Return whether there may be more. An attempt whose documents cannot be built waits by itself.
        """
        limit = BATCH_SIZE + len(self._backoff)
        session_ids = self._backoff.due(await self._database.read(attempts.documents_due, due, limit), BATCH_SIZE)
        succeeded = await self._backoff.run_each(
            session_ids, lambda session_id: self._commits.build_documents(BuildDocuments(session_id, due))
        )
        return len(session_ids) == BATCH_SIZE and bool(succeeded)
