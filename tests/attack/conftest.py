"""What all attacks share: a bridge in a process of its own on each database, its honest users, printed figures.

Figures are printed, never asserted: a machine that is busy with other things is not a fault. What is asserted is how
the bridge answers, that honest clients are served meanwhile, and that nothing that was answered 200 is lost.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.attack.probe import Probe
from tests.attack.victim import PASSWORD, Victim
from tests.support.server import StartServer

StartVictim = Callable[..., Awaitable[Victim]]
PrintFigures = Callable[[str], None]


@pytest.fixture
def is_full() -> bool:
    """Return whether attacks play at length (`make attack`, which sets CHAOS=full), not for some seconds each."""
    return os.environ.get("CHAOS", "") == "full"


@pytest.fixture
def figures(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> PrintFigures:
    """Print a line of figures, and keep it with the test's result."""

    def show(line: str) -> None:
        print(f"\n  {request.node.name}: {line}")
        record_property("figures", line)

    return show


@pytest.fixture
def start_victim(database_url: str, new_server: StartServer, tmp_path: Path) -> StartVictim:
    """Start bridges on the test's database, SQLite and PostgreSQL in turn; they are killed after the test.

    Keywords are those of `tests.support.server.Server`: `server` for more TOML of `[server]`, `endpoint` and
    `target` for a target. For an attack to which the database is nothing, `sqlite_url` may be given as `database`.
    """

    async def start(*, database: str = database_url, options: tuple[str, ...] = (), **settings: Any) -> Victim:
        server = new_server(database, **settings)
        token = await server.new_token()
        secret = tmp_path / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        await server.run("accounts", "create", "ada", "--role", "admin", "--password-file", str(secret))
        await server.start(*options)
        return Victim(server, token, "ada")

    return start


@pytest.fixture
async def victim(start_victim: StartVictim) -> Victim:
    """A bridge without a target, with an LMS and an admin."""
    return await start_victim()


@pytest.fixture
def probe(victim: Victim) -> Probe:
    """A probe of the `victim`."""
    return Probe(victim.url)


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps cookies, of hosts that are numbers, too."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session
