"""What everything that sends to an LRS has in common: round after round, as long as there is something to send."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable

import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, describe_place
from bridge.forwarding.backoff import AWAY, delay
from bridge.forwarding.channel import TargetChannel
from bridge.forwarding.transport import TargetPausedError
from storage.target_alarms import AlarmState

log = structlog.get_logger(__name__)

POLL = 1.0
"""Seconds between looks for something to send: what other processes store is not announced."""

ALARMING_FAULTS = 3
"""Unexpected errors of a sender, one after the other, that are an alarm."""


class PollingWorker(ABC):
    """A sender of its own kind plays its rounds, on a channel that it may share with others.

    `now` gives milliseconds since the epoch, `random` numbers from 0 to 1.
    """

    def __init__(self, channel: TargetChannel, *, now: Now, random: Callable[[], float]) -> None:
        self._channel = channel
        self._target = channel.target
        self._transport, self._breaker, self._pauses = channel.transport, channel.breaker, channel.pauses
        self._now = now
        self._random = random
        self._faults = 0
        self._added = asyncio.Event()
        self._stopping = asyncio.Event()
        self._looked_at = 0

    @abstractmethod
    async def _round(self) -> bool:
        """Send what may be sent now, a little of it; tell whether there was anything."""

    def _may_look(self) -> bool:
        """Tell, once in a while, that it is time to look for what waits for no target in particular."""
        if abs(self._now() - self._looked_at) < POLL * 1000:
            return False
        self._looked_at = self._now()
        return True

    def wake(self) -> None:
        """Look now: something was stored."""
        self._added.set()

    def stop(self) -> None:
        """Send nothing more after what is on its way."""
        self._stopping.set()
        self._added.set()

    async def run(self) -> None:
        """Send until `stop`. No fault of database or LRS ends it."""
        self._channel.senders.add(self)
        try:
            await self._rounds()
        finally:
            self._channel.senders.discard(self)

    def _progressed(self) -> None:
        """Note that something arrived: the next unexpected error is the first in a row."""
        self._faults = 0

    def _report_fault(self, error: Exception, **about: object) -> None:
        """Log an error that nobody foresaw: one line, with the traceback for the first in a row only."""
        self._faults += 1
        is_known = isinstance(error, DATABASE_ERRORS)  # whose own words hold rows' values
        log.error(
            "forwarding_interrupted",
            target=self._target,
            sender=type(self).__name__,
            error=describe_place(error),
            failures=self._faults,
            exc_info=error if self._faults == 1 and not is_known else None,
            **about,
        )

    async def _rounds(self) -> None:
        while await self._breaker.passed(self._stopping):
            self._added.clear()
            faults = self._faults
            found = False
            try:
                found = not self._pauses.holds(self._target) and await self._round()
            except TargetPausedError:
                pass
            except Exception as error:  # noqa: BLE001 -- logged: no fault stops what comes after it
                self._report_fault(error)
                await self._raise_alarm(error)
            if self._faults > faults:
                self._breaker.gave_up()
                # new statements do not shorten this: each would bring the same error about again
                await self._rest(self._stopping, max(POLL, delay(self._faults, self._random, longest=AWAY)))
            elif not found:
                self._breaker.gave_up()
                await self._rest(self._added, POLL)
            if found and self._faults == faults:
                self._faults = 0

    async def _raise_alarm(self, error: Exception) -> None:
        """Let people see that a sender fails again and again; while the database fails, nothing can be stored."""
        if self._faults >= ALARMING_FAULTS and not isinstance(error, DATABASE_ERRORS):
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._channel.alarms.begin(
                    self._target, self._channel.kind, AlarmState.FAULT, f"the bridge failed: {describe_place(error)}"
                )

    async def _rest(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
