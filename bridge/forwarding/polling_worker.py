"""The loop of every worker that sends to an LRS: it polls for deliveries, and survives every error."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable

import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, describe_error_place
from bridge.database_outage import is_outage
from bridge.forwarding.backoff import MAX_OUTAGE_DELAY, backoff_delay
from bridge.forwarding.channel import TargetChannel
from bridge.forwarding.transport import TargetPausedError
from storage.states import AlarmState

log = structlog.get_logger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between polls: what other processes store is not announced."""

FAULT_ALARM_THRESHOLD = 3
"""Unexpected errors of a worker in a row after which an alarm is raised."""


class PollingWorker(ABC):
    """A worker that sends one kind of delivery on a channel, which it may share with others.

    `now` returns milliseconds since the epoch, `random` numbers from 0 to 1.
    """

    def __init__(self, channel: TargetChannel, *, now: Now, random: Callable[[], float]) -> None:
        self._channel = channel
        self._target = channel.target
        self._transport, self._breaker, self._pauses = channel.transport, channel.breaker, channel.pauses
        self._now = now
        self._random = random
        self._faults = 0
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._assigned_at = 0

    @abstractmethod
    async def _poll_once(self) -> bool:
        """Send some of what may be sent now; return whether there was anything."""

    def _may_assign(self) -> bool:
        """Return whether it is time to look for what waits for no target in particular."""
        if abs(self._now() - self._assigned_at) < POLL_INTERVAL * 1000:
            return False
        self._assigned_at = self._now()
        return True

    def wake(self) -> None:
        """Poll now: something was stored."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after the request that is in flight."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Send until `stop`. No error of database or LRS ends it."""
        self._channel.workers.add(self)
        try:
            await self._poll()
        finally:
            self._channel.workers.discard(self)

    def _record_progress(self) -> None:
        """Note that something arrived: the next unexpected error is the first in a row."""
        self._faults = 0

    def _report_fault(self, error: Exception, **about: object) -> None:
        """Log an unexpected error: one line, with the traceback for the first in a row only."""
        self._faults += 1
        is_known = isinstance(error, DATABASE_ERRORS)  # whose own words hold rows' values
        level = log.debug if is_outage(error) else log.error
        level(
            "forwarding_interrupted",
            target=self._target,
            worker=type(self).__name__,
            error=describe_error_place(error),
            failures=self._faults,
            exc_info=error if self._faults == 1 and not is_known else None,
            **about,
        )

    async def _poll(self) -> None:
        while await self._breaker.acquire(self._stopping):
            self._woken.clear()
            faults = self._faults
            has_work = False
            try:
                has_work = not self._pauses.is_paused(self._target) and await self._poll_once()
            except TargetPausedError:
                pass
            except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
                self._report_fault(error)
                await self._raise_alarm(error)
            if self._faults > faults:
                self._breaker.release()
                # new statements do not shorten this: each would bring the same error about again
                await self._sleep(
                    self._stopping,
                    max(POLL_INTERVAL, backoff_delay(self._faults, self._random, max_delay=MAX_OUTAGE_DELAY)),
                )
            elif not has_work:
                self._breaker.release()
                await self._sleep(self._woken, POLL_INTERVAL)
            if has_work and self._faults == faults:
                self._faults = 0

    async def _raise_alarm(self, error: Exception) -> None:
        """Raise an alarm where a worker fails again and again; while the database fails, nothing can be stored."""
        if self._faults >= FAULT_ALARM_THRESHOLD and not isinstance(error, DATABASE_ERRORS):
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._channel.alarms.begin(
                    self._target,
                    self._channel.kind,
                    AlarmState.FAULT,
                    f"the bridge failed: {describe_error_place(error)}",
                )

    async def _sleep(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
