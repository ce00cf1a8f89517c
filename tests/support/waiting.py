"""Waiting for something to become true, instead of for some time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LONGEST = 30
"""Seconds after which what is waited for will not come: the test fails."""
BETWEEN = 0.005
"""Seconds between two looks."""


async def until(condition: Callable[[], object], longest: float = LONGEST) -> None:
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    async with asyncio.timeout(longest):
        while not condition():  # noqa: ASYNC110 -- databases and LRSs, which are looked at, set no events
            await asyncio.sleep(BETWEEN)
