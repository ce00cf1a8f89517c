"""The maker of documents: soon after a session has ended, and now and then while it runs.

A commit only notes that its attempt's documents are due. That is stored with it, so nothing is forgotten when a process
dies, and what changes ten times meanwhile is made a document of once.
"""

from __future__ import annotations

from bridge.clock import Now
from bridge.commits.commands import BuildDocuments
from bridge.commits.service import CommitService
from bridge.database import Database
from bridge.periodic_task import ItemBackoff, PeriodicTask
from storage import attempts

INTERVAL = 0.5
"""Seconds between looks: what is due is made in small helpings, which commits hardly notice."""
BATCH_SIZE = 4
"""Attempts: commits that come meanwhile wait for all of them."""


class DocumentBuilder(PeriodicTask):
    """Makes the documents that are due."""

    def __init__(self, database: Database, commits: CommitService, now: Now) -> None:
        super().__init__(INTERVAL)
        self._database = database
        self._commits = commits
        self._now = now
        self._backoff = ItemBackoff("documents", now)

    async def run_once(self) -> bool:
        """Make what is due now."""
        return await self.make(self._now())

    async def make(self, due: int) -> bool:
        """Make the documents that are due by a time, in milliseconds since the epoch, of some attempts.

        Tells whether there may be more. An attempt whose documents cannot be made waits by itself.
        """
        most = BATCH_SIZE + len(self._backoff)
        found = self._backoff.due(await self._database.read(attempts.documents_due, due, most), BATCH_SIZE)
        succeeded = await self._backoff.run_each(
            found, lambda session_id: self._commits.make_documents(BuildDocuments(session_id, due))
        )
        return len(found) == BATCH_SIZE and bool(succeeded)
