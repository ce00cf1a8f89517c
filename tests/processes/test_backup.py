"""A backup that is made while a bridge serves has all that was answered before it began, and holds no commit up."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import aiohttp
from sqlalchemy import text

from storage.engine import reading
from tests.support.server import StartServer
from tests.support.sql import closing_engine

CLIENTS = 8
COMMITS_BEFORE = 200


async def test_under_load_it_has_every_commit_that_was_answered_before_it_began(
    new_server: StartServer, sqlite_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    server = new_server(sqlite_url)
    token = server.new_token()
    await server.start()
    answered: list[tuple[str, int]] = []
    is_enough, is_over = asyncio.Event(), asyncio.Event()

    async def play(client: int) -> None:
        session_id = str(uuid.UUID(int=client + 1, version=4))
        score = 0
        while not is_over.is_set():
            score += 1
            body = {
                "session_id": session_id,
                "learner": {"id": f"u{client}"},
                "activity": {"id": "235"},
                "cmi": {"core": {"score": {"raw": str(score % 100)}, "lesson_location": str(score)}},
            }
            headers = {"Authorization": f"Bearer {token}"}
            async with http.post(f"{server.url}/v1/commits", json=body, headers=headers) as response:
                assert response.status == 200
                answered.append((session_id, (await response.json())["commit"]))
            if len(answered) >= COMMITS_BEFORE:
                is_enough.set()

    async with asyncio.TaskGroup() as group:
        for client in range(CLIENTS):
            group.create_task(play(client))
        await is_enough.wait()
        before = set(answered)
        await server.run("backup", str(tmp_path / "copy.db"))
        during = len(answered) - len(before)
        is_over.set()

    with closing_engine(f"sqlite:///{tmp_path / 'copy.db'}") as copy, reading(copy) as connection:
        stored = {tuple(row) for row in connection.execute(text("SELECT session_id, number FROM journal"))}

    assert before <= stored
    assert during > 0
    assert len(stored) < len(answered)
