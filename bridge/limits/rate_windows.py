"""Counts of requests in windows of time, in memory and bounded, for the `limits` package."""

from __future__ import annotations

import math
from collections import OrderedDict

from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from bridge.clock import Monotonic
from bridge.errors import TooManyRequests

MAX_WINDOWS = 10_000
"""Windows that are kept; beyond that, the one that began first is forgotten."""


class RateWindows(Storage):
    """Counts of requests by key, each with the end of its window by a monotonic clock, in seconds."""

    STORAGE_SCHEME = None

    def __init__(self, monotonic: Monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what a failing storage raises; this one does not fail."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count in the window of a key, which ends `expiry` seconds after it began; return what it comes to."""
        now = self._monotonic()
        count, end = self._counts.get(key, (0, 0.0))
        if end <= now:
            self._counts.pop(key, None)
            count, end = 0, now + expiry
            if len(self._counts) >= MAX_WINDOWS:
                self._counts.popitem(last=False)
        self._counts[key] = count + amount, end
        return count + amount

    def get(self, key: str) -> int:
        """Return the count of a key's window."""
        count, end = self._counts.get(key, (0, 0.0))
        return count if end > self._monotonic() else 0

    def seconds_left(self, key: str) -> float:
        """Return how long the window of a key still lasts."""
        return max(0.0, self.get_expiry(key) - self._monotonic())

    def get_expiry(self, key: str) -> float:
        """Return when the window of a key ends."""
        return self._counts.get(key, (0, 0.0))[1]

    def check(self) -> bool:
        """Return whether it can count."""
        return True

    def reset(self) -> int:
        """Drop all windows; return how many there were."""
        number = len(self._counts)
        self._counts.clear()
        return number

    def clear(self, key: str) -> None:
        """Drop the window of a key."""
        self._counts.pop(key, None)


class RateCounter:
    """Counts requests in windows, and refuses those beyond a rate."""

    def __init__(self, windows: RateWindows) -> None:
        self._windows = windows
        self._limiter = FixedWindowRateLimiter(windows)

    def count(self, rates: tuple[RateLimitItem, ...], kind: str, key: str, refusal: type[TooManyRequests]) -> None:
        """Count a request of what `kind` and `key` name.

        Raises:
            TooManyRequests: one of the rates is used up: the given kind of it.
        """
        for rate in rates:
            if not self._limiter.hit(rate, kind, key):
                seconds = self._windows.seconds_left(rate.key_for(kind, key))
                raise refusal(
                    f"Too many requests: no more than {rate} are answered. Wait as Retry-After says, then send the"
                    " same request again; [limits] in the settings has the rates.",
                    retry_after=max(1, math.ceil(seconds)),
                )


def parse_rates(text: str) -> tuple[RateLimitItem, ...]:
    """Parse rates as the settings have them; empty is no limit."""
    return tuple(parse_many(text)) if text else ()
