"""Rates of requests by token and by LMS, reading ones as well. What commits store has budgets (`budgets.py`).

The `limits` package says what a rate is and counts in windows that begin with the first request. Its storage in memory
starts threads and goes by the wall clock; the one here goes by a monotonic clock and is bounded. Each process counts by
itself.
"""

from __future__ import annotations

from bridge.clock import Monotonic
from bridge.errors import BrowserRateExceeded, LmsRateExceeded, TokenRateExceeded
from bridge.limits.rate_windows import RateCounter, RateWindows, parse_rates
from bridge.settings import LimitSettings
from storage.states import TokenScope
from storage.tokens import StoredToken


class RequestRates:
    """Refuses requests of tokens and LMSs that make more of them than the settings allow."""

    def __init__(self, settings: LimitSettings, monotonic: Monotonic) -> None:
        self._counter = RateCounter(RateWindows(monotonic))
        self._of_token = parse_rates(settings.requests_per_token)
        self._of_lms = parse_rates(settings.requests_per_lms)
        self._reads_of_token = parse_rates(settings.reads_per_token)
        self._reads_of_lms = parse_rates(settings.reads_per_lms)

    def check(self, token: StoredToken, scope: TokenScope) -> None:
        """Count a request that needs a scope: reading ones by their own rates, too.

        Raises:
            TokenRateExceeded: the token has made as many as it may.
            LmsRateExceeded: the tokens of its LMS together have.
        """
        count = self._counter.count
        if self._of_token:
            count(self._of_token, "token", str(token.id), TokenRateExceeded)
        if self._of_lms:
            count(self._of_lms, "lms", str(token.lms.id), LmsRateExceeded)
        if scope is TokenScope.READ:
            count(self._reads_of_token, "token reads", str(token.id), TokenRateExceeded)
            count(self._reads_of_lms, "lms reads", str(token.lms.id), LmsRateExceeded)


class BrowserRates:
    """Refuses requests of pages with a browser key that are more than the settings allow.

    Whoever has a key can name any number of learners, and come from many addresses: each kind has windows of its own,
    so that none of them makes the bridge forget what it counts of another.
    """

    def __init__(self, settings: LimitSettings, monotonic: Monotonic) -> None:
        self._keys = RateCounter(RateWindows(monotonic))
        self._learners = RateCounter(RateWindows(monotonic))
        self._addresses = RateCounter(RateWindows(monotonic))
        self._of_key = parse_rates(settings.browser_requests_per_key)
        self._of_learner = parse_rates(settings.browser_requests_per_learner)
        self._of_address = parse_rates(settings.browser_requests_per_address)

    def check_address(self, network: str) -> None:
        """Count a request by where it comes from, before anything of it is looked at.

        Raises:
            BrowserRateExceeded: as many have come from there as may.
        """
        self._addresses.count(self._of_address, "address", network, BrowserRateExceeded)

    def check(self, key_id: int, learner_tag: str) -> None:
        """Count a request by its key and its learner.

        Raises:
            BrowserRateExceeded: there were as many of either as may be.
        """
        self._learners.count(self._of_learner, "learner", learner_tag, BrowserRateExceeded)
        self._keys.count(self._of_key, "key", str(key_id), BrowserRateExceeded)
