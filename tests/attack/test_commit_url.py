"""What whoever has a commit URL may do, and nothing besides: the learner's page has it, so the learner has."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.attack.lms import Lms

DOOR = "/v1/formats/elements"


async def _open(lms: Lms, learner: str) -> dict[str, Any]:
    return await lms.open(learner, "1", name=f"The name of {learner}")


async def test_it_commits_to_its_session_whoever_the_body_names(lms: Lms, http: aiohttp.ClientSession) -> None:
    opened, other = await _open(lms, "mallory"), await _open(lms, "ada")
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
        (enrollment,) = await lms.server.verify(learner, "1")
        commits = [commit for session in enrollment["attempts"][0]["sessions"] for commit in session["commits"]]
        assert len(commits) == count


async def test_it_reads_its_own_session_and_nothing_else(lms: Lms, http: aiohttp.ClientSession) -> None:
    opened, other = await _open(lms, "mallory"), await _open(lms, "ada")
    token = opened["commit_url"].partition("?token=")[2]
    async with http.get(f"{lms.server.url}{DOOR}/sessions/{opened['session_id']}/commits?token={token}") as response:
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
        async with http.get(
            f"{lms.server.url}{path}?token={token}", headers=headers, allow_redirects=False
        ) as response:
            assert response.status == 401, path
            assert "The name of" not in await response.text(), path


@pytest.mark.parametrize(
    "change", ["later", "another LMS", "another learner", "another session", "cut", "empty", "no text"]
)
async def test_one_that_was_tampered_with_permits_nothing(lms: Lms, http: aiohttp.ClientSession, change: str) -> None:
    opened, other = await _open(lms, "mallory"), await _open(lms, "ada")
    address, _, token = opened["commit_url"].partition("?token=")
    claims, _, signature = token.partition(".")
    until, lms_id, learner = claims.split("-")
    forged = {
        "later": f"{int(until, 16) + 10**6:x}-{lms_id}-{learner}.{signature}",
        "another LMS": f"{until}-{int(lms_id, 16) + 1:x}-{learner}.{signature}",
        "another learner": f"{until}-{lms_id}-{learner[::-1]}.{signature}",
        "another session": other["commit_url"].partition("?token=")[2],
        "cut": token[:-1],
        "empty": "",
        "no text": "%00%ff%ed%a0%80.%00",
    }[change]
    async with http.post(f"{address}?token={forged}", json={"cmi": {"core": {"lesson_status": "passed"}}}) as response:
        assert response.status == 401, await response.text()
