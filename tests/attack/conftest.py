"""What all attacks share: a bridge in a process of its own on each database, its honest users, printed figures.

Figures are printed, never asserted: a machine that is busy with other things is not a fault. What is asserted is how
the bridge answers, that honest clients are served meanwhile, and that nothing that was answered 200 is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import aiohttp
import pytest

from tests.attack.lms import Lms
from tests.attack.probe import Probe
from tests.support.server import StartServer

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
async def lms(new_server: StartServer, database_url: str, http: aiohttp.ClientSession) -> Lms:
    """An LMS at a bridge without a target, which has an admin whose name is Ada."""
    server = new_server(database_url)
    lms = Lms(http, server, server.new_token())
    server.add_account("ada")
    await server.start()
    return lms


@pytest.fixture
def probe(lms: Lms) -> Probe:
    """A probe of the bridge of `lms`."""
    return Probe(lms.server.url)
