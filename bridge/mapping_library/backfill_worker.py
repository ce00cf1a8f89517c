"""Runs the backfills that people started on the pages: a part at a time, where commits leave the database time for it.

A part is one transaction, with its progress, so that a process that dies, or a lease that changes hands, repeats and
leaves out nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection

from bridge.clock import Monotonic, Now
from bridge.database import Database
from bridge.mapping_library.backfill import Backfill
from bridge.periodic_task import PeriodicTask
from bridge.settings import TargetSettings
from storage import backfill_runs
from storage.backfill import BackfillSpan
from storage.backfill_runs import RUNNING, BackfillProgress
from storage.states import BackfillState

LEASE = "backfills"
"""The lease of the one process that runs them."""
POLL_INTERVAL = 1.0
"""Seconds between two looks whether there is one to run."""
MIN_REST = 0.01
"""Seconds that the database is left alone after a part at least; after a longer one, for as long as it took."""


class BackfillWorker(PeriodicTask):
    """A worker of the pool. It is not started again."""

    def __init__(
        self, database: Database, targets: Sequence[TargetSettings], *, now: Now, monotonic: Monotonic
    ) -> None:
        super().__init__(POLL_INTERVAL)
        self._database = database
        self._targets = {target.name: target for target in targets}
        self._now = now
        self._monotonic = monotonic

    def wake(self) -> None:
        """Let statements that were just stored be: they are queued already."""

    async def run_once(self) -> bool:
        """Run a part of each; return whether there was any."""
        names = await self._database.read(backfill_runs.running, list(self._targets))
        for name in names:
            started_at = self._monotonic()
            work = Backfill(self._database.engine, self._targets[name], BackfillSpan(), self._now)
            await self._database.write_when_idle(self._run_part, work, name)
            await asyncio.sleep(max(MIN_REST, self._monotonic() - started_at))
        return bool(names)

    def _run_part(self, connection: Connection, work: Backfill, name: str) -> None:
        run = backfill_runs.lock(connection, name)
        if run is None or run.state not in RUNNING:  # it was paused a moment ago
            return
        is_count = run.state == BackfillState.COUNTING
        part = (work.look_at if is_count else work.queue_part)(connection, run.last_attempt)
        if part is None:
            backfill_runs.finish(connection, run, self._now())
            return
        progress = BackfillProgress(len(part.ids), part.ids[-1], part.statements, work.report.withheld, part.newest)
        backfill_runs.advance(connection, run, progress, self._now())
