"""A bridge that cannot be put together leaves nothing open."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, QueuePool, text

import bridge.app
from bridge.app import SchemaError, create_app
from bridge.settings import DatabaseSettings, Settings
from storage.engine import open_engine, writing

Opened = list[Engine]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The databases that are opened."""
    engines: Opened = []

    def opening(url: str) -> Engine:
        engines.append(open_engine(url))
        return engines[-1]

    monkeypatch.setattr(bridge.app, "open_engine", opening)
    return engines


def _idle_connections(opened: Opened) -> list[int]:
    """Return how many connections each keeps for later."""
    return [engine.pool.checkedin() for engine in opened if isinstance(engine.pool, QueuePool)]


def test_whatever_fails_when_it_is_put_together_the_database_is_closed(
    database_url: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no pages")

    monkeypatch.setattr(bridge.app, "mount", fail)
    with pytest.raises(RuntimeError, match="no pages"):
        create_app(Settings(database=DatabaseSettings(url=database_url)))

    assert _idle_connections(opened) == [0]


def test_a_schema_that_is_not_current_leaves_no_connection(database_url: str, opened: Opened) -> None:
    engine = open_engine(database_url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    with pytest.raises(SchemaError):
        create_app(Settings(database=DatabaseSettings(url=database_url)))

    assert _idle_connections(opened) == [0]
