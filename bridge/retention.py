"""Retention: deletes what has become older than the settings say, without holding commits up.

One process at a time does it, in transactions of low priority. It rests after each for some times as long as it took,
and makes them smaller where they take long.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from bridge.clock import Monotonic, NewId, Now
from bridge.database import Database
from bridge.periodic_task import PeriodicTask
from bridge.settings import RetentionSettings
from storage import leases, retention
from storage.retention import Sweep

log = structlog.get_logger(__name__)

RETENTION_INTERVAL = 3600.0
"""Seconds between two passes."""
MAX_BATCH_SIZE = 200
"""Rows that are deleted in one transaction."""
MIN_BATCH_SIZE = 10
MAX_BATCH_SECONDS = 0.02
"""Seconds that a transaction should take at most, as commits may wait for it."""
REST_FACTOR = 4.0
"""Times as long as a transaction took that is rested after it."""
LEASE_TTL = 60_000
"""Milliseconds after which another process may go on where one was killed."""
LEASE_RENEWAL = 20.0
"""Seconds after which the lease is renewed."""
_LEASE = "retention/all"
DAY = 86_400_000
"""Milliseconds."""


class Retention(PeriodicTask):
    """Deletes what is old; does nothing where the settings keep everything, which is the default."""

    def __init__(
        self, database: Database, settings: RetentionSettings, *, now: Now, new_id: NewId, monotonic: Monotonic
    ) -> None:
        super().__init__(RETENTION_INTERVAL)
        self._database = database
        self._now = now
        self._monotonic = monotonic
        self._owner = new_id()
        self._days = sweeps(settings)
        self._batch_size = MAX_BATCH_SIZE
        self._renewed_at = -LEASE_RENEWAL

    async def run_once(self) -> bool:
        """Make one pass over everything; there is nothing more to do until the next one."""
        for sweep, days in self._days:
            if self._stopping.is_set() or not await self._is_ours():
                break
            count = await self._sweep(sweep, self._now() - days * DAY)
            if count:
                log.info("retention", kind=sweep.name, rows=count, older_than_days=days)
        return False

    async def _sweep(self, sweep: Sweep, before: int) -> int:
        """Delete what is older than a time, in milliseconds since the epoch; return how many rows."""
        after, count = 0, 0
        while not self._stopping.is_set():
            scan = await self._database.read(sweep.find, after, before)
            ids = scan.ids
            while ids and not self._stopping.is_set():
                if not await self._is_ours():
                    return count
                part, ids = ids[: self._batch_size], ids[self._batch_size :]
                began = self._monotonic()
                count += await self._database.write_when_idle(sweep.remove, part)
                await self._rest(self._monotonic() - began)
            if scan.is_end:
                break
            after = scan.last_id
        return count

    async def _is_ours(self) -> bool:
        """Return whether this process is the one that deletes; another one may have taken over while it was frozen."""
        if self._monotonic() - self._renewed_at < LEASE_RENEWAL:
            return True
        shares = await self._database.write_when_idle(
            leases.share_out, owner=self._owner, names=[_LEASE], lasts=LEASE_TTL
        )
        is_ours = _LEASE in shares.held
        self._renewed_at = self._monotonic() if is_ours else -LEASE_RENEWAL
        return is_ours

    async def _rest(self, seconds: float) -> None:
        if seconds > MAX_BATCH_SECONDS:
            self._batch_size = max(MIN_BATCH_SIZE, self._batch_size // 2)
        else:
            self._batch_size = min(MAX_BATCH_SIZE, self._batch_size + MIN_BATCH_SIZE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * REST_FACTOR):
                await self._stopping.wait()


def sweeps(settings: RetentionSettings) -> Sequence[tuple[Sweep, int]]:
    """Return what is deleted, in this order, and after how many days."""
    days = (
        (retention.COMMITS, settings.commits),
        (retention.DELIVERIES, settings.deliveries),
        (retention.TRIES, settings.tries or settings.deliveries),
        (retention.WEBHOOKS, settings.webhooks),
        (retention.RECORDINGS, settings.recordings),
        (retention.REFUSALS, settings.refusals),
        (retention.AUDIT_LOG, settings.audit_log),
    )
    return [(sweep, limit) for sweep, limit in days if limit]
