"""What whoever has a commit URL may do, and nothing besides: the learner's page has it, so the learner has."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.attack.victim import Victim

DOOR = "/v1/formats/elements"


async def _open(victim: Victim, http: aiohttp.ClientSession, learner: str) -> dict[str, Any]:
    body = {"learner": {"id": learner, "name": f"The name of {learner}"}, "activity": {"id": "1"}}
    async with http.post(f"{victim.url}/v1/sessions", json=body, headers=victim.headers) as response:
        assert response.status == 200
        opened: dict[str, Any] = await response.json()
        return opened


async def test_it_commits_to_its_session_whoever_the_body_names(victim: Victim, http: aiohttp.ClientSession) -> None:
    opened, other = await _open(victim, http, "mallory"), await _open(victim, http, "ada")
    body = {
        "session_id": other["session_id"],
        "learner": {"id": "ada"},
        "activity": {"id": "2"},
        "cmi": {"core": {"lesson_status": "passed"}},
        "sequence": 1,
    }
    async with http.post(opened["commit_url"], json=body) as response:
        answer = await response.json()
        assert (response.status, answer["session_id"]) == (200, opened["session_id"])
    for learner, count in (("mallory", 1), ("ada", 0)):
        (enrollment,) = await victim.server.verify(learner, "1")
        commits = [commit for session in enrollment["attempts"][0]["sessions"] for commit in session["commits"]]
        assert len(commits) == count


async def test_it_reads_its_own_session_and_nothing_else(victim: Victim, http: aiohttp.ClientSession) -> None:
    opened, other = await _open(victim, http, "mallory"), await _open(victim, http, "ada")
    token = opened["commit_url"].partition("?token=")[2]
    async with http.get(f"{victim.url}{DOOR}/sessions/{opened['session_id']}/commits?token={token}") as response:
        assert response.status == 200
        assert "The name of mallory" in await response.text()
    paths = [
        f"/v1/sessions/{opened['session_id']}",
        f"/v1/sessions/{other['session_id']}",
        f"/v1/attempts/{opened['attempt']['id']}",
        "/v1/enrollments",
        f"{DOOR}/sessions/{other['session_id']}/commits",
        "/audit/",
    ]
    for path in paths:
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get(f"{victim.url}{path}?token={token}", headers=headers, allow_redirects=False) as response:
            assert response.status == 401, path
            assert "The name of" not in await response.text()


@pytest.mark.parametrize(
    "change", ["later", "another LMS", "another learner", "another session", "cut", "empty", "no text"]
)
async def test_one_that_was_tampered_with_permits_nothing(
    victim: Victim, http: aiohttp.ClientSession, change: str
) -> None:
    opened, other = await _open(victim, http, "mallory"), await _open(victim, http, "ada")
    address, _, token = opened["commit_url"].partition("?token=")
    claims, _, signature = token.partition(".")
    until, lms, learner = claims.split("-")
    forged = {
        "later": f"{int(until, 16) + 10**6:x}-{lms}-{learner}.{signature}",
        "another LMS": f"{until}-{int(lms, 16) + 1:x}-{learner}.{signature}",
        "another learner": f"{until}-{lms}-{learner[::-1]}.{signature}",
        "another session": other["commit_url"].partition("?token=")[2],
        "cut": token[:-1],
        "empty": "",
        "no text": "%00%ff%ed%a0%80.%00",
    }[change]
    async with http.post(f"{address}?token={forged}", json={"cmi": {"core": {"lesson_status": "passed"}}}) as response:
        assert response.status == 401, await response.text()
