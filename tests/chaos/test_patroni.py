"""Patroni decides which server takes writes: its servers are killed, handed over and brought back under load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database_url import parse_database_url
from storage.engine import open_engine
from storage.migrations import migrate
from tests.chaos.arena import SCALES, Arena, Scale
from tests.support.patroni import PatroniCluster, patroni_cluster


@pytest.fixture
def cluster(postgresql_server: str, scale: Scale) -> Iterator[PatroniCluster]:
    """Three servers, one of them synchronous, whose database has the current schema."""
    if scale != SCALES["full"]:
        pytest.skip("each failover waits for Patroni's lock: at full scale only")
    with patroni_cluster(Path(str(parse_database_url(postgresql_server).query["host"]))) as running:
        engine = open_engine(running.url)
        migrate(engine)
        engine.dispose()
        yield running


@pytest.fixture
def database_url(cluster: PatroniCluster) -> str:
    """A database of all servers, whose URL names all."""
    return cluster.url


async def test_what_patroni_promotes_has_all_that_was_answered(cluster: PatroniCluster, arena: Arena) -> None:
    await arena.start(servers=2)
    seconds: dict[str, list[float]] = {"kill": [], "switchover": [], "promotion": []}
    for _ in range(arena.scale.failovers):
        await arena.commits(arena.random.randrange(30, 100))
        killed = time.monotonic()
        lost, promoted = await asyncio.to_thread(cluster.kill_primary)
        await arena.commits(16)  # more than were on their way: some began after it
        seconds["kill"].append(round(time.monotonic() - promoted, 2))
        seconds["promotion"].append(round(promoted - killed, 1))
        await arena.commits(arena.random.randrange(30, 100))
        await asyncio.to_thread(cluster.start_node, lost)
        await asyncio.to_thread(cluster.settle)
        await arena.commits(arena.random.randrange(30, 100))
        promoted = await asyncio.to_thread(cluster.switch_over)
        await arena.commits(16)
        seconds["switchover"].append(round(time.monotonic() - promoted, 2))
        await asyncio.to_thread(cluster.settle)
    await arena.commits(30)
    await arena.finish()
    assert 500 not in arena.ledger.statuses
    arena.tell(failovers=arena.scale.failovers, seconds_to_recover=seconds, statuses=dict(arena.ledger.statuses))
