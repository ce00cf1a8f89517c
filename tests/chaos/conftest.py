"""Seeds that are told, scales for a minute or for a night, and what happened when a promise was broken."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random

import aiohttp
import pytest
from sqlalchemy import Engine

from storage.database_url import parse_database_url
from storage.engine import open_engine
from storage.migrations import migrate
from tests.chaos.arena import SCALES, Arena, Scale
from tests.chaos.lrs import ChaosLrs, serve_chaos
from tests.support.replication import ReplicatedPair, replicated_pair
from tests.support.server import StartServer


@pytest.fixture
def scale() -> Scale:
    """As CHAOS in the environment says: `full` for hours, else some minutes."""
    return SCALES[os.environ.get("CHAOS", "")]


@pytest.fixture
def seed(record_property: Callable[[str, object], None]) -> int:
    """A new one each time, which is printed with a failure; CHAOS_SEED gives the same dice again."""
    number = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1 << 32))
    print(f"CHAOS_SEED={number}")
    record_property("seed", number)
    return number


@pytest.fixture
async def chaos_lrs(seed: int) -> AsyncIterator[ChaosLrs]:
    """An LRS that fails by dice."""
    async with serve_chaos(seed) as lrs:
        yield lrs


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A look into the database."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
async def arena(
    database_url: str,
    engine: Engine,
    chaos_lrs: ChaosLrs,
    scale: Scale,
    seed: int,
    http: aiohttp.ClientSession,
    new_server: StartServer,
    tmp_path: Path,
) -> Arena:
    """Everything that a test of trouble needs."""
    return Arena(database_url, engine, chaos_lrs, scale, Random(seed), http, new_server, tmp_path / "history.json")


@pytest.fixture
def pair(postgresql_server: str) -> Iterator[ReplicatedPair]:
    """A primary with a synchronous standby, whose database has the current schema."""
    with replicated_pair(Path(str(parse_database_url(postgresql_server).query["host"]))) as running:
        engine = open_engine(running.url)
        migrate(engine)
        engine.dispose()
        yield running
