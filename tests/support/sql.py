"""Plain SQL: queries that say what pages must show, and a look at every statement that this process executes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event, text

from storage import prepared
from storage.engine import open_engine, reading
from tests.support.bridge import Bridge


@contextmanager
def closing_engine(database_url: str) -> Iterator[Engine]:
    """Open a database as the service does, and close it in the end."""
    engine = open_engine(database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def rows(bridge: Bridge, query: str, **values: Any) -> list[Any]:
    """Return the rows of a query."""
    with reading(bridge.engine) as connection:
        return list(connection.execute(text(query), values))


def scalar(bridge: Bridge, query: str, **values: Any) -> Any:
    """Return the one value of a query."""
    with reading(bridge.engine) as connection:
        return connection.execute(text(query), values).scalar_one()


def column(bridge: Bridge, query: str) -> list[Any]:
    """Return the first column of a query as text."""
    return [str(row[0]) for row in rows(bridge, query)]


@contextmanager
def observe_statements(observer: Callable[[str], None]) -> Iterator[None]:
    """Call `observer` with each statement before it is executed; what it raises, the statement fails with."""

    def before_cursor_execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        observer(statement)

    execute = prepared.execute

    def execute_prepared(connection: Connection, text: str, parameters: Any) -> Any:
        observer(text)
        return execute(connection, text, parameters)

    event.listen(Engine, "before_cursor_execute", before_cursor_execute)
    try:
        with patch.object(prepared, "execute", execute_prepared):
            yield
    finally:
        event.remove(Engine, "before_cursor_execute", before_cursor_execute)
