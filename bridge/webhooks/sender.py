"""The sender of webhooks: takes an endpoint's events from the outbox to the endpoint, each enrollment's in order.

Trouble with the network or the receiver never ends a delivery; it is sent again for ever, under the same id. One that
is refused again and again, while the endpoint takes others, becomes dead, so that it holds up its enrollment no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import NamedTuple

import aiohttp
import structlog
from sqlalchemy import Connection

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_error_place
from bridge.forwarding.backoff import BASE_DELAY, MAX_DELAY, MAX_OUTAGE_DELAY, backoff_delay
from bridge.forwarding.breaker import Breaker
from bridge.forwarding.isolation import Isolation
from bridge.forwarding.outcomes import Reply, may_be_of_one, retry_after
from bridge.forwarding.polling_loop import PollingLoop
from bridge.metrics import Metrics
from bridge.metrics.catalog import WEBHOOK_DURATION, WEBHOOK_TRIES
from bridge.webhooks.event_types import WebhookEventType
from bridge.webhooks.transport import GONE, classify_answer, describe_reply, post_event
from storage import webhook_deliveries, webhook_endpoints
from storage.states import DeliveryState, TryOutcome
from storage.webhook_deliveries import ClaimedWebhookDelivery, WebhookSettlement
from storage.webhook_endpoints import WebhookEndpoint

log = structlog.get_logger(__name__)

MAX_REQUESTS = 8
"""Requests to an endpoint at a time, each of another enrollment."""
MAX_REFUSALS = 12
"""Refusals of a delivery, over some hours, after which it is dead if the endpoint took others meanwhile."""
TROUBLE_FAILURES = 3
"""Failures in a row after which an endpoint is shown as failing."""
FORGOTTEN_TYPES = (WebhookEventType.LEARNER_ERASED.value,)
"""Types of events that are deleted once they are delivered: they name somebody who is not to be known any more."""


class WebhookLease(NamedTuple):
    """The right to send to an endpoint: the name of the lease, and the process that holds it."""

    name: str
    owner: str


class _TriedDelivery(NamedTuple):
    """One delivery that was tried, when, and what came of it."""

    delivery: ClaimedWebhookDelivery
    started_at: int
    reply: Reply
    outcome: TryOutcome


class WebhookSender(PollingLoop):
    """Sends to one endpoint, as long as the process holds its lease.

    `now` returns milliseconds since the epoch, `random` numbers from 0 to 1.
    """

    def __init__(
        self,
        database: Database,
        session: aiohttp.ClientSession,
        endpoint: WebhookEndpoint,
        lease: WebhookLease,
        *,
        now: Now,
        random: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        breaker = Breaker(endpoint.name, random, kind="webhook")
        super().__init__(breaker, {"webhook": endpoint.name}, now=now, random=random)
        self._database = database
        self._session = session
        self._endpoint_id, self._name = endpoint.id, endpoint.name
        self._lease = lease
        self._metrics = metrics
        self._isolation = Isolation()
        self._address = endpoint.url

    def probe_now(self) -> None:
        """Try the endpoint at once, however long it was to wait."""
        self._breaker.probe_now()
        self.wake()

    async def _poll_once(self) -> bool:
        limit = MAX_REQUESTS if self._breaker.is_closed else 1
        endpoint, claimed = await self._database.read(self._claim, limit)
        if endpoint is None or not claimed:
            return False
        if endpoint.url != self._address:
            # what is known of the former address says nothing of this one
            self._address, self._isolation = endpoint.url, Isolation()
        results = await asyncio.gather(*(self._try(endpoint, delivery) for delivery in claimed))
        await self._settle(endpoint, results)
        return True

    async def _handle_fault(self, error: Exception) -> None:
        """Show the endpoint as failing where the bridge fails over it; while the database fails, nothing is stored."""
        if self._faults >= TROUBLE_FAILURES and not isinstance(error, DATABASE_ERRORS):
            trouble = f"the bridge failed: {describe_error_place(error)}"
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._database.write(webhook_endpoints.begin_trouble, self._endpoint_id, trouble, self._now())

    def _claim(self, connection: Connection, limit: int) -> tuple[WebhookEndpoint | None, list[ClaimedWebhookDelivery]]:
        """Return the endpoint as it is now, and what may be sent to it."""
        endpoint = webhook_endpoints.by_id(connection, self._endpoint_id)
        if endpoint is None or endpoint.paused_at is not None:
            return None, []
        claimed = webhook_deliveries.claim(
            connection,
            endpoint.id,
            lease_name=self._lease.name,
            owner=self._lease.owner,
            now=self._now(),
            limit=limit,
        )
        return endpoint, claimed

    async def _try(self, endpoint: WebhookEndpoint, delivery: ClaimedWebhookDelivery) -> _TriedDelivery:
        started_at = self._now()
        reply = await post_event(self._session, endpoint, delivery.message_id, delivery.body, self._now)
        outcome = classify_answer(reply)
        self._metrics.count(WEBHOOK_TRIES, (self._name, outcome))
        self._metrics.observe(WEBHOOK_DURATION, reply.took, (self._name,))
        return _TriedDelivery(delivery, started_at, reply, outcome)

    async def _settle(self, endpoint: WebhookEndpoint, results: list[_TriedDelivery]) -> None:
        """Store what came of some deliveries, and decide when the endpoint may be tried again."""
        delivered = [result for result in results if result.outcome is TryOutcome.DELIVERED]
        for result in delivered:
            self._isolation.record_success()
            self._isolation.forget(result.delivery.id)
        settlements = [_settlement(result, DeliveryState.DELIVERED, 0, self._now()) for result in delivered]
        final_reply: Reply | None = None
        trouble: _TriedDelivery | None = None
        failures = 0
        for result in results:
            if result.outcome is TryOutcome.DELIVERED:
                continue
            if result.reply.status == GONE:
                final_reply = result.reply
            if result.outcome is TryOutcome.REFUSED or may_be_of_one(result.reply, result.outcome):
                settlement, is_target_wide, count = self._fail_alone(result)
                failures = max(failures, count)
            else:
                settlement, is_target_wide = _settlement(result, DeliveryState.WAITING, 0, None), True
            settlements.append(settlement)
            if is_target_wide and trouble is None:
                trouble = result
        self._record_health(trouble, is_success=bool(delivered))
        await self._database.write(self._store, endpoint, settlements, final_reply, self._trouble(results, failures))
        if delivered:
            self._record_progress()

    def _fail_alone(self, result: _TriedDelivery) -> tuple[WebhookSettlement, bool, int]:
        """Return what becomes of a delivery that may be at fault itself, whether the endpoint is, and its failures."""
        delivery, reply = result.delivery, result.reply
        of = delivery.enrollment_id if delivery.enrollment_id is not None else f"delivery {delivery.id}"
        failure = self._isolation.record_failure(delivery.id, of)
        is_refusal = result.outcome is TryOutcome.REFUSED
        if is_refusal and failure.is_isolated and delivery.refusals + 1 >= MAX_REFUSALS:
            self._isolation.forget(delivery.id)
            log.error("webhook_dead", webhook=self._name, message=delivery.message_id, status=reply.status)
            return _settlement(result, DeliveryState.DEAD, 0, self._now()), False, 0
        max_delay = MAX_DELAY if failure.is_isolated else MAX_OUTAGE_DELAY
        requested = retry_after(reply, self._now())
        delay = backoff_delay(max(failure.failures, delivery.refusals), self._random, requested, max_delay=max_delay)
        not_before = self._now() + int(max(BASE_DELAY, delay) * 1000)
        settlement = _settlement(result, DeliveryState.WAITING, not_before, None)
        return settlement, failure.is_target_wide, 0 if failure.is_isolated else failure.failures

    def _record_health(self, trouble: _TriedDelivery | None, *, is_success: bool) -> None:
        """Close or open the circuit breaker, once for all that was tried together."""
        if trouble is not None:
            self._breaker.record_failure(trouble.outcome, trouble.reply, self._now(), max_delay=MAX_OUTAGE_DELAY)
        elif is_success:
            self._breaker.record_success()
        else:
            self._breaker.release()

    def _trouble(self, results: list[_TriedDelivery], failures: int) -> str | None:
        """Return how the endpoint fails, empty where it does not, None where that is not known yet."""
        if any(result.outcome is TryOutcome.DELIVERED for result in results):
            return ""
        if max(failures, self._breaker.failures) < TROUBLE_FAILURES:
            return None
        return describe_reply(results[-1].reply)

    def _store(
        self,
        connection: Connection,
        endpoint: WebhookEndpoint,
        settlements: list[WebhookSettlement],
        final_reply: Reply | None,
        trouble: str | None,
    ) -> None:
        webhook_deliveries.settle(connection, settlements, forgotten=FORGOTTEN_TYPES)
        now = self._now()
        if final_reply is not None:
            webhook_endpoints.pause(connection, endpoint.id, f"{describe_reply(final_reply)} (Gone)", now)
            webhook_endpoints.begin_trouble(connection, endpoint.id, describe_reply(final_reply), now)
            log.error("webhook_gone", webhook=self._name, remedy="correct its address, or remove it; then resume it")
        elif trouble:
            webhook_endpoints.begin_trouble(connection, endpoint.id, trouble, now)
        elif trouble is not None and endpoint.trouble_since is not None:
            webhook_endpoints.end_trouble(connection, endpoint.id)


def _settlement(
    result: _TriedDelivery, state: DeliveryState, not_before: int, settled_at: int | None
) -> WebhookSettlement:
    reply = result.reply
    is_refusal = result.outcome is TryOutcome.REFUSED
    return WebhookSettlement(
        result.delivery.id, state, result.started_at, settled_at, not_before, is_refusal, reply.status, reply.text
    )
