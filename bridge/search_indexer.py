"""The indexer: soon after an enrollment is new or has another name, people find it by that."""

from __future__ import annotations

from bridge.clock import Now
from bridge.database import Database
from bridge.periodic_task import PeriodicTask
from storage import search_index

INDEX_INTERVAL = 2.0
"""Seconds."""
SETTLED_AFTER = 300_000
"""Milliseconds after which no transaction is under way that could still bring an enrollment of a lower id."""


class SearchIndexer(PeriodicTask):
    """Keeps the search index up to date, a little at a time.

    All enrollments are looked at twice: as soon as they are there, and when no other can come in between any more. How
    far that has come is stored; after an upgrade, all older ones are indexed so.
    """

    def __init__(self, database: Database, now: Now) -> None:
        super().__init__(INDEX_INTERVAL)
        self._database = database
        self._now = now
        self._ahead = 0

    async def run_once(self) -> bool:
        """Add some to the index; return whether there are more."""
        return await self._rename() or await self._settle() or await self._look_ahead()

    async def index(self) -> None:
        """Add all that there is to the index."""
        while await self.run_once():
            pass

    async def _rename(self) -> bool:
        # commits come first: writes of low priority wait for them
        batch = await self._database.read(search_index.load_renames)
        return batch.has_more and await self._database.people.write(search_index.store, batch)

    async def _settle(self) -> bool:
        after = await self._database.read(search_index.progress)
        batch = await self._database.read(
            search_index.load_enrollments,
            after,
            created_before=self._now() - SETTLED_AFTER,
            # what was looked at before may have got another name since, by another enrollment
            renames=after >= self._ahead,
        )
        return batch.reached > after and await self._database.people.write(search_index.store, batch, batch.reached)

    async def _look_ahead(self) -> bool:
        after = max(self._ahead, await self._database.read(search_index.progress))
        batch = await self._database.read(search_index.load_enrollments, after)
        if batch.entries and not await self._database.people.write(search_index.store, batch):
            return False
        self._ahead = batch.reached
        return batch.has_more
