"""The channel to one target for one kind of delivery: what its workers share, and its health."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.clock import Now
from bridge.forwarding.alarms import TargetAlarms
from bridge.forwarding.breaker import UNREACHABLE_FAILURES, Breaker
from bridge.forwarding.isolation import Isolation
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.pause_monitor import PauseMonitor
from bridge.forwarding.transport import Transport
from bridge.metrics import Metrics, Sample
from bridge.metrics.catalog import BREAKER_OPEN, LRS_DURATION, TRIES
from bridge.tracing import Tracing
from storage.states import AlarmState, RequestKind, TryOutcome

if TYPE_CHECKING:
    from bridge.forwarding.polling_worker import PollingWorker

UNREACHABLE_AFTER = 20.0
"""Seconds of failures after which an alarm is raised."""


@dataclass(slots=True)
class TargetChannel:
    """Shared by all workers that send one kind of delivery to a target.

    Attributes:
        workers: those that run now.
        isolation: which single deliveries fail.
    """

    target: str
    kind: RequestKind
    transport: Transport
    breaker: Breaker
    pauses: PauseMonitor
    now: Now
    metrics: Metrics
    tracing: Tracing
    isolation: Isolation = field(default_factory=Isolation)
    workers: set[PollingWorker] = field(default_factory=set)
    _failing_since: float | None = None

    def __post_init__(self) -> None:
        self.alarms.on_external_end(self.target, self.probe_now)
        self.metrics.add_source(self._measure_breaker)

    @property
    def alarms(self) -> TargetAlarms:
        """Return the alarms of all targets."""
        return self.pauses.alarms

    def count_tries(self, outcome: TryOutcome, deliveries: int, duration_ms: int) -> None:
        """Count the results of an exchange with the LRS."""
        self.metrics.count(TRIES, (self.target, self.kind, outcome), deliveries)
        self.metrics.observe(LRS_DURATION, duration_ms / 1000, (self.target, self.kind))

    def wake(self) -> None:
        """Let all its workers poll now."""
        for worker in self.workers:
            worker.wake()

    def probe_now(self) -> None:
        """Probe the target at once: somebody says that it works again."""
        self.breaker.probe_now()
        self.wake()

    async def record_success(self) -> None:
        """Record that the target accepted something."""
        self._failing_since = None
        self.breaker.record_success()
        self.isolation.record_success()
        await self.alarms.end(self.target, self.kind)

    async def record_response(self) -> None:
        """Record that the target answered as an LRS does, although it did not accept what was sent."""
        self._failing_since = None
        self.breaker.record_success()
        await self.alarms.end(self.target, self.kind, AlarmState.UNREACHABLE, AlarmState.FAULT)

    async def record_failure(
        self, outcome: TryOutcome, reply: Reply, *, max_delay: float | None = None, is_sure: bool = True
    ) -> float:
        """Record a failure of the target as a whole, and return the seconds until it is probed.

        Without `is_sure`, one of the statements that were sent may be at fault.
        """
        seconds = self.breaker.record_failure(outcome, reply, self.now(), max_delay=max_delay)
        failures = UNREACHABLE_FAILURES if _is_denied(outcome) else self.breaker.failures
        await self.record_isolated_failure(outcome, reply, failures=failures if is_sure else 0)
        return seconds

    async def record_isolated_failure(self, outcome: TryOutcome, reply: Reply, *, failures: int = 0) -> None:
        """Record that a delivery failed, so often, while no other is known to succeed; raise an alarm if that lasts."""
        if outcome is TryOutcome.REFUSED:
            return
        time = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = time
        lasts = time - self._failing_since >= UNREACHABLE_AFTER or reply.took >= UNREACHABLE_AFTER
        if lasts or failures >= UNREACHABLE_FAILURES:
            state = AlarmState.NOT_ALLOWED if _is_denied(outcome) else AlarmState.UNREACHABLE
            await self.alarms.begin(self.target, self.kind, state, reply_text(reply))

    def _measure_breaker(self) -> Iterable[Sample]:
        return (Sample(BREAKER_OPEN, (self.target, self.kind), not self.breaker.is_closed),)


def _is_denied(outcome: TryOutcome) -> bool:
    return outcome is TryOutcome.NOT_ALLOWED


def reply_text(reply: Reply) -> str:
    """Return what came back, with its status, as text."""
    return reply.text if reply.status is None else f"the LRS answered {reply.status}: {reply.text}"
