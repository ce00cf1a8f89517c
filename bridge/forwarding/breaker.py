"""One target's circuit breaker: while an LRS is in trouble, one worker probes it now and then and all others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bridge.forwarding.backoff import MAX_DELAY, MAX_OUTAGE_DELAY, backoff_delay
from bridge.forwarding.outcomes import Reply, retry_after
from storage.states import TryOutcome

log = structlog.get_logger(__name__)

UNREACHABLE_FAILURES = 3
"""Failures in a row after which a target is unreachable: that is logged, and an alarm is raised."""


class Breaker:
    """Shared by all workers of a target. Times are the event loop's; `random` returns numbers from 0 to 1.

    Closed, every worker may send. After a failure it is open, longer with each failure: up to a minute where the LRS is
    unreachable, up to an hour where it denies the bridge access, or as long as it asks for. Then it is half-open: one
    worker sends as a probe, whose result closes it or opens it again.
    """

    def __init__(self, target: str, random: Callable[[], float]) -> None:
        self._target = target
        self._random = random
        self._failures = 0
        self._until = 0.0
        self._probing = False
        self._changed = asyncio.Event()
        self._reported: tuple[object, ...] | None = None
        """What was logged of this outage last."""

    @property
    def is_closed(self) -> bool:
        """Return whether every worker may send."""
        return self._failures == 0

    @property
    def failures(self) -> int:
        """Return the number of failures in a row."""
        return self._failures

    def probe_now(self) -> None:
        """Allow a probe at once, whatever the remaining delay."""
        self._until = 0.0
        self._changed.set()

    async def acquire(self, stopping: asyncio.Event) -> bool:
        """Wait until a worker may send; return False when `stopping` was set meanwhile.

        While the breaker is not closed, the caller is the probe, and must record its result or `release`.
        """
        loop = asyncio.get_running_loop()
        while self._failures and not stopping.is_set():
            seconds = self._until - loop.time()
            if seconds <= 0 and not self._probing:
                self._probing = True
                return True
            self._changed.clear()
            await _wait_for_any(self._changed, stopping, seconds=seconds if seconds > 0 else None)
        return not stopping.is_set()

    def record_success(self) -> None:
        """Close it: the LRS works."""
        if self._reported is not None:
            log.info("target_well_again", target=self._target, failures=self._failures)
        self._failures = 0
        self._reported = None
        self._end_probe()

    def record_failure(self, outcome: TryOutcome, reply: Reply, now: int, *, max_delay: float | None = None) -> float:
        """Open it, and return the seconds until the next probe; `now` is in milliseconds since the epoch.

        `max_delay` is the maximum in seconds, unless the LRS asks for more.
        """
        self._failures += 1
        if max_delay is None:
            # credentials are corrected by people, and no sooner for being tried
            max_delay = MAX_DELAY if outcome is TryOutcome.NOT_ALLOWED else MAX_OUTAGE_DELAY
        seconds = backoff_delay(self._failures, self._random, retry_after(reply, now), max_delay=max_delay)
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)
        self._end_probe()
        self._report(outcome, reply, seconds)
        return seconds

    def _report(self, outcome: TryOutcome, reply: Reply, seconds: float) -> None:
        """Log an outage as it begins, and failures of another kind; those like it at the level `debug`.

        What is over within a second is none: an LRS that fails now and then would fill the log.
        """
        level, kind = log.debug, (outcome, reply.status)
        is_outage = outcome is TryOutcome.NOT_ALLOWED or self._failures >= UNREACHABLE_FAILURES
        if is_outage and kind != self._reported:
            level = log.error if outcome is TryOutcome.NOT_ALLOWED else log.warning
            self._reported = kind
        level(
            "target_in_trouble",
            target=self._target,
            outcome=str(outcome),
            status=reply.status,
            # what an LRS answers can hold learners' data; it is kept with the try
            fault=reply.text[:200] if reply.status is None else None,
            redirects_to=reply.redirects_to or None,
            failures=self._failures,
            wait=round(seconds, 1),
        )

    def release(self) -> None:
        """Return the permission back unused, so that another worker may be the probe."""
        self._end_probe()

    def _end_probe(self) -> None:
        self._probing = False
        self._changed.set()


async def _wait_for_any(*events: asyncio.Event, seconds: float | None) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
