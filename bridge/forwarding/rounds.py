"""What everything that sends to an LRS has in common: round after round, as long as there is something to send."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import NamedTuple

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.database import describe
from bridge.forwarding.breaker import Breaker
from bridge.forwarding.pauses import Pauses
from bridge.forwarding.transport import HeldBackError, Transport

log = structlog.get_logger(__name__)

POLL = 1.0
"""Seconds between looks for something to send: what other processes store is not announced."""


class Way(NamedTuple):
    """How a target is reached. Those that share a way share its breaker; pauses are of all targets.

    `senders` are those that run on it now.
    """

    transport: Transport
    breaker: Breaker
    pauses: Pauses
    senders: set[Rounds]

    def wake(self) -> None:
        """Let all its senders look now."""
        for sender in self.senders:
            sender.wake()


class Rounds(ABC):
    """A sender of its own kind plays its rounds, on a way that it may share with others.

    `now` gives milliseconds since the epoch.
    """

    def __init__(self, target: str, way: Way, *, now: Now) -> None:
        self._target = target
        self._way = way
        self._transport, self._breaker, self._pauses, _ = way
        self._now = now
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
        self._way.senders.add(self)
        try:
            await self._rounds()
        finally:
            self._way.senders.discard(self)

    async def _rounds(self) -> None:
        while await self._breaker.passed(self._stopping):
            self._added.clear()
            try:
                found = not self._pauses.holds(self._target) and await self._round()
            except HeldBackError:
                found = False
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
