"""The loop of every worker that sends what is queued: it polls, and survives every error."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import structlog

from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, describe_error_place
from bridge.database_outage import is_outage
from bridge.forwarding.backoff import MAX_OUTAGE_DELAY, backoff_delay
from bridge.forwarding.breaker import Breaker

log = structlog.get_logger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between polls: what other processes store is not announced."""
COLLECTING_INTERVAL = 0.05
"""Seconds that a poll waits after one that found little: what is stored meanwhile shares a request, and a transaction
that settles it. The first poll after a time without work waits for nothing."""


class PollingLoop(ABC):
    """Sends what is queued for one receiver, which it may share with others.

    `about` is what the log says of the receiver; `now` returns milliseconds since the epoch, `random` numbers from 0 to
    1.
    """

    def __init__(self, breaker: Breaker, about: Mapping[str, str], *, now: Now, random: Callable[[], float]) -> None:
        self._breaker = breaker
        self._about = about
        self._now = now
        self._random = random
        self._faults = 0
        self._found_little = False
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()

    @abstractmethod
    async def _poll_once(self) -> bool:
        """Send some of what may be sent now; return whether there was anything.

        `_found_little` is set where more could have been sent at once.
        """

    async def _poll_if_allowed(self) -> bool:
        """Send some of it, unless somebody paused that; return whether there was anything."""
        return await self._poll_once()

    @abstractmethod
    async def _handle_fault(self, error: Exception) -> None:
        """Do what is to be done about an unexpected error, beside logging it; `_faults` counts those in a row."""

    def wake(self) -> None:
        """Poll now: something was stored."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after the request that is in flight."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Send until `stop`. No error of the database or the receiver ends it."""
        await self._poll()

    def _record_progress(self) -> None:
        """Note that something arrived: the next unexpected error is the first in a row."""
        self._faults = 0

    def _report_fault(self, error: Exception, **details: object) -> None:
        """Log an unexpected error: one line, with the traceback for the first in a row only."""
        self._faults += 1
        is_known = isinstance(error, DATABASE_ERRORS)  # whose own words hold rows' values
        level = log.debug if is_outage(error) else log.error
        level(
            "forwarding_interrupted",
            **self._about,
            worker=type(self).__name__,
            error=describe_error_place(error),
            failures=self._faults,
            exc_info=error if self._faults == 1 and not is_known else None,
            **details,
        )

    async def _poll(self) -> None:
        while await self._breaker.acquire(self._stopping):
            self._woken.clear()
            faults = self._faults
            has_work = False
            try:
                has_work = await self._poll_if_allowed()
            except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
                self._report_fault(error)
                await self._handle_fault(error)
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
                if self._found_little:
                    await self._sleep(self._stopping, COLLECTING_INTERVAL)

    async def _sleep(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
