"""Waiting for much: for as long as some of it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until_none_is_left(left: Callable[[], int], some_time: Callable[[], Awaitable[object]], stuck: float) -> None:
    """Look again and again, after some time each, until nothing is left.

    Raises:
        TimeoutError: it did not become less for `stuck` seconds.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(stuck) as patience:
        before = left()
        while before > 0:
            await some_time()
            now = left()
            if now < before:
                patience.reschedule(loop.time() + stuck)
            before = now
