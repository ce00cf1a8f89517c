"""Databases opened as the service opens them, and new ones without any table."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event

from storage.engine import open_engine, writing
from storage.outbox import UNASSIGNED
from tests.storage import builders

_STATE_AS_PARAMETER = re.compile(r"\b\w*(?:delivery|notification)\.state (?:=|!=) (?:\?|%|\$)")


@pytest.fixture(autouse=True)
def spelled_out_states() -> Iterator[None]:
    """Refuse queries that have a state of a queue as a parameter: indexes of what waits would not serve them."""
    refused: list[str] = []

    def look(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if _STATE_AS_PARAMETER.search(statement):
            refused.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    yield
    event.remove(Engine, "before_cursor_execute", look)
    assert refused == []


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on an empty database with the current schema and leases held; the test runs once on each kind."""
    opened = open_engine(database_url)
    with writing(opened) as connection:
        builders.hold(connection, ("lrs", "first", "second", "third", "new", "other", "mirror", UNASSIGNED))
    yield opened
    opened.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database without any table; the test runs once on each kind."""
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
        yield opened
        opened.dispose()
        return
    template: str = request.getfixturevalue("postgresql_server")
    server, name = template.replace("template_bridge", "postgres"), f"fresh_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log")
    opened = open_engine(template.replace("template_bridge", name))
    yield opened
    opened.dispose()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
