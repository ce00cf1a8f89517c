"""Limits requests to a target to a rate."""

from __future__ import annotations

import asyncio


class RateLimiter:
    """Spaces requests evenly. Times are the event loop's; `per_second` is None for no limit."""

    def __init__(self, per_second: float | None) -> None:
        self._interval = 0.0 if per_second is None else 1 / per_second
        self._next_at = 0.0

    async def acquire(self) -> None:
        """Wait until a request may be sent."""
        if not self._interval:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        # reserved before waiting, so that a request that comes meanwhile waits for the next slot
        self._next_at = at + self._interval
        await asyncio.sleep(at - now)
