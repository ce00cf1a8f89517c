"""Webhooks in a process that serves: what commits are stored with, and the workers that send."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp

from bridge.clock import Now, random_id
from bridge.database import Database
from bridge.forwarding.worker_pool import WorkerPool
from bridge.http_client import open_session
from bridge.metrics import Metrics
from bridge.outgoing import OutgoingGuard
from bridge.webhooks.endpoint_monitor import EndpointMonitor
from bridge.webhooks.sender import WebhookLease, WebhookSender
from bridge.webhooks.subscriptions import Subscriptions
from bridge.webhooks.transport import REQUEST_TIMEOUT
from storage.webhook_endpoints import WebhookEndpoint


class WebhookService:
    """Sends webhooks apart from everything else: workers, connections and leases are its own.

    `now` returns milliseconds since the epoch, `random` numbers from 0 to 1.
    """

    def __init__(
        self,
        database: Database,
        guard: OutgoingGuard,
        *,
        now: Now,
        random: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._guard = guard
        self._now, self._random = now, random
        self._metrics = metrics
        self._owner = random_id()
        self._session: aiohttp.ClientSession | None = None
        self.subscriptions = Subscriptions()
        self.monitor = EndpointMonitor(database, self.subscriptions, self._build_sender, self._rebalance, now=now)
        self._pool = WorkerPool(database, self.monitor.factories, owner=self._owner)

    def wake(self) -> None:
        """Let the workers poll now: events were stored."""
        self._pool.wake()

    async def run(self) -> None:
        """Send until `stop`."""
        async with open_session(self._guard, timeout_seconds=REQUEST_TIMEOUT) as session:
            self._session = session
            await self._pool.run()

    def stop(self) -> None:
        """Stop after the requests that are in flight."""
        self._pool.stop()

    def _rebalance(self) -> None:
        self._pool.rebalance()

    def _build_sender(self, endpoint: WebhookEndpoint, lease_name: str) -> WebhookSender:
        assert self._session is not None  # noqa: S101 -- the pool runs only while it is open
        return WebhookSender(
            self._database,
            self._session,
            endpoint,
            WebhookLease(lease_name, self._owner),
            now=self._now,
            random=self._random,
            metrics=self._metrics,
        )
