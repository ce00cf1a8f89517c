"""Sandbox LRSs on real ports, whose every request is recorded byte for byte."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.forwarding.targets import Target
from bridge.sandbox.lrs import FAULTS, LEDGER, STATEMENTS, Arrival, FaultRule, Match, create_lrs, faults
from bridge.target_settings import TargetSettings
from tests.conftest import StartBridge
from tests.support.bridge import Bridge

POST = Match(method="POST", path="/xapi/statements")
GET = Match(method="GET", path="/xapi/statements")


@dataclass
class Lrs:
    """A running sandbox LRS."""

    server: TestServer
    app: web.Application
    now: Callable[[], datetime]
    bodies: list[bytes] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """Give the address of its xAPI resources."""
        return str(self.server.make_url("/xapi/"))

    def settings(self, name: str = "lrs", **changed: Any) -> TargetSettings:
        """Make the settings of a target that is this LRS."""
        return TargetSettings(**({"name": name, "endpoint": self.endpoint} | changed))

    def target(self, **changed: Any) -> Target:
        """Make a target that is this LRS."""
        return Target(**({"name": "lrs", "endpoint": self.endpoint} | changed))

    def script(self, *rules: FaultRule) -> None:
        """Put a fault script in force."""
        self.app[FAULTS].exchange(rules)

    def refuse(self, status: int, when: Match = POST, **changed: Any) -> FaultRule:
        """Make a rule that answers with a status before anything is stored."""
        times = changed.pop("times", None)
        return FaultRule(faults.Answer(status, **changed), when=when, times=times)

    def ids(self) -> list[str]:
        """Give the ids of all statements stored, in order of first arrival."""
        return [one["id"] for one in self.app[STATEMENTS].statements()]

    def posts(self) -> Sequence[Arrival]:
        """Give all requests that brought statements, in order of arrival."""
        return [one for one in self.app[LEDGER].arrivals() if one.method == "POST"]


def _now() -> datetime:
    return datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log of all the trouble that tests make from taking longer than the tests."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


StartLrs = Callable[..., Awaitable[Lrs]]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request instead of the LRS, or returns None to let it pass."""


@pytest.fixture
async def start_lrs() -> AsyncIterator[StartLrs]:
    """Start sandbox LRSs with options of their own; they are stopped after the test."""
    servers: list[TestServer] = []

    async def starter(fault: Fault | None = None, **options: Any) -> Lrs:
        app = create_lrs(now=_now, **options)
        if fault is not None:

            @web.middleware
            async def faulty(request: web.Request, handler: Any) -> web.StreamResponse:
                answer = await fault(request)
                return answer if answer is not None else await handler(request)

            app.middlewares.insert(0, faulty)
        server = TestServer(app)
        lrs = Lrs(server, app, _now)

        @web.middleware
        async def record(request: web.Request, handler: Any) -> web.StreamResponse:
            if request.method == "POST":
                lrs.bodies.append(await request.read())
            response: web.StreamResponse = await handler(request)
            return response

        app.middlewares.insert(0, record)
        await server.start_server()
        servers.append(server)
        return lrs

    yield starter
    for server in servers:
        await server.close()


@pytest.fixture
async def start(start: StartBridge) -> AsyncIterator[StartBridge]:
    """Start bridges whose database can be looked into after they were stopped."""
    started: list[Bridge] = []

    async def starter(**changed: object) -> Bridge:
        started.append(await start(**changed))
        return started[-1]

    yield starter
    for bridge in started:
        await bridge.close()
        bridge.engine.dispose()


@pytest.fixture
async def lrs(start_lrs: StartLrs) -> Lrs:
    """A sandbox LRS that lets anyone in."""
    return await start_lrs()
