"""One target's circuit breaker: when an LRS is in trouble, one sender tries it now and then and all others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bridge.forwarding.backoff import AWAY, LONGEST, delay
from bridge.forwarding.outcomes import Outcome, Reply, retry_after

log = structlog.get_logger(__name__)


class Breaker:
    """Shared by all that send to a target. Times are the event loop's; `random` gives numbers from 0 to 1.

    Closed, everybody passes. After a failure it is open for a while that grows with each failure, to a minute where the
    LRS is away, to an hour where it does not let the bridge in, and to whatever it asks for; then one sender
    passes as a probe, and what comes of that closes it or keeps it open.
    """

    def __init__(self, target: str, random: Callable[[], float]) -> None:
        self._target = target
        self._random = random
        self._failures = 0
        self._until = 0.0
        self._probing = False
        self._changed = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        """Tell whether everybody passes."""
        return self._failures == 0

    @property
    def failures(self) -> int:
        """Return the number of failures in a row."""
        return self._failures

    def hurry(self) -> None:
        """Let a probe pass at once, whatever was to be waited for."""
        self._until = 0.0
        self._changed.set()

    async def passed(self, stopping: asyncio.Event) -> bool:
        """Wait until the LRS may be asked; False when `stopping` was set meanwhile.

        Who passes while it is not closed is the probe, and must tell what came of it.
        """
        loop = asyncio.get_running_loop()
        while self._failures and not stopping.is_set():
            left = self._until - loop.time()
            if left <= 0 and not self._probing:
                self._probing = True
                return True
            self._changed.clear()
            await _first(self._changed, stopping, seconds=left if left > 0 else None)
        return not stopping.is_set()

    def succeeded(self) -> None:
        """Note that the LRS is well."""
        if self._failures:
            log.info("target_well_again", target=self._target, failures=self._failures)
        self._failures = 0
        self._rest()

    def failed(self, outcome: Outcome, reply: Reply, now: int, *, longest: float | None = None) -> float:
        """Note trouble with the LRS and give the seconds to leave it alone; `now` is milliseconds since the epoch.

        `longest` are the seconds at most, unless the LRS asks for more.
        """
        self._failures += 1
        if longest is None:
            # credentials are mended by people, and not sooner for being tried
            longest = LONGEST if outcome is Outcome.NOT_ALLOWED else AWAY
        seconds = delay(self._failures, self._random, retry_after(reply, now), longest=longest)
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)
        self._rest()
        level = log.error if outcome is Outcome.NOT_ALLOWED else log.warning
        level(
            "target_in_trouble",
            target=self._target,
            outcome=outcome.value,
            status=reply.status,
            # what an LRS answers can hold learners' data; it is kept with the try
            fault=reply.text[:200] if reply.status is None else None,
            redirects_to=reply.redirects_to or None,
            failures=self._failures,
            wait=round(seconds, 1),
        )
        return seconds

    def gave_up(self) -> None:
        """Note that who passed asked nothing after all, so that another may be the probe."""
        self._rest()

    def _rest(self) -> None:
        self._probing = False
        self._changed.set()


async def _first(*events: asyncio.Event, seconds: float | None) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
