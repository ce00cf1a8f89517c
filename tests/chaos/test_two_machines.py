"""Two bridges on machines of their own, whose network loses packets, or everything for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from tests.chaos.arena import Arena
from tests.chaos.lrs import ChaosLrs, serve_chaos
from tests.support.machines import Machine, machines
from tests.support.replication import ReplicatedPair

LOST = 5
"""Packets in a hundred, each way."""


@pytest.fixture
def two() -> Iterator[list[Machine]]:
    """Two machines."""
    with machines(2) as made:
        yield made


@pytest.fixture
async def chaos_lrs(seed: int) -> AsyncIterator[ChaosLrs]:
    """An LRS that machines can reach."""
    async with serve_chaos(seed, host="0.0.0.0") as lrs:
        yield lrs


@pytest.fixture
def database_url(pair: ReplicatedPair) -> str:
    """A database that machines can reach."""
    return pair.url


async def test_lost_packets_and_partitions_cost_nothing_that_was_answered(
    two: list[Machine], pair: ReplicatedPair, arena: Arena
) -> None:
    database, lrs = (pair.primary.port, pair.standby.port), (urlsplit(arena.lrs.endpoint).port or 0,)
    await arena.start(machines=two)
    for number in range(arena.scale.partitions):
        one, other = two[number % 2], two[1 - number % 2]
        one.lose(LOST)
        await arena.commits(40)
        one.cut_off(database)  # it holds leases, and may have requests to the LRS on their way
        await arena.commits(8)  # those that come to it wait until it notices
        other.cut_off(lrs)
        one.heal()
        await arena.commits(40)
        other.heal()
    await arena.commits(30)
    await arena.finish()
    assert 500 not in arena.ledger.statuses
    arena.tell(
        partitions=arena.scale.partitions * 2,
        statuses=dict(arena.ledger.statuses),
        seconds_to_slowest_refusal=round(arena.ledger.slowest_refusal, 1),
    )
