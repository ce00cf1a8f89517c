"""No more requests a second than a target wants."""

from __future__ import annotations

import asyncio


class RateLimiter:
    """Lets requests go one after another, evenly. Times are the event loop's.

    `per_second` is None for no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self._between = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0

    async def acquire(self) -> None:
        """Wait until a request may go."""
        if not self._between:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        # taken before waiting, so that who comes meanwhile waits for the next one
        self._next = at + self._between
        await asyncio.sleep(at - now)
