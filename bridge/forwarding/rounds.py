"""What everything that sends to an LRS has in common: round after round, as long as there is something to send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.database import describe
from bridge.forwarding.breaker import Breaker

log = structlog.get_logger(__name__)

POLL = 1.0
"""Seconds between looks for something to send: what other processes store is not announced."""


class Rounds:
    """One sender's rounds. The one part of it that is not its own is the target's breaker."""

    def __init__(self, target: str, breaker: Breaker) -> None:
        self._target = target
        self._breaker = breaker
        self._added = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Tell whether nothing more is to be sent."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Look now: something was stored."""
        self._added.set()

    def stop(self) -> None:
        """Send nothing more after what is on its way."""
        self._stopping.set()
        self._added.set()

    async def run(self, play: Callable[[], Awaitable[bool]]) -> None:
        """Play rounds until `stop`; each tells whether it found something to send. No fault ends it."""
        while await self._breaker.passed(self._stopping):
            self._added.clear()
            try:
                found = await play()
            except Exception as error:
                known = isinstance(error, DBAPIError)  # whose own words hold rows' values
                log.error(  # noqa: TRY400 -- likewise
                    "forwarding_interrupted",
                    target=self._target,
                    error=describe(error),
                    exc_info=None if known else error,
                )
                found = False
            if not found:
                self._breaker.gave_up()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._added.wait()
