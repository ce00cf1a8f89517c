"""An asynchronous standby that takes over without the last commits: what was lost is named, by what the LRS has."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from bridge.clock import format_timestamp, system_now
from tests.chaos.arena import TARGET
from tests.support.lrs import serve_lrs
from tests.support.replication import ReplicatedPair
from tests.support.server import Server, StartServer

PAUSE = 0.02
"""Seconds that a player waits before it repeats what was not answered."""
DEADLINE = 60
"""Seconds that a commit may take until it is answered, and a statement until it has arrived."""


@pytest.fixture
def database_url(pair: ReplicatedPair) -> str:
    """A database of both, whose URL names both."""
    return pair.url


def commit_of(learner: str, raw: int, **fields: Any) -> dict[str, Any]:
    """Return a commit that is the same each time it is posted: a player names its session and when it was made."""
    return {
        "session_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{learner} {fields.pop('launch', 1)}")),
        "learner": {"id": learner},
        "activity": {"id": "235"},
        "cmi": {"core": {"score": {"raw": str(raw)}, "lesson_status": fields.pop("status", "incomplete")}},
        "committed_at": format_timestamp(system_now()),
        **fields,
    }


async def post(http: aiohttp.ClientSession, servers: list[Server], token: str, *bodies: dict[str, Any]) -> list[str]:
    """Post commits until each is answered, and return the ids of their statements."""
    ids: list[str] = []
    async with asyncio.timeout(DEADLINE):
        for number, body in enumerate(bodies):
            while True:
                url = f"{servers[number % len(servers)].url}/v1/commits"
                async with http.post(url, json=body, headers={"Authorization": f"Bearer {token}"}) as response:
                    if response.status == 200:
                        ids += [statement["id"] for statement in (await response.json())["statements"]]
                        break
                await asyncio.sleep(PAUSE)
    return ids


async def reconcile(server: Server, since: datetime) -> tuple[int | None, dict[str, Any]]:
    """Run the command; return its exit code and what it prints."""
    process = await server.spawn("reconcile", "lrs", "--unknown", "--since", since.isoformat(), "--json")
    output, _ = await process.communicate()
    return process.returncode, json.loads(output)


def _without_id(detail: str) -> str:
    return re.sub(" [0-9a-f-]{36}$", "", detail)


async def test_what_an_asynchronous_standby_has_lost_is_named_by_what_the_lrs_has(
    pair: ReplicatedPair, new_server: StartServer, http: aiohttp.ClientSession
) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    async with serve_lrs(now=lambda: datetime.now(UTC)) as lrs:
        servers = [new_server(pair.url, endpoint=lrs.endpoint, target=TARGET) for _ in range(2)]
        token = servers[0].new_token()
        for server in servers:
            await server.start()
        before = [commit_of("known", 40), commit_of("again", 90, status="passed", terminated=True)]
        kept = await post(http, servers, token, *before)
        await lrs.wait_until(lambda: {*kept} <= {*lrs.ids()}, DEADLINE)
        await asyncio.to_thread(pair.cut_off_standby)
        last = [commit_of("known", 80), commit_of("again", 50, launch=2), commit_of("new", 60)]
        lost = await post(http, servers, token, *last)
        await lrs.wait_until(lambda: {*lost} <= {*lrs.ids()}, DEADLINE)
        await asyncio.to_thread(pair.fail_over)
        later = await post(http, servers, token, commit_of("later", 10))
        await lrs.wait_until(lambda: {*later} <= {*lrs.ids()}, DEADLINE)

        code, found = await reconcile(servers[0], since)
        assert code == 1
        assert sorted(item["statement"] for item in found["items"]) == sorted(lost)
        assert {(item["discrepancy"], item["learner"], _without_id(item["detail"])) for item in found["items"]} == {
            ("unknown", "known", "its attempt is stored, without it"),
            ("unknown", "again", "its enrollment is stored, without its attempt"),
            ("unknown", "new", "nothing is stored of its registration"),
        }

        # what came again to an attempt that was kept has the ids it had; an attempt that was lost is another one now
        again = await post(http, servers, token, *last)
        await lrs.wait_until(lambda: {*again} <= {*lrs.ids()}, DEADLINE)
        _, found = await reconcile(servers[0], since)
        assert found["summary"]["discrepancies"] == dict.fromkeys(found["summary"]["discrepancies"], 0) | {
            "restated": len({*lost} - {*again})
        }
        assert {item["learner"] for item in found["items"]} == {"again", "new"}
        for server in servers:
            assert await server.stop() == 0
