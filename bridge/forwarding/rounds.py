"""What everything that sends to an LRS has in common: round after round, resting when there is trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.database import describe
from bridge.forwarding.backoff import delay
from bridge.forwarding.outcomes import Outcome, Reply, retry_after

log = structlog.get_logger(__name__)

POLL = 1.0
"""Seconds between looks for something to send: what other processes store is not announced."""
SHORTEST = 0.001
"""Seconds of the shortest rest: a round that gives none had no trouble."""


class Rounds:
    """One sender's rounds, and how often in a row they failed.

    `added` is set when something was stored; it is this sender's own, as it clears it. `random` gives numbers from 0
    to 1.
    """

    def __init__(self, target: str, *, random: Callable[[], float], added: asyncio.Event) -> None:
        self._target = target
        self._random = random
        self._added = added
        self._stopping = asyncio.Event()
        self._failures = 0

    @property
    def stopping(self) -> bool:
        """Tell whether nothing more is to be sent."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Send nothing more after what is on its way."""
        self._stopping.set()
        self._added.set()

    async def run(self, play: Callable[[], Awaitable[float]]) -> None:
        """Play rounds until `stop`; each gives the seconds to rest. No fault of database or LRS ends it."""
        while not self.stopping:
            self._added.clear()
            try:
                seconds = await play()
            except Exception as error:
                known = isinstance(error, DBAPIError)  # whose own words hold rows' values
                log.error(  # noqa: TRY400 -- likewise
                    "forwarding_interrupted",
                    target=self._target,
                    error=describe(error),
                    exc_info=None if known else error,
                )
                seconds = self._delay() or SHORTEST
            if seconds:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._stopping.wait()

    async def wait(self) -> None:
        """Wait until something was stored, or might have been."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._added.wait()

    def succeeded(self) -> None:
        """Note that the LRS is well."""
        self._failures = 0

    def failed(self, outcome: Outcome, reply: Reply, now: int) -> float:
        """Note trouble with the LRS and give the seconds to leave it alone; `now` is milliseconds since the epoch."""
        seconds = self._delay(retry_after(reply, now))
        log.warning(
            "target_in_trouble",
            target=self._target,
            outcome=outcome.value,
            status=reply.status,
            # what an LRS answers can hold learners' data; it is kept with the try
            fault=reply.text[:200] if reply.status is None else None,
            failures=self._failures,
            wait=round(seconds, 1),
        )
        return seconds

    def _delay(self, asked: float | None = None) -> float:
        self._failures += 1
        return delay(self._failures, self._random, asked)
