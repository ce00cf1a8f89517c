"""Stopped by a signal, it finishes what is under way; by a second one, it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import aiohttp
from sqlalchemy import text

from storage.engine import open_engine, writing
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer


async def test_stopped_by_sigterm_it_ends_with_status_nought_and_goes_on_when_started_again(
    new_server: StartServer, database_url: str, lrs: Lrs, http: aiohttp.ClientSession
) -> None:
    server = new_server(database_url, endpoint=lrs.endpoint)
    token = server.new_token()
    for raw in ("10", "20"):
        await server.start()
        body = {"learner": {"id": "u1"}, "activity": {"id": "1"}, "cmi": {"core": {"score": {"raw": raw}}}}
        async with http.post(
            f"{server.url}/v1/commits", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as response:
            assert response.status == 200, raw
        assert await server.stop() == 0, raw

    (enrollment,) = await server.verify("u1", "1")

    assert [statement["rule"] for statement in enrollment["attempts"][0]["statements"]] == [
        "initialized",
        "scored",
        "scored",
    ]


async def test_load_balancers_are_told_before_it_stops_listening(
    new_server: StartServer, database_url: str, http: aiohttp.ClientSession
) -> None:
    server = new_server(database_url, server="drain_delay = 600\n")
    await server.run("migrate")
    await server.start()
    async with http.get(f"{server.url}/readyz") as response:
        assert response.status == 200
    server.signal()
    await server.says("stopping")
    async with http.get(f"{server.url}/readyz") as response:
        assert (response.status, (await response.json())["status"]) == (503, "draining")
    async with http.get(f"{server.url}/healthz") as response:
        assert response.status == 200
    server.signal()

    assert await server.ended() == -signal.SIGTERM


async def test_what_is_under_way_is_answered_before_it_ends(
    new_server: StartServer, database_url: str, http: aiohttp.ClientSession
) -> None:
    """It listens no longer while a commit that it has waits for the database."""
    server = new_server(database_url)
    token = server.new_token()
    await server.start()
    sent = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"learner": {"id": "u1"}, "activity": {"id": "1"}, "cmi": {"suspend_data": "x"}}'
        sent.set()

    async def post() -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with http.post(f"{server.url}/v1/commits", data=body(), headers=headers) as response:
            return response.status, (await response.json())["disposition"]

    engine = open_engine(database_url)
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # on SQLite, whoever writes keeps all others from it
            connection.execute(text("LOCK TABLE journal"))
        posting = asyncio.create_task(post())
        await sent.wait()
        for _ in range(3):  # what was sent before is with the server when it answers these
            async with http.get(f"{server.url}/healthz") as response:
                assert response.status == 200
        server.signal()
        await until_refused(server)
        assert not posting.done()
    assert await posting == (200, "applied")
    assert await server.ended() == 0
    engine.dispose()
    (enrollment,) = await server.verify("u1", "1")
    assert enrollment["total_attempts"] == 1


async def until_refused(server: Server) -> None:
    """Wait until a server takes no more connections."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except ConnectionResetError:
                continue  # it had been let in line when the line was closed
            except ConnectionRefusedError:
                return
            writer.close()


async def test_a_second_signal_ends_it_at_once_although_something_is_under_way(
    new_server: StartServer, database_url: str, http: aiohttp.ClientSession
) -> None:
    server = new_server(database_url)
    token = server.new_token()
    await server.start()
    begun = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"learner":'
        begun.set()
        await asyncio.Event().wait()

    headers = {"Authorization": f"Bearer {token}"}
    posting = asyncio.create_task(http.post(f"{server.url}/v1/commits", data=body(), headers=headers).__aenter__())
    await begun.wait()
    server.signal()
    await server.says("stopping")
    server.signal()
    assert await server.ended() == -signal.SIGTERM
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
