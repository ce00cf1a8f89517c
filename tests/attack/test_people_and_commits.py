"""People who ask a running bridge for very much: commits are stored all the same, and the rest is refused in words."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from bridge.audit.access.concurrency_limits import MAX_PER_ACCOUNT, WorkKind
from tests.attack.lms import Lms
from tests.support.browser import Visitor, new_visitor
from tests.support.server import StartServer

EXPORTS = 40
COMMITS = 200
MAX_PAGE = 2_000_000
"""Bytes."""
Record = Callable[[str, object], None]


async def _commit(lms: Lms, learner: int, cmi: dict[str, Any]) -> Any:
    reply = await lms.commit(f"u{learner}", cmi=cmi, scorm_version="2004")
    assert reply.status == 200, reply.body
    return reply.body


async def _export(person: Visitor, path: str) -> tuple[int, str | None]:
    async with person.client.get(path) as response:
        await response.read()
        return response.status, response.headers.get("Retry-After")


async def test_forty_exports_of_one_account_are_two_at_a_time_and_commits_go_on(
    new_server: StartServer,
    http: ClientSession,
    database_url: str,
    record_property: Record,
) -> None:
    server = new_server(database_url)
    lms = Lms(http, server, server.new_token())
    server.add_account("ada")
    await server.start()
    async with new_visitor(server.url) as ada:
        assert (await ada.sign_in("ada")).status == 303
        for _ in range(3):
            await asyncio.gather(*(_commit(lms, n, {"cmi.score.raw": "1"}) for n in range(COMMITS)))
        exports = [asyncio.create_task(_export(ada, "/audit/statements.csv")) for _ in range(EXPORTS)]
        times = []
        for number in range(COMMITS):
            begun = time.perf_counter()
            await _commit(lms, number, {"cmi.score.raw": "2"})
            times.append((time.perf_counter() - begun) * 1000)
        async with asyncio.timeout(120):
            answers = await asyncio.gather(*exports)
        again, _ = await _export(ada, "/audit/statements.csv")
    record_property("commit_p50_ms", sorted(times)[COMMITS // 2])
    record_property("commit_p99_ms", sorted(times)[COMMITS * 99 // 100])
    counts = Counter(answers)

    assert counts[200, None] >= MAX_PER_ACCOUNT[WorkKind.FILE]
    assert counts[200, None] + counts[429, "10"] == EXPORTS
    assert counts[429, "10"] > EXPORTS // 2
    assert again == 200, "who waits gets the file"


async def test_the_page_of_an_attempt_with_thirty_large_commits_stays_small(
    new_server: StartServer,
    http: ClientSession,
    sqlite_url: str,
) -> None:
    server = new_server(sqlite_url)
    lms = Lms(http, server, server.new_token())
    server.add_account("ada")
    await server.start()
    for number in range(30):
        cmi: dict[str, Any] = {}
        for place in range(250):
            cmi |= {
                f"cmi.interactions.{place}.id": f"q{number}-{place}",
                f"cmi.interactions.{place}.type": "fill-in",
                f"cmi.interactions.{place}.learner_response": "x" * 3000,
                f"cmi.interactions.{place}.result": "correct",
            }
        answer = await _commit(lms, 1, cmi)
    attempt, session = answer["attempt"]["id"], answer["session_id"]
    async with new_visitor(server.url) as ada:
        assert (await ada.sign_in("ada")).status == 303
        for path in (f"attempts/{attempt}", f"commits/{session}/30", f"commits/{session}/30?rules=1"):
            assert len(await ada.text(f"/audit/{path}")) < MAX_PAGE, path
    for path in (f"attempts/{attempt}", f"sessions/{session}"):
        async with http.get(f"{server.url}/v1/{path}", headers=lms.headers) as response:
            page = await response.json()
        assert len(page["statements"]) <= 500, path
        assert page["next"]["statements"] is not None, path


@pytest.mark.parametrize("ends", ["signs out", "account is removed"])
async def test_an_open_page_hears_nothing_more_once_the_sign_in_has_ended(
    new_server: StartServer,
    http: ClientSession,
    database_url: str,
    ends: str,
) -> None:
    server = new_server(database_url)
    lms = Lms(http, server, server.new_token())
    server.add_account("ada")
    await server.start()
    async with new_visitor(server.url) as ada:
        assert (await ada.sign_in("ada")).status == 303
        async with ada.client.get("/audit/live") as live:
            assert await live.content.readuntil(b"\n\n") == b": here\n\n"
            heard = asyncio.create_task(live.content.readuntil(b"\n\n"))
            number = 0
            while not heard.done():
                number += 1
                await _commit(lms, number, {"cmi.score.raw": "1"})
            assert await heard == b"event: stored\ndata: new\n\n"
            if ends == "signs out":
                await ada.sign_out()
            else:
                await server.run("accounts", "remove", "ada", "--yes")
            rest = asyncio.create_task(live.content.read())
            async with asyncio.timeout(60):
                while not rest.done():
                    number += 1
                    await _commit(lms, number, {"cmi.score.raw": "1"})
            # at most what was on its way when the sign-in ended
            assert (await rest).count(b"event") <= 1
