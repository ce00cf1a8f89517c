"""A sandbox LRS on a clock that stands still, a client that speaks xAPI to it, and statements to send."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bridge.sandbox.lrs import FAULTS, LEDGER, STATEMENTS, create_lrs, faults


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.time = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.time

    def move(self, **by):
        self.time += timedelta(**by)


class Lrs:
    """A running sandbox LRS: its application, and requests with the headers every xAPI request needs."""

    def __init__(self, client):
        self.client = client
        self.app = client.app
        self.store = client.app[STATEMENTS]
        self.ledger = client.app[LEDGER]
        self.faults = client.app[FAULTS]

    async def ask(self, method, path, *, version="1.0.3", headers=None, **options):
        marked = {"X-Experience-API-Version": version} | (headers or {})
        return await self.client.request(method, f"/xapi/{path}", headers=marked, **options)

    async def post(self, body, **options):
        return await self.ask("POST", "statements", json=body, **options)

    async def put(self, statement_id, body, **options):
        return await self.ask("PUT", "statements", params={"statementId": statement_id}, json=body, **options)

    async def get(self, **params):
        return await self.ask("GET", "statements", params=params)

    async def matching_ids(self, **params):
        """Return the ids that a query finds."""
        answer = await (await self.get(**params)).json()
        return [statement["id"] for statement in answer["statements"]]

    def script(self, *rules):
        """Put a fault script in force, given as JSON would have it."""
        self.faults.exchange(faults.load(msgspec.json.encode(rules)))

    def last(self):
        """Return the last arrival of the ledger."""
        return self.ledger.arrivals()[-1]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(aiohttp_client, clock):
    """Start a sandbox LRS of its own options; ids it makes count up from 1."""
    numbers = itertools.count(1)

    async def started(**options):
        app = create_lrs(now=clock, new_id=lambda: uuid.UUID(int=next(numbers)), **options)
        return Lrs(await aiohttp_client(app))

    return started


@pytest.fixture
async def lrs(start):
    return await start()


@pytest.fixture
def new_id():
    """Return UUIDs that repeat from run to run."""
    return lambda number: str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.org/{number}"))


@pytest.fixture
def statement():
    """Make a valid statement with the given properties changed; None leaves a property out."""

    def make(statement_id=None, **changes):
        whole = {
            "id": statement_id,
            "actor": {"account": {"homePage": "https://lms.example.org", "name": "u42"}},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en": "completed"}},
            "object": {"id": "https://lms.example.org/activities/235"},
            "timestamp": "2026-01-31T11:59:00.000Z",
        } | changes
        return {name: value for name, value in whole.items() if value is not None}

    return make
