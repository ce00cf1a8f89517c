"""A bridge whose machine is gone without a word in the middle of a transaction."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.support.machines import Machine, machines
from tests.support.replication import ReplicatedPair

WRITE = "UPDATE lms SET name = name"
TRANSACTION = f"""
import sys
from sqlalchemy import text
from storage.engine import open_engine, writing

with writing(open_engine(sys.argv[1])) as connection:
    connection.execute(text("{WRITE}"))
    print(flush=True)
    sys.stdin.read()
"""
PATIENCE = "60s"
"""How long another bridge waits for the rows. Linux would keep a connection that says nothing for two hours."""


@pytest.fixture
async def lost(pair: ReplicatedPair) -> AsyncIterator[Machine]:
    """A machine that has changed a row, has not committed it, and cannot be reached any more."""
    with machines(1) as (machine,), psycopg.connect(pair.url, autocommit=True) as connection:
        connection.execute("INSERT INTO lms (name, home_page, origins, created_at) VALUES ('school', '', '[]', 0)")
        url = pair.url.replace("127.0.0.1", machine.here)
        process = await asyncio.create_subprocess_exec(
            *machine.wrapper, sys.executable, "-c", TRANSACTION, url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert await process.stdout.readline(), "it did not come to write"
        machine.cut_off((pair.primary.port, pair.standby.port))
        yield machine
        process.kill()
        await process.wait()


async def test_rows_that_it_had_changed_can_be_changed_by_another_bridge_before_long(
    lost: Machine, pair: ReplicatedPair
) -> None:
    with psycopg.connect(pair.url, autocommit=True) as connection:
        connection.execute(f"SET lock_timeout = '{PATIENCE}'")
        changed = await asyncio.to_thread(connection.execute, WRITE)

        assert changed.rowcount == 1
