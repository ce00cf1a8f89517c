"""The circuit breaker: who may ask an LRS that is in trouble, and when."""

from __future__ import annotations

import asyncio

import pytest

from bridge.forwarding.breaker import Breaker
from bridge.forwarding.outcomes import Reply
from storage.states import TryOutcome

DOWN = Reply(503, "down")
FOR_AN_HOUR = Reply(503, "down", {"Retry-After": "3600"})
NOW = 1_767_225_600_000


@pytest.fixture
async def breaker() -> Breaker:
    """A breaker that waits no longer than it is asked to."""
    return Breaker("lrs", lambda: 0.0)


async def settle(*tasks: asyncio.Task[bool]) -> list[bool]:
    """Let everything run that can run, and tell which tasks are done."""
    for _ in range(10):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_everybody_passes_while_the_lrs_is_well(breaker: Breaker) -> None:
    stopping = asyncio.Event()

    assert [await breaker.acquire(stopping) for _ in range(5)] == [True] * 5
    assert breaker.is_closed


async def test_one_sender_tries_an_lrs_in_trouble_while_all_others_wait(breaker: Breaker) -> None:
    breaker.record_failure(TryOutcome.RETRY, DOWN, NOW)
    stopping = asyncio.Event()
    senders = [asyncio.create_task(breaker.acquire(stopping)) for _ in range(4)]
    assert sorted(await settle(*senders)) == [False, False, False, True]
    assert not breaker.is_closed
    breaker.record_success()
    assert await asyncio.gather(*senders) == [True] * 4
    assert breaker.is_closed


async def test_a_probe_that_fails_lets_the_next_one_try(breaker: Breaker) -> None:
    breaker.record_failure(TryOutcome.RETRY, DOWN, NOW)
    stopping = asyncio.Event()
    senders = [asyncio.create_task(breaker.acquire(stopping)) for _ in range(3)]
    for done in (1, 2, 3):
        assert sum(await settle(*senders)) == done
        breaker.record_failure(TryOutcome.RETRY, DOWN, NOW)


async def test_a_probe_that_had_nothing_to_send_lets_the_next_one_try(breaker: Breaker) -> None:
    breaker.record_failure(TryOutcome.RETRY, DOWN, NOW)
    stopping = asyncio.Event()
    senders = [asyncio.create_task(breaker.acquire(stopping)) for _ in range(2)]
    assert sum(await settle(*senders)) == 1
    breaker.release()
    assert sum(await settle(*senders)) == 2
    assert not breaker.is_closed


async def test_nobody_asks_before_the_time_that_the_lrs_named(breaker: Breaker) -> None:
    assert breaker.record_failure(TryOutcome.RETRY, FOR_AN_HOUR, NOW) == 3600
    # a shorter wait that comes after it takes nothing from it
    breaker.record_failure(TryOutcome.RETRY, DOWN, NOW)
    stopping = asyncio.Event()
    sender = asyncio.create_task(breaker.acquire(stopping))
    assert await settle(sender) == [False]
    stopping.set()
    assert await sender is False


@pytest.mark.parametrize(
    ("outcome", "reply", "max_delay"),
    [
        (TryOutcome.RETRY, DOWN, 60),
        (TryOutcome.BROKE, Reply(500, "broken"), 60),
        (TryOutcome.RETRY, FOR_AN_HOUR, 3600),
        (TryOutcome.NOT_ALLOWED, Reply(401, "who are you?"), 3600),
    ],
)
async def test_an_lrs_that_is_away_is_tried_every_minute_and_one_that_lets_nobody_in_every_hour(
    outcome: TryOutcome, reply: Reply, max_delay: int
) -> None:
    """Whatever waited while it was away waits for the next try, however long that was."""
    breaker = Breaker("lrs", lambda: 1.0)
    waits = [breaker.record_failure(outcome, reply, NOW) for _ in range(30)]

    assert max(waits) == waits[-1] == max_delay


async def test_stopping_waits_for_nothing(breaker: Breaker) -> None:
    stopping = asyncio.Event()
    stopping.set()
    assert await breaker.acquire(stopping) is False
    breaker.record_failure(TryOutcome.RETRY, FOR_AN_HOUR, NOW)
    assert await breaker.acquire(stopping) is False
