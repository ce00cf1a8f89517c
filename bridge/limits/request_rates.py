"""Rates of requests by token and by LMS, reading ones as well. What commits store has budgets (`budgets.py`).

The `limits` package says what a rate is and counts in windows that begin with the first request. Its storage in memory
starts threads and goes by the wall clock; the one here goes by a monotonic clock and is bounded. Each process counts by
itself.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from limits import RateLimitItem, parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from bridge.clock import Monotonic
from bridge.errors import LmsRateExceeded, TokenRateExceeded, TooManyRequests
from bridge.settings import LimitSettings
from storage.states import TokenScope
from storage.tokens import StoredToken

MAX_WINDOWS = 10_000
"""Windows that are kept; beyond that, the one that began first is forgotten."""


class RequestRates:
    """Refuses requests of tokens and LMSs that make more of them than the settings allow."""

    def __init__(self, settings: LimitSettings, monotonic: Monotonic) -> None:
        self._windows = _Windows(monotonic)
        self._limiter = FixedWindowRateLimiter(self._windows)
        self._of_token = _parse(settings.requests_per_token)
        self._of_lms = _parse(settings.requests_per_lms)
        self._reads_of_token = _parse(settings.reads_per_token)
        self._reads_of_lms = _parse(settings.reads_per_lms)

    def check(self, token: StoredToken, scope: TokenScope) -> None:
        """Count a request that needs a scope: reading ones by their own rates, too.

        Raises:
            TokenRateExceeded: the token has made as many as it may.
            LmsRateExceeded: the tokens of its LMS together have.
        """
        if self._of_token:
            self._count(self._of_token, "token", token.id, TokenRateExceeded)
        if self._of_lms:
            self._count(self._of_lms, "lms", token.lms.id, LmsRateExceeded)
        if scope is TokenScope.READ:
            self._count(self._reads_of_token, "token reads", token.id, TokenRateExceeded)
            self._count(self._reads_of_lms, "lms reads", token.lms.id, LmsRateExceeded)

    def _count(self, rates: tuple[RateLimitItem, ...], kind: str, number: int, refusal: type[TooManyRequests]) -> None:
        for rate in rates:
            if not self._limiter.hit(rate, kind, str(number)):
                seconds = self._windows.seconds_left(rate.key_for(kind, str(number)))
                raise refusal(
                    f"Too many requests: no more than {rate} are answered. Wait as Retry-After says, then send the"
                    " same request again; [limits] in the settings has the rates.",
                    retry_after=max(1, math.ceil(seconds)),
                )


def _parse(text: str) -> tuple[RateLimitItem, ...]:
    return tuple(parse_many(text)) if text else ()


class _Windows(Storage):
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
        """Forget all windows; return how many there were."""
        number = len(self._counts)
        self._counts.clear()
        return number

    def clear(self, key: str) -> None:
        """Forget the window of a key."""
        self._counts.pop(key, None)
