"""Killed in the middle of its work, the bridge has lost nothing that it answered 200."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from tests.processes.conftest import Lrs, StartServer

COMMITS = 200
KILL_AFTER = 70
LEARNERS = 8


async def test_what_was_answered_200_before_a_kill_is_there_and_its_statements_arrive_once(
    new_server: StartServer, database_url: str, lrs: Lrs, http: aiohttp.ClientSession
) -> None:
    server = new_server(database_url, endpoint=lrs.endpoint)
    token = await server.run("tokens", "create", "--lms", "lms", "--home-page", "https://lms.example.org")
    await server.start()
    answered: list[tuple[str, int]] = []
    unanswered = 0
    enough = asyncio.Event()

    async def learner(name: str) -> None:
        nonlocal unanswered
        for number in range(1, COMMITS // LEARNERS + 1):
            body = {
                "learner": {"id": name},
                "activity": {"id": "235"},
                "cmi": {"core": {"score": {"raw": str(number)}}},
                "sequence": number,
            }
            try:
                async with http.post(
                    f"{server.url}/v1/commits", json=body, headers={"Authorization": f"Bearer {token}"}
                ) as response:
                    assert response.status == 200
                    await response.read()
            except aiohttp.ClientError:
                unanswered += 1
                return
            answered.append((name, number))
            if len(answered) == KILL_AFTER:
                enough.set()

    async def killer() -> None:
        await enough.wait()
        await server.kill()

    names = [f"learner-{number}" for number in range(LEARNERS)]
    await asyncio.gather(killer(), *map(learner, names))
    await server.start()
    stored = {name: (await server.verify(name, "235"))[0]["attempts"][0] for name in names}
    made = sum(len(attempt["statements"]) for attempt in stored.values())
    await lrs.until(lambda: len(lrs.store) >= made)
    status = await server.stop()

    assert unanswered > 0
    assert KILL_AFTER <= len(answered) < COMMITS
    for name, number in answered:
        numbers = [commit["number"] for commit in stored[name]["sessions"][0]["commits"]]
        assert number in numbers
    for name in names:
        highest = max((number for who, number in answered if who == name), default=0)
        assert stored[name]["score"]["raw"] >= highest
        rules = Counter(statement["rule"] for statement in stored[name]["statements"])
        assert rules["initialized"] == 1
        assert rules["scored"] == len(stored[name]["sessions"][0]["commits"])
    arrived = [statement["id"] for statement in lrs.store.statements()]
    assert len(arrived) == len(set(arrived)) == made
    assert status == 0


async def test_stopped_by_sigterm_it_ends_with_status_nought_and_goes_on_when_started_again(
    new_server: StartServer, database_url: str, lrs: Lrs, http: aiohttp.ClientSession
) -> None:
    server = new_server(database_url, endpoint=lrs.endpoint)
    token = await server.run("tokens", "create", "--lms", "lms", "--home-page", "https://lms.example.org")
    for raw in ("10", "20"):
        await server.start()
        body = {"learner": {"id": "u1"}, "activity": {"id": "1"}, "cmi": {"core": {"score": {"raw": raw}}}}
        async with http.post(
            f"{server.url}/v1/commits", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as response:
            assert response.status == 200
        assert await server.stop() == 0

    (enrollment,) = await server.verify("u1", "1")
    assert [one["rule"] for one in enrollment["attempts"][0]["statements"]] == ["initialized", "scored", "scored"]
