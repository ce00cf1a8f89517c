"""A PostgreSQL server that is lost, and another one in its place: nothing that was answered is lost with it."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.chaos.arena import Arena
from tests.support.replication import ReplicatedPair


@pytest.fixture
def database_url(pair: ReplicatedPair) -> str:
    """A database of both, whose URL names both."""
    return pair.url


async def test_a_standby_that_takes_over_under_load_has_all_that_was_answered(
    pair: ReplicatedPair, arena: Arena
) -> None:
    await arena.start(servers=2)
    seconds = []
    for _ in range(arena.scale.failovers):
        await arena.commits(arena.random.randrange(30, 100))
        promoted = await asyncio.to_thread(pair.fail_over)
        await arena.commits(16)  # more than were on their way: some began after it
        seconds.append(round(time.monotonic() - promoted, 2))
        await asyncio.to_thread(pair.restore_standby)
    await arena.commits(30)
    await arena.finish()
    assert 500 not in arena.ledger.statuses
    arena.tell(failovers=arena.scale.failovers, seconds_to_recover=seconds, statuses=dict(arena.ledger.statuses))
