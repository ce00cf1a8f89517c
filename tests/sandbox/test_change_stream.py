"""Pages that show what happens while it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridge.sandbox.change_stream import ChangeStream, ChangeWatcher


async def test_a_read_that_fails_keeps_no_later_change_from_the_pages() -> None:
    changes = ChangeStream()
    app = web.Application()
    app.on_shutdown.append(changes.stop)
    app.router.add_get("/live", changes.serve)
    reads: Iterator[int | Exception] = iter([1, OSError("the database is away"), 1])

    async def read_mark() -> int:
        value = next(reads, 2)
        if isinstance(value, Exception):
            raise value
        return value

    async with TestClient(TestServer(app)) as client, client.get("/live") as page:
        greeting = await page.content.readuntil(b"\n\n")
        watcher = ChangeWatcher(changes, read_mark, interval_seconds=0.001)
        watching = asyncio.create_task(watcher.run())
        event = await page.content.readuntil(b"\n\n")
        watcher.stop()
        await watching

    assert greeting == b": connected\n\n"
    assert event == b"event: change\ndata: new\n\n"
    assert watcher.failures == 1
