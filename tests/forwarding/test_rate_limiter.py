"""No more requests a second than a target wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bridge.forwarding.rate_limiter import RateLimiter


class _Loop:
    """An event loop's clock that moves on by what is slept."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        """Tell the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += max(0.0, seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Loop:
    """A clock that nobody waits for."""
    loop = _Loop()
    running: Callable[[], Any] = lambda: loop  # noqa: E731 -- as short as it is
    monkeypatch.setattr(asyncio, "get_running_loop", running)
    monkeypatch.setattr(asyncio, "sleep", loop.sleep)
    return loop


async def _times(rate: RateLimiter, clock: _Loop, count: int) -> list[float]:
    times = []
    for _ in range(count):
        await rate.acquire()
        times.append(round(clock.now - 100, 6))
    return times


def _run(rate: RateLimiter, clock: _Loop, count: int) -> list[float]:
    turns = _times(rate, clock, count)
    try:
        turns.send(None)
    except StopIteration as done:
        return list(done.value)
    raise AssertionError("it waited for something else")


def test_requests_go_evenly(clock: _Loop) -> None:
    """A burst is spread over the second, instead of being sent at its beginning."""
    assert _run(RateLimiter(4), clock, 5) == [0, 0.25, 0.5, 0.75, 1]


def test_a_rest_saves_up_nothing(clock: _Loop) -> None:
    rate = RateLimiter(2)
    assert _run(rate, clock, 2) == [0, 0.5]
    clock.now += 60
    assert _run(rate, clock, 2) == [60.5, 61]


def test_without_a_rate_nothing_waits(clock: _Loop) -> None:
    assert _run(RateLimiter(None), clock, 3) == [0, 0, 0]
