"""Waiting for something to become true, instead of for some time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 30
"""Seconds after which what is waited for will not come, even on a busy machine: the test fails."""
POLL_INTERVAL = 0.005
"""Seconds between two looks at what this process can see."""
REMOTE_POLL_INTERVAL = 0.05
"""Seconds between two looks at another process."""


async def wait_until(condition: Callable[[], object], timeout: float = TIMEOUT) -> None:  # noqa: ASYNC109 -- a limit
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 -- databases and LRSs, which are looked at, set no events
            await asyncio.sleep(POLL_INTERVAL)


async def poll(read: Callable[[], Awaitable[T]], condition: Callable[[T], object]) -> T:
    """Read until the condition holds for the value or the time is over; return what was last read."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        value = await read()
        if condition(value) or time.monotonic() > deadline:
            return value
        await asyncio.sleep(REMOTE_POLL_INTERVAL)


async def wait_while_decreasing(count: Callable[[], int], pause: Callable[[], Awaitable[object]], stuck: float) -> None:
    """Return when nothing is left: for however long, as long as it becomes less. `pause` is awaited between two counts.

    Raises:
        TimeoutError: it did not become less for `stuck` seconds.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(stuck) as timeout:
        before = count()
        while before > 0:
            await pause()
            now = count()
            if now < before:
                timeout.reschedule(loop.time() + stuck)
            before = now
