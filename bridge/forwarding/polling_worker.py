"""What the workers that send to an LRS have in common: a channel, its pauses, and an alarm where they fail."""

from __future__ import annotations

import contextlib
from abc import ABC
from collections.abc import Callable

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, describe_error_place
from bridge.forwarding.channel import TargetChannel
from bridge.forwarding.polling_loop import POLL_INTERVAL, PollingLoop
from bridge.forwarding.transport import TargetPausedError
from storage.states import AlarmState

FAULT_ALARM_THRESHOLD = 3
"""Unexpected errors of a worker in a row after which an alarm is raised."""


class PollingWorker(PollingLoop, ABC):
    """A worker that sends one kind of delivery on a channel, which it may share with others.

    `now` returns milliseconds since the epoch, `random` numbers from 0 to 1.
    """

    def __init__(self, channel: TargetChannel, *, now: Now, random: Callable[[], float]) -> None:
        super().__init__(channel.breaker, {"target": channel.target}, now=now, random=random)
        self._channel = channel
        self._target = channel.target
        self._transport, self._pauses = channel.transport, channel.pauses
        self._assigned_at = 0

    def _may_assign(self) -> bool:
        """Return whether it is time to look for what waits for no target in particular."""
        if abs(self._now() - self._assigned_at) < POLL_INTERVAL * 1000:
            return False
        self._assigned_at = self._now()
        return True

    async def run(self) -> None:
        """Send until `stop`. No error of database or LRS ends it."""
        self._channel.workers.add(self)
        try:
            await super().run()
        finally:
            self._channel.workers.discard(self)

    async def _poll_if_allowed(self) -> bool:
        try:
            return not self._pauses.is_paused(self._target) and await self._poll_once()
        except TargetPausedError:
            return False

    async def _handle_fault(self, error: Exception) -> None:
        """Raise an alarm where a worker fails again and again; while the database fails, nothing can be stored."""
        if self._faults >= FAULT_ALARM_THRESHOLD and not isinstance(error, DATABASE_ERRORS):
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._channel.alarms.begin(
                    self._target,
                    self._channel.kind,
                    AlarmState.FAULT,
                    f"the bridge failed: {describe_error_place(error)}",
                )
