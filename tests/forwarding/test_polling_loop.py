"""When a worker polls: at once when something was stored, and a little later when there is little at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bridge.clock import system_now
from bridge.forwarding.breaker import Breaker
from bridge.forwarding.polling_loop import COLLECTING_INTERVAL, POLL_INTERVAL, PollingLoop


class _Loop(PollingLoop):
    """Finds what a test says, poll by poll, and stops when that is over; `waits` are the seconds between polls."""

    def __init__(self, finds: Iterator[tuple[bool, bool]]) -> None:
        breaker = Breaker("lrs", lambda: 0.5)
        super().__init__(breaker, {}, now=system_now, random=lambda: 0.5)
        self._finds = finds
        self.waits: list[float] = []

    async def _poll_once(self) -> bool:
        has_work, self._found_little = next(self._finds, (False, False))
        if not has_work:
            self.stop()
        return has_work

    async def _handle_fault(self, error: Exception) -> None:
        raise error

    async def _sleep(self, event: asyncio.Event, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.mark.parametrize(
    ("finds", "waits"),
    [
        ([(True, False)] * 3, []),
        ([(True, True)] * 3, [COLLECTING_INTERVAL] * 3),
        ([(True, False), (True, True), (True, False)], [COLLECTING_INTERVAL]),
    ],
    ids=["much each time", "little each time", "little in between"],
)
async def test_a_poll_that_found_little_lets_more_come_together(
    finds: list[tuple[bool, bool]], waits: list[float]
) -> None:
    loop = _Loop(iter(finds))
    await loop.run()

    assert loop.waits == [*waits, POLL_INTERVAL]
