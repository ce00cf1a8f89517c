"""Bridges go on with the schema of a later release, and are restarted one after the other without a failed commit."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from alembic.config import Config
from sqlalchemy import text

from storage import migrations
from storage.engine import reading
from tests.deployment.proxies import start_proxy, trust
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer, free_port
from tests.support.sql import closing_engine
from tests.support.waiting import REMOTE_POLL_INTERVAL, TIMEOUT, poll, wait_while_decreasing

CLIENTS = 4
LATER = "9999"
TABLES = (
    "enrollment", "attempt", "session", "journal", "statement", "delivery", "try", "document", "document_delivery",
    "lms", "token", "lease",
)  # fmt: skip


def _migrate_to_later(server: Server, oldest: str | None = None) -> None:
    """Do what a later release's migration may do: columns, an index and a table more."""

    def step(config: Config) -> None:
        connection = config.attributes["connection"]
        for table in TABLES:
            connection.execute(text(f'ALTER TABLE "{table}" ADD COLUMN of_a_later_release TEXT'))
        connection.execute(text("CREATE INDEX ix_later ON enrollment (of_a_later_release)"))
        connection.execute(text("CREATE TABLE later (id INTEGER PRIMARY KEY)"))
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{LATER}'"))
        if oldest is not None:
            connection.execute(text(f"UPDATE schema_compatibility SET oldest_revision = '{oldest}'"))

    with closing_engine(server.database_url) as engine:
        migrations._run(engine, step)


def _count(server: Server, query: str) -> int:
    with closing_engine(server.database_url) as engine, reading(engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


async def test_a_rolling_upgrade_fails_no_commit(
    new_server: StartServer, postgresql_url: str, lrs: Lrs, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Each bridge stops listening at once: who is on the way to it, HAProxy sends to the other one."""
    servers = [new_server(postgresql_url, endpoint=lrs.endpoint) for _ in range(2)]
    token = servers[0].new_token()
    await asyncio.gather(*(server.start() for server in servers))
    statuses: Counter[int] = Counter()
    is_over = asyncio.Event()
    proxy = await start_proxy("haproxy", servers[0].port, tmp_path, free_port(), servers[1].port)
    try:

        async def play(client: int) -> None:
            while not is_over.is_set():
                body = {
                    "learner": {"id": f"u{client}"},
                    "activity": {"id": "235"},
                    "cmi": {"core": {"score": {"raw": str(statuses.total() % 100)}}},
                }
                headers = {"Authorization": f"Bearer {token}"}
                async with http.post(f"{proxy.url}/v1/commits", json=body, headers=headers, ssl=trust()) as response:
                    statuses[response.status] += 1

        async with asyncio.TaskGroup() as group:
            for client in range(CLIENTS):
                group.create_task(play(client))
            await asyncio.to_thread(_migrate_to_later, servers[0])
            for server in servers:
                enough = statuses.total() + 100
                await wait_while_decreasing(lambda: enough - statuses.total(), _pause, TIMEOUT)  # noqa: B023 -- awaited at once
                assert await server.stop() == 0
                enough = statuses.total() + 100
                await wait_while_decreasing(lambda: enough - statuses.total(), _pause, TIMEOUT)  # noqa: B023 -- likewise
                await server.start()
            is_over.set()
    finally:
        await proxy.stop()
    assert set(statuses) == {200}
    assert _count(servers[0], "SELECT count(*) FROM journal WHERE duplicate_of IS NULL") == statuses.total()
    waiting = partial(_count, servers[0], "SELECT count(*) FROM delivery WHERE state = 'waiting'")
    await wait_while_decreasing(waiting, _pause, TIMEOUT)
    assert len(lrs.ids()) == _count(servers[0], "SELECT count(*) FROM statement")


async def _pause() -> None:
    await asyncio.sleep(REMOTE_POLL_INTERVAL)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_schema_that_it_cannot_work_with_is_said_and_takes_no_commit(
    request: pytest.FixtureRequest, new_server: StartServer, http: aiohttp.ClientSession, kind: str
) -> None:
    server = new_server(request.getfixturevalue(f"{kind}_url"))
    server.new_token()
    await server.start()
    await asyncio.to_thread(_migrate_to_later, server, LATER)

    async def readiness() -> tuple[int, str]:
        async with http.get(f"{server.url}/readyz") as response:
            return response.status, await response.text()

    status, words = await poll(readiness, lambda answer: answer[0] == 503)
    assert status == 503
    assert "another release" in words
    await server.stop()
    with pytest.raises(AssertionError, match="a newer release migrated it"):
        await server.start()
