"""A learner is erased beside live traffic, by a command that is killed on its way: nothing comes back, others go on."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from functools import partial

import aiohttp
import pytest
from sqlalchemy import text

from storage.engine import reading
from tests.support.frames import unpack_frames
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer
from tests.support.sql import closing_engine
from tests.support.waiting import REMOTE_POLL_INTERVAL, TIMEOUT, poll, wait_while_decreasing

VICTIM = "erased-one"
OTHERS = ("u1", "u2", "u3")
COMMITS_BEFORE = 150
KILLS = 2


class Traffic:
    """Learners who go on committing, each in a session of their own, over all servers in turn."""

    def __init__(self, servers: list[Server], token: str, http: aiohttp.ClientSession) -> None:
        self._servers, self._http = servers, http
        self._headers = {"Authorization": f"Bearer {token}"}
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.is_over = asyncio.Event()

    async def play(self, learner: str, client: int, commits: int | None = None) -> None:
        """Commit until it is over, or so many times."""
        session_id = str(uuid.UUID(int=hash((learner, client)) & (1 << 128) - 1, version=4))
        number = 0
        while not self.is_over.is_set() and (commits is None or number < commits):
            number += 1
            body = {
                "session_id": session_id,
                "learner": {"id": learner, "name": f"Name of {learner}"},
                "activity": {"id": f"a{client}"},
                "cmi": {"core": {"score": {"raw": str(number % 100)}}},
            }
            url = f"{self._servers[number % len(self._servers)].url}/v1/commits"
            async with self._http.post(url, json=body, headers=self._headers) as response:
                await response.read()
                self.statuses[learner, response.status] += 1


@pytest.fixture(params=["sqlite", "postgresql"])
async def servers(request: pytest.FixtureRequest, new_server: StartServer, lrs: Lrs) -> list[Server]:
    """A bridge on SQLite, or two on one PostgreSQL, which forward to the LRS."""
    url = request.getfixturevalue(f"{request.param}_url")
    started = [new_server(url, endpoint=lrs.endpoint) for _ in range(1 if request.param == "sqlite" else 2)]
    await asyncio.gather(*(server.start() for server in started))
    return started


def _count(server: Server, query: str) -> int:
    with closing_engine(server.database_url) as engine, reading(engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


async def _wait_for_none(server: Server, query: str) -> None:
    """Wait until a query counts nothing, which takes the longer the more was committed."""
    await wait_while_decreasing(partial(_count, server, query), lambda: asyncio.sleep(REMOTE_POLL_INTERVAL), TIMEOUT)


async def test_killed_on_its_way_and_repeated_it_leaves_nothing_and_costs_no_other_commit(
    servers: list[Server], lrs: Lrs, http: aiohttp.ClientSession
) -> None:
    server = servers[0]
    traffic = Traffic(servers, server.new_token(), http)
    await asyncio.gather(*(traffic.play(VICTIM, client, COMMITS_BEFORE) for client in range(2)))
    async with asyncio.TaskGroup() as group:
        for client, learner in enumerate((*OTHERS, VICTIM, VICTIM)):
            group.create_task(traffic.play(learner, client))
        for _ in range(KILLS):
            process = await server.spawn("erase", VICTIM, "--yes")
            await poll(lambda: asyncio.to_thread(_count, server, "SELECT count(*) FROM erasure"), bool)
            process.kill()
            await process.wait()
        receipt = json.loads(await server.run("erase", VICTIM, "--yes", "--json"))
        traffic.is_over.set()
    refused = {status for (learner, status) in traffic.statuses if learner == VICTIM}
    assert refused <= {200, 404, 410}
    assert 410 in refused
    assert {status for (learner, status) in traffic.statuses if learner != VICTIM} == {200}
    assert receipt["deleted"].get("enrollments", 0) <= 4
    assert _count(server, f"SELECT count(*) FROM enrollment WHERE learner_id = '{VICTIM}'") == 0
    with closing_engine(server.database_url) as engine:
        unpack_frames(engine)
    assert _count(server, f"SELECT count(*) FROM statement WHERE body LIKE '%{VICTIM}%'") == 0
    assert _count(server, "SELECT count(*) FROM erasure WHERE finished_at IS NULL") == 0
    await _wait_for_none(server, "SELECT count(*) FROM removal WHERE resource = 'statements'")
    await _wait_for_none(server, "SELECT count(*) FROM delivery WHERE state = 'waiting'")
    stored = lrs.store.in_order()
    victims = [each for each in stored if VICTIM in str(each.statement.get("actor"))]
    assert victims
    assert all(lrs.store.is_voided(each) for each in victims)
    others = [each for each in stored if each not in victims and not each.voids]
    assert not any(lrs.store.is_voided(each) for each in others)
    query = "SELECT count(*) FROM statement"
    assert len(others) == _count(server, query)
