"""Two bridges on one PostgreSQL: whichever takes a commit, there is one truth."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest

from tests.support.server import Server, StartServer

TOGETHER = 50


class Pair:
    """Two servers and a client that spreads requests over them."""

    def __init__(self, servers: list[Server], token: str, http: aiohttp.ClientSession) -> None:
        self.servers = servers
        self._token = token
        self._http = http

    async def commit(self, number: int, body: dict[str, Any]) -> tuple[int, Any]:
        """Post an all-in-one commit to one of the two."""
        url = f"{self.servers[number % 2].url}/v1/commits"
        async with self._http.post(url, json=body, headers={"Authorization": f"Bearer {self._token}"}) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def pair(new_server: StartServer, postgresql_url: str, http: aiohttp.ClientSession) -> Pair:
    """Two running bridges on one database."""
    servers = [new_server(postgresql_url) for _ in range(2)]
    token = servers[0].new_token()
    await asyncio.gather(*(server.start() for server in servers))
    return Pair(servers, token, http)


def _body(session_id: str, raw: int) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "learner": {"id": "u1"},
        "activity": {"id": "235"},
        "cmi": {"core": {"score": {"raw": str(raw)}}},
    }


async def test_fifty_first_commits_of_one_new_session_at_once_make_one_attempt(pair: Pair) -> None:
    session_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(pair.commit(number, _body(session_id, number)) for number in range(TOGETHER)))
    (enrollment,) = await pair.servers[0].verify("u1", "235")
    (attempt,) = enrollment["attempts"]
    (session,) = attempt["sessions"]

    assert {status for status, _ in answers} == {200}
    assert {answer["session_id"] for _, answer in answers} == {session_id}
    assert sorted(answer["commit"] for _, answer in answers) == list(range(1, TOGETHER + 1))
    assert enrollment["total_attempts"] == 1
    assert [commit["number"] for commit in session["commits"]] == list(range(1, TOGETHER + 1))
    assert [statement["rule"] for statement in attempt["statements"]].count("initialized") == 1
    assert [statement["rule"] for statement in attempt["statements"]].count("scored") == TOGETHER


async def test_first_commits_of_fifty_sessions_of_one_enrollment_at_once_make_fifty_attempts_without_gaps(
    pair: Pair,
) -> None:
    # each is finished at once: what is not over, the next session would go on with
    finished = {"cmi": {"core": {"lesson_status": "passed"}}, "terminated": True}
    answers = await asyncio.gather(
        *(pair.commit(number, _body(str(uuid.uuid4()), number) | finished) for number in range(TOGETHER))
    )
    (enrollment,) = await pair.servers[0].verify("u1", "235")

    assert {status for status, _ in answers} == {200}
    assert sorted(answer["attempt"]["number"] for _, answer in answers) == list(range(1, TOGETHER + 1))
    assert enrollment["total_attempts"] == TOGETHER
    assert [attempt["number"] for attempt in enrollment["attempts"]] == list(range(1, TOGETHER + 1))
    assert all(len(attempt["sessions"]) == 1 for attempt in enrollment["attempts"])


async def test_first_commits_of_fifty_sessions_of_one_attempt_that_goes_on_are_all_of_it(pair: Pair) -> None:
    answers = await asyncio.gather(
        *(pair.commit(number, _body(str(uuid.uuid4()), number)) for number in range(TOGETHER))
    )
    (enrollment,) = await pair.servers[0].verify("u1", "235")
    (attempt,) = enrollment["attempts"]

    assert {status for status, _ in answers} == {200}
    assert (enrollment["total_attempts"], len(attempt["sessions"])) == (1, TOGETHER)
    assert [statement["rule"] for statement in attempt["statements"]].count("initialized") == 1


async def test_commits_of_one_session_through_both_processes_lose_no_time(pair: Pair) -> None:
    session_id = str(uuid.uuid4())
    for number in range(20):
        status, answer = await pair.commit(
            number,
            _body(session_id, number)
            | {"cmi": {"core": {"session_time": f"00:00:{number + 1:02d}"}}, "sequence": number},
        )
        assert (status, answer["disposition"]) == (200, "applied"), number

    assert answer["attempt"]["total_time"] == "PT20S"
