"""An LMS and its players at a bridge that runs as a process of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from bridge.access import new_token
from storage import lms
from storage.engine import open_engine, writing
from tests.support.bridge import START
from tests.support.server import Server

DEADLINE = 30
"""Seconds after which something that does not happen is a fault."""


@dataclass(frozen=True)
class Reply:
    """A bridge's answer."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Lms:
    """An LMS with a token."""

    http: aiohttp.ClientSession
    server: Server
    token: str = ""

    def meet(self, url: str) -> None:
        """Get a token from whoever runs the bridge on a database."""
        self.token = new_token()
        engine = open_engine(url)
        with writing(engine) as connection:
            digest = lms.digest(self.token)
            lms.add_token(
                connection, name="lms", home_page="https://l.example", origins=(), token_digest=digest, now=START
            )
        engine.dispose()

    async def post(self, address: str, body: Any, *, token: str | None = None) -> Reply:
        """Post JSON with the LMS's token, or with none if it is `""`; `address` may be whole."""
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = address if address.startswith("http") else f"{self.server.url}{address}"
        async with self.http.post(url, json=body, headers=headers) as response:
            return Reply(response.status, dict(response.headers), await response.json(content_type=None))

    async def commit(self, learner: str = "u1", suspend_data: str = "x" * 500) -> Reply:
        """Post a commit with everything in one body."""
        cmi = {"suspend_data": suspend_data}
        return await self.post("/v1/commits", {"learner": {"id": learner}, "activity": {"id": "235"}, "cmi": cmi})

    async def commit_url(self, learner: str = "u1", activity: str = "235") -> str:
        """Open a session and return where its player posts to."""
        reply = await self.post("/v1/sessions", {"learner": {"id": learner}, "activity": {"id": activity}})
        assert reply.status == 200, reply.body
        url: str = reply.body["commit_url"]
        return url

    async def ready(self) -> Reply:
        """Ask whether commits can be stored, as a load balancer does."""
        async with self.http.get(f"{self.server.url}/readyz") as response:
            return Reply(response.status, dict(response.headers), await response.json())

    async def until_ready(self, status: int) -> Reply:
        """Ask until the answer has this status."""
        async with asyncio.timeout(DEADLINE):
            while (reply := await self.ready()).status != status:  # noqa: ASYNC110 -- the bridge sets no event
                await asyncio.sleep(0.05)
        return reply

    async def until_committed(self, status: int) -> Reply:
        """Commit until the answer has this status."""
        async with asyncio.timeout(DEADLINE):
            while (reply := await self.commit()).status != status:  # noqa: ASYNC110 -- likewise
                await asyncio.sleep(0.05)
        return reply
