"""An LMS and its players at a bridge that runs as a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.server import Server
from tests.support.waiting import poll


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
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers by which the LMS is known."""
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, address: str, body: Any, *, token: str | None = None) -> Reply:
        """Post JSON with the LMS's token, or with none if it is `""`; `address` may be whole."""
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = address if address.startswith("http") else f"{self.server.url}{address}"
        async with self.http.post(url, json=body, headers=headers) as response:
            return Reply(response.status, dict(response.headers), await response.json(content_type=None))

    async def commit(
        self, learner: str = "u1", activity: str = "235", cmi: dict[str, Any] | None = None, **more: Any
    ) -> Reply:
        """Post a commit with everything in one body."""
        body = {"learner": {"id": learner}, "activity": {"id": activity}, "cmi": cmi or {"suspend_data": "x" * 500}}
        return await self.post("/v1/commits", body | more)

    async def open(self, learner: str = "u1", activity: str = "235", **more: Any) -> dict[str, Any]:
        """Open a session that must open, and return the answer."""
        body = {"learner": {"id": learner} | more, "activity": {"id": activity}}
        reply = await self.post("/v1/sessions", body)
        assert reply.status == 200, reply.body
        session: dict[str, Any] = reply.body
        return session

    async def commit_url(self, learner: str = "u1", activity: str = "235") -> str:
        """Open a session and return where its player posts to."""
        return str((await self.open(learner, activity))["commit_url"])

    async def ready(self) -> Reply:
        """Ask whether commits can be stored, as a load balancer does."""
        async with self.http.get(f"{self.server.url}/readyz") as response:
            return Reply(response.status, dict(response.headers), await response.json())

    async def until_ready(self, status: int) -> Reply:
        """Ask until the answer has this status."""
        return await _reply_with(status, self.ready)

    async def until_committed(self, status: int) -> Reply:
        """Commit until the answer has this status."""
        return await _reply_with(status, self.commit)


async def _reply_with(status: int, ask: Callable[[], Awaitable[Reply]]) -> Reply:
    reply = await poll(ask, lambda reply: reply.status == status)
    assert reply.status == status
    return reply
