"""How long an LRS in trouble is left alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.forwarding.backoff import BASE_DELAY, MAX_DELAY, backoff_delay

small = settings(max_examples=100, derandomize=True, deadline=None)
failures = st.integers(1, 10**9)
shares = st.floats(0, 1)
asked_for = st.none() | st.floats(0, 1e12)


@small
@given(failures, shares, asked_for)
def test_a_wait_is_never_negative_and_never_longer_than_the_longest(count: int, share: float, wait: float) -> None:
    assert 0 <= backoff_delay(count, lambda: share, wait) <= MAX_DELAY


@small
@given(st.integers(1, 60))
def test_the_ceiling_doubles_until_the_longest(count: int) -> None:
    this, following = (backoff_delay(number, lambda: 1.0) for number in (count, count + 1))

    assert following == min(MAX_DELAY, this * 2)


def test_the_first_ceiling_is_short_and_the_longest_is_reached() -> None:
    assert backoff_delay(1, lambda: 1.0) == BASE_DELAY
    assert backoff_delay(10, lambda: 1.0) == 512
    assert backoff_delay(13, lambda: 1.0) == backoff_delay(10_000, lambda: 1.0) == MAX_DELAY
    assert backoff_delay(10_000, lambda: 1.0, max_delay=60) == 60
    assert backoff_delay(10_000, lambda: 1.0, 90, max_delay=60) == 90


@small
@given(st.integers(1, 40), shares)
def test_the_jitter_is_full(count: int, share: float) -> None:
    """Bridges that lost their LRS together must not all knock at once when it is back."""
    assert backoff_delay(count, lambda: 0.0) == 0
    assert backoff_delay(count, lambda: share) == pytest.approx(share * backoff_delay(count, lambda: 1.0))


@small
@given(failures, shares, st.floats(0, MAX_DELAY))
def test_what_the_lrs_asks_for_is_waited_at_least(count: int, share: float, wait: float) -> None:
    assert backoff_delay(count, lambda: share, wait) >= wait
    assert backoff_delay(count, lambda: share, wait) == max(backoff_delay(count, lambda: share), wait)


@pytest.mark.parametrize("wait", [MAX_DELAY + 1, 1e9, 1e300, math.inf])
def test_an_lrs_that_asks_for_more_than_the_longest_gets_the_longest(wait: float) -> None:
    assert backoff_delay(1, lambda: 0.0, wait) == MAX_DELAY


def test_no_wait_asked_for_is_no_wait_added() -> None:
    assert backoff_delay(3, lambda: 0.5, None) == backoff_delay(3, lambda: 0.5, 0.0) == backoff_delay(3, lambda: 0.5)
