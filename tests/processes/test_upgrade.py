"""Bridges go on with the schema of a later release, and are restarted one after the other without a failed commit."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import Any

import aiohttp
import pytest
from alembic.config import Config
from sqlalchemy import text

from storage import migrations
from storage.engine import reading
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer
from tests.support.sql import closing_engine
from tests.support.waiting import REMOTE_POLL_INTERVAL, TIMEOUT, poll, wait_while_decreasing

CLIENTS = 4
DRAIN_DELAY = 3
"""Seconds that the balancer has to ask both bridges once, however busy the machine is."""
LATER = "9999"
TABLES = (
    "enrollment", "attempt", "session", "journal", "statement", "delivery", "try", "document", "document_delivery",
    "lms", "token", "lease",
)  # fmt: skip


class Balancer:
    """A load balancer: it asks each bridge whether it is ready, and sends commits to those that are."""

    def __init__(self, servers: list[Server], http: aiohttp.ClientSession) -> None:
        self._servers, self._http = servers, http
        self._turns = itertools.count()
        self.ready: list[Server] = []

    async def look(self) -> None:
        """Ask all of them, for ever."""
        while True:
            self.ready = [server for server in self._servers if await self._is_ready(server)]
            await asyncio.sleep(REMOTE_POLL_INTERVAL)

    async def _is_ready(self, server: Server) -> bool:
        try:
            async with self._http.get(f"{server.url}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def commit(self, token: str, body: dict[str, Any]) -> int:
        """Send a commit to one that is ready and return the status."""
        server = self.ready[next(self._turns) % len(self.ready)]
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.post(f"{server.url}/v1/commits", json=body, headers=headers) as response:
            await response.read()
            return response.status


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
    new_server: StartServer, postgresql_url: str, lrs: Lrs, http: aiohttp.ClientSession
) -> None:
    servers = [
        new_server(postgresql_url, endpoint=lrs.endpoint, server=f"drain_delay = {DRAIN_DELAY}\n") for _ in range(2)
    ]
    token = servers[0].new_token()
    await asyncio.gather(*(server.start() for server in servers))
    balancer = Balancer(servers, http)
    looking = asyncio.create_task(balancer.look())
    assert await poll(lambda: asyncio.sleep(0, len(balancer.ready)), lambda count: count == 2) == 2
    statuses: list[int] = []
    is_over = asyncio.Event()

    async def play(client: int) -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            body = {
                "learner": {"id": f"u{client}"},
                "activity": {"id": "235"},
                "cmi": {"core": {"score": {"raw": str(number % 100)}}},
            }
            statuses.append(await balancer.commit(token, body))

    async with asyncio.TaskGroup() as group:
        for client in range(CLIENTS):
            group.create_task(play(client))
        await asyncio.to_thread(_migrate_to_later, servers[0])
        for server in servers:
            assert await server.stop() == 0
            await server.start()
            assert await poll(lambda: asyncio.sleep(0, len(balancer.ready)), lambda count: count == 2) == 2, server
        is_over.set()
    looking.cancel()
    assert set(statuses) == {200}
    assert _count(servers[0], "SELECT count(*) FROM journal") == len(statuses)
    waiting = partial(_count, servers[0], "SELECT count(*) FROM delivery WHERE state = 'waiting'")
    await wait_while_decreasing(waiting, lambda: asyncio.sleep(REMOTE_POLL_INTERVAL), TIMEOUT)
    assert len(lrs.ids()) == _count(servers[0], "SELECT count(*) FROM statement")


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
