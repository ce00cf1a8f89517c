"""Live news: an open page hears that something was stored."""

from __future__ import annotations

import asyncio

from storage import audit_log
from storage.audit_log import AuditEntry
from storage.engine import writing
from tests.audit.conftest import Meet
from tests.support.accounts import START
from tests.support.bridge import Bridge


async def test_an_open_page_hears_of_commits_and_of_what_others_do(bridge: Bridge, meet: Meet) -> None:
    reader = await meet(bridge, "rita", "reader")
    async with reader.client.get("/audit/live") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert await stream.content.readuntil(b"\n\n") == b": here\n\n"
        # what was there when it began to listen is no news
        number = 0

        async def heard() -> bytes:
            nonlocal number
            reading = asyncio.create_task(stream.content.readuntil(b"\n\n"))
            while not reading.done():
                number += 1
                await bridge.commit({"core": {"lesson_location": str(number)}})
            return await reading

        assert await heard() == b"event: stored\ndata: new\n\n"
        with writing(bridge.engine) as connection:
            audit_log.append(connection, AuditEntry(START, "ada", "pause", "analytics", 1, ""))
        assert await stream.content.readuntil(b"\n\n") == b"event: stored\ndata: new\n\n"


async def test_a_bridge_that_stops_lets_listeners_go(bridge: Bridge, meet: Meet) -> None:
    reader = await meet(bridge, "rita", "reader")
    async with reader.client.get("/audit/live") as stream:
        await stream.content.readuntil(b"\n\n")
        await bridge.close()
        assert await stream.content.read() == b""
