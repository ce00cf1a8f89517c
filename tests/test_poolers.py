"""The bridge behind a real PgBouncer: with connections of its own as usual, with shared ones not at all."""

from __future__ import annotations

import pytest

from storage.engine import open_engine
from storage.poolers import SharedConnectionsError, shares_connections
from tests.support.bridge import StartBridge
from tests.support.pgbouncer import pgbouncer


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """PostgreSQL alone has poolers."""
    return postgresql_url


@pytest.mark.parametrize(("mode", "is_shared"), [("session", False), ("transaction", True)])
def test_connections_that_are_shared_are_noticed(postgresql_url: str, mode: str, is_shared: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    with pgbouncer(postgresql_url, mode) as url:
        engine = open_engine(url)
        assert shares_connections(engine) is is_shared
        engine.dispose()


async def test_a_pooler_that_keeps_connections_apart_changes_nothing(postgresql_url: str, start: StartBridge) -> None:
    with pgbouncer(postgresql_url, "session") as url:
        bridge = await start(database_url=url)
        for raw in ("10", "20"):
            await bridge.commit({"core": {"score": {"raw": raw}}})
        assert bridge.rules() == ["initialized", "scored", "scored"]
        await bridge.close()
        bridge.engine.dispose()


async def test_a_bridge_does_not_start_on_shared_connections_and_says_what_to_do(
    postgresql_url: str, start: StartBridge
) -> None:
    with (
        pgbouncer(postgresql_url, "transaction") as url,
        pytest.raises(SharedConnectionsError, match="pool_mode = session"),
    ):
        await start(database_url=url)
