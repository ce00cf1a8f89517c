"""The way to one target for one kind of delivery: what its senders share, and how well it does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.clock import Now
from bridge.forwarding.alarms import TargetAlarms
from bridge.forwarding.breaker import Breaker
from bridge.forwarding.isolation import Isolation
from bridge.forwarding.outcomes import Outcome, Reply
from bridge.forwarding.pause_monitor import PauseMonitor
from bridge.forwarding.transport import Transport
from storage.target_alarms import AlarmState, RequestKind

if TYPE_CHECKING:
    from bridge.forwarding.polling_worker import PollingWorker

UNREACHABLE_AFTER = 20.0
"""Seconds without success after which a target in trouble is an alarm."""
UNREACHABLE_FAILURES = 3
"""The same, in failures of the whole target."""


@dataclass(slots=True)
class TargetChannel:
    """Shared by all that send one kind of delivery to a target.

    Attributes:
        senders: those that run now.
        isolation: which single deliveries do not pass.
    """

    target: str
    kind: RequestKind
    transport: Transport
    breaker: Breaker
    pauses: PauseMonitor
    now: Now
    isolation: Isolation = field(default_factory=Isolation)
    senders: set[PollingWorker] = field(default_factory=set)
    _in_trouble_since: float | None = None

    def __post_init__(self) -> None:
        self.alarms.when_ended_elsewhere(self.target, self.hurry)

    @property
    def alarms(self) -> TargetAlarms:
        """Return the alarms of all targets."""
        return self.pauses.alarms

    def wake(self) -> None:
        """Let all its senders look now."""
        for sender in self.senders:
            sender.wake()

    def hurry(self) -> None:
        """Let the target be tried at once: somebody says that it is well again."""
        self.breaker.hurry()
        self.wake()

    async def passed(self) -> None:
        """Note that the target took something."""
        self._in_trouble_since = None
        self.breaker.succeeded()
        self.isolation.passed()
        await self.alarms.end(self.target, self.kind)

    async def answered(self) -> None:
        """Note that the target answered as an LRS does, although it did not take what it got."""
        self._in_trouble_since = None
        self.breaker.succeeded()
        await self.alarms.end(self.target, self.kind, AlarmState.UNREACHABLE, AlarmState.FAULT)

    async def failed(
        self, outcome: Outcome, reply: Reply, *, longest: float | None = None, is_sure: bool = True
    ) -> float:
        """Note trouble with the target as a whole, and return the seconds that it is left alone.

        Without `is_sure`, it may be of one of the statements that were sent.
        """
        seconds = self.breaker.failed(outcome, reply, self.now(), longest=longest)
        failures = UNREACHABLE_FAILURES if _bars(outcome) else self.breaker.failures
        await self.failed_alone(outcome, reply, failures=failures if is_sure else 0)
        return seconds

    async def failed_alone(self, outcome: Outcome, reply: Reply, *, failures: int = 0) -> None:
        """Note that something failed, so often, while nothing else is known to pass; raise an alarm when that lasts."""
        if outcome is Outcome.REFUSED:
            return
        time = asyncio.get_running_loop().time()
        if self._in_trouble_since is None:
            self._in_trouble_since = time
        lasts = time - self._in_trouble_since >= UNREACHABLE_AFTER or reply.took >= UNREACHABLE_AFTER
        if lasts or failures >= UNREACHABLE_FAILURES:
            state = AlarmState.NOT_ALLOWED if _bars(outcome) else AlarmState.UNREACHABLE
            await self.alarms.begin(self.target, self.kind, state, reply_text(reply))


def _bars(outcome: Outcome) -> bool:
    return outcome is Outcome.NOT_ALLOWED


def reply_text(reply: Reply) -> str:
    """Say what came back, with its status."""
    return reply.text if reply.status is None else f"the LRS answered {reply.status}: {reply.text}"
