"""How long an LRS in trouble is left alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.forwarding.backoff import FIRST, LONGEST, delay

small = settings(max_examples=100, derandomize=True, deadline=None)
failures = st.integers(1, 10**9)
shares = st.floats(0, 1)
asked_for = st.none() | st.floats(0, 1e12)


@small
@given(failures, shares, asked_for)
def test_a_wait_is_never_negative_and_never_longer_than_the_longest(count: int, share: float, asked: float) -> None:
    assert 0 <= delay(count, lambda: share, asked) <= LONGEST


@small
@given(st.integers(1, 60))
def test_the_ceiling_doubles_until_the_longest(count: int) -> None:
    this, following = (delay(number, lambda: 1.0) for number in (count, count + 1))
    assert following == min(LONGEST, this * 2)


def test_the_first_ceiling_is_short_and_the_longest_is_reached() -> None:
    assert delay(1, lambda: 1.0) == FIRST
    assert delay(10, lambda: 1.0) == 512
    assert delay(13, lambda: 1.0) == delay(10_000, lambda: 1.0) == LONGEST
    assert delay(10_000, lambda: 1.0, longest=60) == 60
    assert delay(10_000, lambda: 1.0, 90, longest=60) == 90


@small
@given(st.integers(1, 40), shares)
def test_the_jitter_is_full(count: int, share: float) -> None:
    """Bridges that lost their LRS together must not all knock at once when it is back."""
    assert delay(count, lambda: 0.0) == 0
    assert delay(count, lambda: share) == pytest.approx(share * delay(count, lambda: 1.0))


@small
@given(failures, shares, st.floats(0, LONGEST))
def test_what_the_lrs_asks_for_is_waited_at_least(count: int, share: float, asked: float) -> None:
    assert delay(count, lambda: share, asked) >= asked
    assert delay(count, lambda: share, asked) == max(delay(count, lambda: share), asked)


@pytest.mark.parametrize("asked", [LONGEST + 1, 1e9, 1e300, math.inf])
def test_an_lrs_that_asks_for_more_than_the_longest_gets_the_longest(asked: float) -> None:
    assert delay(1, lambda: 0.0, asked) == LONGEST


def test_no_wait_asked_for_is_no_wait_added() -> None:
    assert delay(3, lambda: 0.5, None) == delay(3, lambda: 0.5, 0.0) == delay(3, lambda: 0.5)
