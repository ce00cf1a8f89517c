"""A whole bridge inside the test's process: real HTTP, real database, a clock that stands still unless it is set."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Engine
from yarl import URL

from bridge.app import DOCUMENT_BUILDER, SEARCH_INDEXER, create_app
from bridge.http.connection_server import ConnectionRunner
from bridge.settings import (
    AlertingSettings,
    AlertSettings,
    AuditSettings,
    DatabaseSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    OutgoingSettings,
    ProxySettings,
    ServerSettings,
    Settings,
    TargetSettings,
)
from bridge.tracing import Tracing
from storage.engine import open_engine, reading
from storage.queries.lookups import AttemptReport, enrollments, reports
from tests.support.accounts import START, register_lms


@dataclass
class FakeClock:
    """Milliseconds since the epoch, moved by hand."""

    milliseconds: int = START

    def __call__(self) -> int:
        return self.milliseconds

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.milliseconds += int(seconds * 1000)


class GatedClock(FakeClock):
    """A clock at which each batch waits, on the writer's thread, until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.through = threading.Semaphore(0)

    def __call__(self) -> int:
        if threading.current_thread().name.startswith("commits"):
            self.through.acquire()
        return self.milliseconds


@dataclass
class FakeMonotonic:
    """Seconds of a clock that nobody sets, moved by hand."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Ids:
    """UUIDs in a row: 00000000-0000-4000-8000-000000000001 and so on."""

    count: int = 0

    def __call__(self) -> str:
        self.count += 1
        return f"00000000-0000-4000-8000-{self.count:012x}"


class BridgeServer(TestServer):
    """Serves as `scorm-bridge serve` does: on connections that are watched."""

    def __init__(self, app: web.Application, settings: ServerSettings, *, logs_access: bool = False) -> None:
        super().__init__(app)
        self._settings = settings
        self._logs_access = logs_access

    async def _make_runner(self, **options: Any) -> ConnectionRunner:
        return ConnectionRunner(self.app, self._settings, logs_access=self._logs_access, **options)


@dataclass
class Bridge:
    """A running bridge with an LMS that has a token."""

    client: TestClient[Any, Any]
    engine: Engine
    token: str
    clock: FakeClock
    closed: bool = field(default=False)

    @property
    def url(self) -> URL:
        """Return where it listens."""
        return self.client.make_url("/")

    async def post(
        self, path: str | URL, body: Any = None, *, token: str | None = "", **options: Any
    ) -> tuple[int, Any]:
        """Post JSON (or `data`), with the LMS's token unless another or none is given; return status and answer."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        if "data" not in options:
            options["json"] = body
        async with self.client.post(path, headers=headers, **options) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, path: str | URL, *, token: str | None = "") -> tuple[int, Any]:
        """Get JSON with the LMS's token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token or self.token}"}
        async with self.client.get(path, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def commit(self, cmi: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Post an all-in-one commit that must succeed; by default of learner u1 in activity 235."""
        body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": cmi} | fields
        status, answer = await self.post("/v1/commits", body)
        assert status == 200, answer
        return answer

    async def open(self, **fields: Any) -> dict[str, Any]:
        """Open a session that must open; by default of learner u1 in activity 235."""
        status, answer = await self.post("/v1/sessions", {"learner": {"id": "u1"}, "activity": {"id": "235"}} | fields)
        assert status == 200, answer
        return answer

    def reports(self, learner: str = "u1", activity: str = "235") -> list[AttemptReport]:
        """Return what is stored of a learner's attempts."""
        with reading(self.engine) as connection:
            return [
                report
                for owner in enrollments(connection, learner_id=learner, activity_id=activity)
                for report in reports(connection, owner)
            ]

    def rules(self, learner: str = "u1", activity: str = "235") -> list[str]:
        """Return the rules whose statements were stored, attempt after attempt in their order."""
        return [statement.rule for report in self.reports(learner, activity) for statement in report.statements]

    def durations(self, learner: str = "u1", activity: str = "235") -> list[str | None]:
        """Return the durations that the ends of sessions were told with, in their order."""
        ends = {"suspended", "terminated", "abandoned"}
        statements = [
            json.loads(statement.body)
            for report in self.reports(learner, activity)
            for statement in report.statements
            if statement.rule in ends
        ]
        return [statement.get("result", {}).get("duration") for statement in statements]

    async def let_documents_follow(self) -> None:
        """Make the documents of all that was committed, due or not."""
        assert self.client.app is not None
        while await self.client.app[DOCUMENT_BUILDER].build(self.clock() + 86_400_000):
            pass

    async def let_names_be_indexed(self) -> None:
        """Make everything findable that was committed."""
        assert self.client.app is not None
        await self.client.app[SEARCH_INDEXER].index()

    async def close(self) -> None:
        """Stop it as SIGTERM would."""
        if not self.closed:
            self.closed = True
            await self.client.close()
            self.engine.dispose()


StartBridge = Callable[..., Awaitable[Bridge]]


async def start_bridge(
    *,
    database_url: str,
    targets: tuple[TargetSettings, ...] = (),
    clock: FakeClock | None = None,
    ids: Ids | None = None,
    token: str | None = None,
    audit: AuditSettings | None = None,
    limits: LimitSettings | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    proxy: ProxySettings | None = None,
    metrics: MetricsSettings | None = None,
    log: LogSettings | None = None,
    alerts: tuple[AlertSettings, ...] = (),
    alerting: AlertingSettings | None = None,
    tracing: Tracing | None = None,
    outgoing: OutgoingSettings | None = None,
    random: Callable[[], float] = lambda: 0.0,
    **server: Any,
) -> Bridge:
    """Start a bridge. `server` sets `[server]` keys; retries are made without waiting, unless `random` says more."""
    clock = clock or FakeClock()
    engine = open_engine(database_url)
    if token is None:
        token = register_lms(engine, now=clock()).token
    settings = Settings(
        server=ServerSettings(**server),
        database=DatabaseSettings(url=database_url),
        targets=targets,
        audit=audit or AuditSettings(),
        limits=limits or LimitSettings(),
        proxy=proxy or ProxySettings(),
        metrics=metrics or MetricsSettings(),
        log=log or LogSettings(),
        alerts=alerts,
        alerting=alerting or AlertingSettings(),
        outgoing=outgoing or OutgoingSettings(),
    )
    try:
        app = create_app(settings, now=clock, new_id=ids or Ids(), random=random, monotonic=monotonic, tracing=tracing)
    except BaseException:
        engine.dispose()
        raise
    client: TestClient[Any, Any] = TestClient(BridgeServer(app, settings.server, logs_access=settings.log.access))
    await client.start_server()
    return Bridge(client, engine, token, clock)
