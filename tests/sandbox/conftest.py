"""A sandbox LRS on a clock that stands still, a client that speaks xAPI to it, and statements to send."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from pytest_aiohttp import AiohttpClient

from bridge.sandbox.lrs import FAULTS, LEDGER, STATEMENTS, Arrival, create_lrs, faults


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


class Lrs:
    """A running sandbox LRS: its application, and requests with the headers every xAPI request needs."""

    def __init__(self, client: TestClient[Request, Application]) -> None:
        self.client = client
        self.app = client.app
        self.store = client.app[STATEMENTS]
        self.ledger = client.app[LEDGER]
        self.faults = client.app[FAULTS]

    async def ask(
        self,
        method: str,
        path: str,
        *,
        version: str = "1.0.3",
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> ClientResponse:
        marked = {"X-Experience-API-Version": version} | (headers or {})
        return await self.client.request(method, f"/xapi/{path}", headers=marked, **options)

    async def post(self, body: Any, **options: Any) -> ClientResponse:
        return await self.ask("POST", "statements", json=body, **options)

    async def put(self, statement_id: str, body: Any, **options: Any) -> ClientResponse:
        return await self.ask("PUT", "statements", params={"statementId": statement_id}, json=body, **options)

    async def get(self, **params: str | int) -> ClientResponse:
        return await self.ask("GET", "statements", params=params)

    async def matching_ids(self, **params: str | int) -> list[str]:
        """Return the ids that a query finds."""
        answer = await (await self.get(**params)).json()
        return [statement["id"] for statement in answer["statements"]]

    def script(self, *rules: dict[str, Any]) -> None:
        """Put a fault script in force, given as JSON would have it."""
        self.faults.exchange(faults.load(msgspec.json.encode(rules)))

    def last(self) -> Arrival:
        """Return the last arrival of the ledger."""
        return self.ledger.arrivals()[-1]


NewId = Callable[[int], str]
"""Makes the UUID of a number."""

StartSandboxLrs = Callable[..., Awaitable[Lrs]]
"""Starts a sandbox LRS with options of `create_lrs`."""


class MakeStatement(Protocol):
    """Makes a valid statement with the given properties changed."""

    def __call__(self, statement_id: str | None = None, **changes: Any) -> dict[str, Any]: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(aiohttp_client: AiohttpClient, clock: Clock) -> StartSandboxLrs:
    """Start a sandbox LRS of its own options; ids it makes count up from 1."""
    numbers = itertools.count(1)

    async def started(**options: Any) -> Lrs:
        app = create_lrs(now=clock, new_id=lambda: uuid.UUID(int=next(numbers)), **options)
        return Lrs(await aiohttp_client(app))

    return started


@pytest.fixture
async def lrs(start: StartSandboxLrs) -> Lrs:
    return await start()


@pytest.fixture
def new_id() -> NewId:
    """Return UUIDs that repeat from run to run."""
    return lambda number: str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.org/{number}"))


@pytest.fixture
def statement() -> MakeStatement:
    """Make a valid statement with the given properties changed; None leaves a property out."""

    def make(statement_id: str | None = None, **changes: Any) -> dict[str, Any]:
        whole = {
            "id": statement_id,
            "actor": {"account": {"homePage": "https://lms.example.org", "name": "u42"}},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en": "completed"}},
            "object": {"id": "https://lms.example.org/activities/235"},
            "timestamp": "2026-01-31T11:59:00.000Z",
        } | changes
        return {name: value for name, value in whole.items() if value is not None}

    return make
