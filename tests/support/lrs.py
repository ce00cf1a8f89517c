"""LRS test doubles: the sandbox LRS on a real port, whose every request is recorded, and answers of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.forwarding.targets import Target
from bridge.sandbox.lrs import FAULTS, LEDGER, STATEMENTS, Arrival, Edition, FaultRule, Match, create_lrs, faults
from bridge.sandbox.lrs.store import StatementStore
from bridge.settings import TargetSettings

POST = Match(method="POST", path="/xapi/statements")
GET = Match(method="GET", path="/xapi/statements")
NO_DOCUMENTS = dict.fromkeys(("activity-state", "attempt-state", "activity-profile", "agent-profile"), False)
"""Settings of a target that gets statements alone."""

Hook = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


@dataclass
class Lrs:
    """A running sandbox LRS.

    `answered` is set by each of its answers, `bodies` are those of all POSTs. What is in `hooks` gets each request and
    answer before the answer is sent.
    """

    server: TestServer
    app: web.Application
    now: Callable[[], datetime]
    bodies: list[bytes] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    hooks: list[Hook] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """Return the address of its xAPI resources."""
        return str(self.server.make_url("/xapi/"))

    @property
    def store(self) -> StatementStore:
        """Return its statements."""
        return self.app[STATEMENTS]

    def settings(self, name: str = "lrs", **changed: Any) -> TargetSettings:
        """Return the settings of a target that is this LRS."""
        return TargetSettings(**({"name": name, "endpoint": self.endpoint} | changed))

    def target(self, **changed: Any) -> Target:
        """Return a target that is this LRS."""
        return Target(**({"name": "lrs", "endpoint": self.endpoint} | changed))

    def script(self, *rules: FaultRule) -> None:
        """Put a fault script in force."""
        self.app[FAULTS].exchange(rules)

    def refuse(self, status: int, when: Match = POST, **changed: Any) -> FaultRule:
        """Return a rule that answers with a status before anything is stored."""
        times = changed.pop("times", None)
        return FaultRule(faults.Answer(status, **changed), when=when, times=times)

    def ids(self) -> list[str]:
        """Return the ids of all statements stored, in order of first arrival."""
        return [statement["id"] for statement in self.store.statements()]

    def lose(self, ids: Collection[str]) -> None:
        """Forget statements, as if it was restored from a backup that does not have them."""
        self.replace(dict.fromkeys(ids))

    def replace(self, changed: Mapping[str, dict[str, Any] | None]) -> None:
        """Have other statements, or none, in place of those with these ids."""
        stored = self.store.in_order()
        self.store.clear()
        for entry in stored:
            statement = changed.get(entry.key, entry.statement)
            if statement is not None:
                authority = entry.statement["authority"]
                self.store.keep([statement], at=entry.stored, authority=authority, edition=Edition.ONE)

    def posts(self) -> Sequence[Arrival]:
        """Return all requests that brought statements, in order of arrival."""
        return [arrival for arrival in self.app[LEDGER].arrivals() if arrival.method == "POST"]

    async def wait_until(self, condition: Callable[[], bool], timeout: float = 30) -> None:  # noqa: ASYNC109 -- a limit
        """Return as soon as a condition holds, looking each time the LRS answers.

        Raises:
            TimeoutError: it did not hold in time.
        """
        async with asyncio.timeout(timeout):
            while not condition():
                self.answered.clear()
                await self.answered.wait()


StartLrs = Callable[..., Awaitable[Lrs]]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request instead of the LRS, or returns None to let it pass."""


def _now() -> datetime:
    return datetime(2026, 6, 1, tzinfo=UTC)


@asynccontextmanager
async def serve_lrs(
    fault: Fault | None = None, *, now: Callable[[], datetime] = _now, host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[Lrs]:
    """Run a sandbox LRS with options of its own. `host`: where it listens."""
    app = create_lrs(now=now, **options)
    if fault is not None:
        app.middlewares.insert(0, _faulty(fault))
    server = TestServer(app, host=host)
    lrs = Lrs(server, app, now)

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST":
            lrs.bodies.append(await request.read())
        response: web.StreamResponse = await handler(request)
        return response

    async def announce(request: web.Request, response: web.StreamResponse) -> None:
        for hook in lrs.hooks:
            await hook(request, response)
        lrs.answered.set()

    app.middlewares.insert(0, record)
    app.on_response_prepare.append(announce)
    async with server:
        yield lrs


def _faulty(fault: Fault) -> Any:
    @web.middleware
    async def faulty(request: web.Request, handler: Any) -> web.StreamResponse:
        answer = await fault(request)
        return answer if answer is not None else await handler(request)

    return faulty


def posted_ids(body: bytes) -> list[str]:
    """Return the ids of posted statements."""
    return [statement["id"] for statement in msgspec.json.decode(body)]


async def accept(request: web.Request) -> web.Response:
    """Answer as an LRS that takes everything and has nothing to show."""
    if request.method == "POST":
        return web.json_response(posted_ids(await request.read()))
    return web.Response(status=404 if request.method == "GET" else 204)
