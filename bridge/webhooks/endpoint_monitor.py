"""Follows the endpoints of webhooks, whoever changes them in whichever process: what is queued, and who sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, log_failure
from bridge.forwarding.worker_pool import Worker
from bridge.periodic_task import PeriodicTask
from bridge.webhooks.subscriptions import Subscriptions
from storage import webhook_endpoints
from storage.webhook_endpoints import WebhookEndpoint

log = structlog.get_logger(__name__)

MONITOR_INTERVAL = 1.0
"""Seconds between polls: an endpoint that was added gets events of what comes after that."""
LEASE_PREFIX = "webhook/"
"""How the leases of endpoints begin; what follows is their number."""


class Sender(Worker, Protocol):
    """The worker of an endpoint."""

    def probe_now(self) -> None:
        """Try the endpoint at once, however long it was to wait."""


BuildSender = Callable[[WebhookEndpoint, str], Sender]
"""Makes the worker that sends to an endpoint under a lease of this name."""


class EndpointMonitor(PeriodicTask):
    """Keeps the subscriptions that commits are stored with, and the factories of the workers.

    `on_change` is called when there are other factories; `now` returns milliseconds since the epoch.
    """

    def __init__(
        self,
        database: Database,
        subscriptions: Subscriptions,
        build_sender: BuildSender,
        on_change: Callable[[], None],
        *,
        now: Now,
    ) -> None:
        super().__init__(MONITOR_INTERVAL)
        self._database = database
        self._subscriptions = subscriptions
        self._build_sender = build_sender
        self._on_change = on_change
        self._now = now
        self._known: dict[int, WebhookEndpoint] = {}
        self._senders: dict[int, Sender] = {}
        self._factories: dict[str, Callable[[], Worker]] = {}

    @property
    def factories(self) -> Mapping[str, Callable[[], Worker]]:
        """Return what makes each worker, by its lease; what is added later is in it as well."""
        return self._factories

    async def run_once(self) -> bool:
        """Read what endpoints there are, and forget secrets that have ended."""
        endpoints = await self._database.read(webhook_endpoints.endpoints)
        self.follow(endpoints)
        now = self._now()
        if any(endpoint.previous_until is not None and endpoint.previous_until <= now for endpoint in endpoints):
            await self._database.write_when_idle(webhook_endpoints.forget_ended_secrets, now)
        return False

    async def refresh_now(self) -> None:
        """Read what this process has just changed; if the database does not answer, the next poll will."""
        try:
            await self.run_once()
        except DATABASE_ERRORS as error:
            log_failure(log, "webhooks_not_read", error)

    def follow(self, endpoints: Sequence[WebhookEndpoint]) -> None:
        """Use these endpoints from now on."""
        before, self._known = self._known, {endpoint.id: endpoint for endpoint in endpoints}
        self._subscriptions.replace(endpoints)
        for endpoint_id in before.keys() - self._known.keys():
            del self._factories[lease_name(endpoint_id)]
            self._senders.pop(endpoint_id, None)
        for endpoint_id in self._known.keys() - before.keys():
            self._factories[lease_name(endpoint_id)] = partial(self._build, endpoint_id)
        if self._known.keys() != before.keys():
            self._on_change()
        for endpoint_id in self._known.keys() & self._senders.keys():
            if _may_work_again(before[endpoint_id], self._known[endpoint_id]):
                self._senders[endpoint_id].probe_now()

    def _build(self, endpoint_id: int) -> Worker:
        sender = self._build_sender(self._known[endpoint_id], lease_name(endpoint_id))
        self._senders[endpoint_id] = sender
        return sender


def lease_name(endpoint_id: int) -> str:
    """Return the name of the lease of whoever sends to an endpoint."""
    return f"{LEASE_PREFIX}{endpoint_id}"


def _may_work_again(before: WebhookEndpoint, now: WebhookEndpoint) -> bool:
    """Return whether somebody changed what requests may have failed for, or said that it works again."""
    is_resumed = before.paused_at is not None and now.paused_at is None
    # both are cleared by a success of ours, and by people
    is_cleared = before.trouble_since is not None and now.trouble_since is None
    return is_resumed or is_cleared or before.url != now.url or before.secret != now.secret
