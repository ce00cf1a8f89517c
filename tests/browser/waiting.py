"""Looking at other processes until they are as expected: they set no events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 30
"""Seconds within which what is waited for must have happened, even on a busy machine."""
INTERVAL = 0.05
"""Seconds between two looks."""


async def last_look(look: Callable[[], Awaitable[T]], holds: Callable[[T], object]) -> T:
    """Look until what is seen holds or the deadline has passed; give what was seen last, for the test to judge."""
    deadline = time.monotonic() + DEADLINE
    while True:
        seen = await look()
        if holds(seen) or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(INTERVAL)
