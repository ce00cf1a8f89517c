"""A receiver of webhooks on a real port, and endpoints put straight into a database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import Engine
from standardwebhooks import Webhook

from bridge.operations.audit_context import AuditContext
from bridge.operations.webhooks import NewWebhook, add_webhook
from storage.engine import writing
from tests.support.accounts import START
from tests.support.http_server import LOOPBACK


@dataclass(frozen=True)
class Received:
    """A request as a receiver got it."""

    id: str
    timestamp: int
    signatures: tuple[str, ...]
    text: str

    @property
    def event(self) -> Any:
        """Return what it says."""
        return json.loads(self.text)

    @property
    def type(self) -> str:
        """Return the type of its event."""
        return str(self.event["type"])

    @property
    def learner(self) -> str:
        """Return the learner that it is of."""
        return str(self.event["data"]["learner"]["id"])

    def is_signed_by(self, secret: str) -> bool:
        """Return whether one of its signatures is that of a secret, whatever the time is now."""
        expected = Webhook(secret).sign(self.id, datetime.fromtimestamp(self.timestamp, UTC), self.text)
        return expected in self.signatures


Respond = Callable[[Received], Awaitable[web.Response] | web.Response]


@dataclass
class Receiver:
    """What came, in its order, and what was answered with 2xx; `respond` decides that."""

    server: TestServer
    requests: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    respond: Respond = lambda _received: web.Response(status=204)

    @property
    def url(self) -> str:
        """Return its address."""
        return str(self.server.make_url("/hook"))

    def types(self, learner: str | None = None) -> list[str]:
        """Return the types of the events that it accepted, of all learners or of one."""
        return [received.type for received in self.accepted if learner in {None, received.learner}]

    def answer(self, status: int, **headers: str) -> None:
        """Answer everything with a status from now on."""
        self.respond = lambda _received: web.Response(status=status, headers=headers)


@asynccontextmanager
async def serve_receiver() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    app = web.Application()
    server = TestServer(app)
    receiver = Receiver(server)

    async def take(request: web.Request) -> web.Response:
        headers = request.headers
        received = Received(
            headers["webhook-id"],
            int(headers["webhook-timestamp"]),
            tuple(headers["webhook-signature"].split()),
            await request.text(),
        )
        receiver.requests.append(received)
        response = receiver.respond(received)
        if isinstance(response, Awaitable):
            response = await response
        if 200 <= response.status < 300:
            receiver.accepted.append(received)
        return response

    app.router.add_post("/hook", take)
    await server.start_server()
    yield receiver
    await server.close()


def add_endpoint(
    engine: Engine, url: str, name: str = "gradebook", *, lms: str = "lms", events: tuple[str, ...] = ()
) -> str:
    """Add an endpoint and return its secret."""
    with writing(engine) as connection:
        new = NewWebhook(name, lms, url, events)
        return add_webhook(connection, new, AuditContext("me", "", START), guard=LOOPBACK).secret
