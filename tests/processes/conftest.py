"""An LRS that outlives the bridges it is written to, and what clients of several processes share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.sandbox.lrs import STATEMENTS, create_lrs
from bridge.sandbox.lrs.store import StatementStore
from tests.support.server import Server


@dataclass
class Lrs:
    """A sandbox LRS that tells when something has arrived."""

    endpoint: str
    store: StatementStore
    answered: asyncio.Event

    async def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until a condition holds, looking each time the LRS answers."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.answered.clear()
                await self.answered.wait()


@pytest.fixture
async def lrs() -> AsyncIterator[Lrs]:
    """A sandbox LRS on a port of its own."""
    answered = asyncio.Event()

    async def tell(_request: web.Request, _response: web.StreamResponse) -> None:
        answered.set()

    app = create_lrs()
    app.on_response_prepare.append(tell)
    server = TestServer(app)
    await server.start_server()
    yield Lrs(str(server.make_url("/xapi/")), app[STATEMENTS], answered)
    await server.close()


StartServer = Callable[..., Server]


@pytest.fixture
async def new_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """Make servers, each in a directory of its own; what still runs after the test is killed."""
    made: list[Server] = []

    def make(database_url: str, **settings: Any) -> Server:
        made.append(Server(tmp_path / f"server-{len(made)}", database_url, **settings))
        return made[-1]

    yield make
    for server in made:
        await server.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client with as many connections as a test asks for."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session
