"""The workers of a process: those whose leases it holds, so that processes share the forwarding."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import structlog

from bridge.database import DATABASE_ERRORS, Database, log_failure
from storage import leases
from storage.leases import Shares

log = structlog.get_logger(__name__)

LEASE_TTL = 15.0
"""Seconds that a lease lasts, and so the maximum that the work of a killed process waits."""
LEASE_POLL_INTERVAL = 1.0
"""Seconds between polls for leases that others hold."""
STOP_GRACE = 3.0
"""Seconds that a stopping bridge waits for requests in flight. What is cancelled then is sent again later."""
HANDOVER_GRACE = 10.0
"""The same where another process takes over: less than a lease lasts, as it is not renewed meanwhile."""


class Worker(Protocol):
    """Sends to a target until it is stopped. It is not started again."""

    async def run(self) -> None:
        """Send until `stop`. No error ends it."""

    def stop(self) -> None:
        """Stop after the requests that are in flight."""

    def wake(self) -> None:
        """Poll now: something was stored."""


class WorkerPool:
    """Runs a worker for each lease that this process holds.

    Args:
        database: where the leases are.
        factories: by the name of the lease, what makes its worker; there may be others later (see `rebalance`).
        owner: identifies this process: a UUID.
        lease_ttl: seconds that a lease lasts; it is renewed three times in these.
    """

    def __init__(
        self,
        database: Database,
        factories: Mapping[str, Callable[[], Worker]],
        *,
        owner: str,
        lease_ttl: float = LEASE_TTL,
    ) -> None:
        self._database = database
        self._factories = factories
        self._owner = owner
        self._lease_ttl = lease_ttl
        self._running: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._stopping = asyncio.Event()
        self._interrupted = asyncio.Event()

    def rebalance(self) -> None:
        """Start and stop workers now: there are other factories."""
        self._interrupted.set()

    def wake(self) -> None:
        """Let all workers poll now: something was stored."""
        for worker, _ in self._running.values():
            worker.wake()

    def stop(self) -> None:
        """Stop after the requests that are in flight."""
        self._stopping.set()
        self._interrupted.set()

    async def run(self) -> None:
        """Renew the leases and run their workers, until `stop`. No error ends it."""
        while not self._stopping.is_set():
            self._interrupted.clear()
            try:
                await self._balance()
            except DATABASE_ERRORS as error:
                # workers continue: they send only what they can claim, which checks the lease as well
                log_failure(log, "leases_not_renewed", error)
            except Exception:
                log.exception("leases_not_renewed")
            with contextlib.suppress(TimeoutError):
                # a lease that another process holds may be free any moment
                interval = self._lease_ttl if len(self._running) == len(self._factories) else LEASE_POLL_INTERVAL
                async with asyncio.timeout(min(self._lease_ttl / 3, interval)):
                    await self._interrupted.wait()
        await self._stop_workers(list(self._running), STOP_GRACE)
        with contextlib.suppress(*DATABASE_ERRORS):  # it expires by itself
            await self._database.write(leases.give_back, owner=self._owner)

    async def _balance(self) -> None:
        names = frozenset(self._factories)
        if not names and not self._running:
            return
        shares: Shares = await self._database.write(
            leases.share_out, owner=self._owner, names=names, lasts=int(self._lease_ttl * 1000)
        )
        surplus = (self._running.keys() - shares.held) | shares.excess
        if surplus:
            await self._stop_workers(surplus, min(HANDOVER_GRACE, self._lease_ttl / 2))
            await self._database.write(leases.give_back, owner=self._owner, names=surplus)
        for name in (shares.held - shares.excess - self._running.keys()) & self._factories.keys():
            worker = self._factories[name]()
            self._running[name] = (worker, asyncio.create_task(worker.run()))

    async def _stop_workers(self, names: Collection[str], grace: float) -> None:
        """Stop workers and wait for their requests in flight, for so many seconds; then cancel them."""
        ended = [self._running.pop(name) for name in list(names) if name in self._running]
        for worker, _ in ended:
            worker.stop()
        tasks = [task for _, task in ended]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            if late:
                log.warning("sends_cancelled", workers=len(late), consequence="they are sent again, under the same ids")
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
