"""The database as the event loop sees it: synchronous functions, run on threads of their own.

Writes go through lanes. A lane is one thread that runs one transaction after the other, so what is sent down the same
lane happens in order. SQLite has one lane, as it has one writer; PostgreSQL has a few.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.engine import reading, writing

_P = ParamSpec("_P")
_T = TypeVar("_T")

READERS = 4
POSTGRESQL_LANES = 2


def describe(error: Exception) -> str:
    """Name an error without the values that the database's own words may hold."""
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
    return f"{type(error.orig).__name__} {code}".strip()


class Database:
    """Runs storage functions off the event loop."""

    def __init__(self, engine: Engine, *, lanes: int | None = None) -> None:
        self.engine = engine
        if lanes is None:
            lanes = 1 if engine.dialect.name == "sqlite" else POSTGRESQL_LANES
        self._lanes = [ThreadPoolExecutor(1, f"write-{number}") for number in range(lanes)]
        self._readers = ThreadPoolExecutor(READERS, "read")

    @property
    def lanes(self) -> int:
        """Tell how many lanes there are."""
        return len(self._lanes)

    async def write(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction of its own on the first lane."""
        return await self.write_on(0, lambda connection: function(connection, *args, **kwargs))

    async def write_on(self, lane: int, function: Callable[[Connection], _T]) -> _T:
        """Run a function in a transaction of its own on a lane. When this returns, it is committed."""

        def transaction() -> _T:
            with writing(self.engine) as connection:
                return function(connection)

        return await asyncio.get_running_loop().run_in_executor(self._lanes[lane], transaction)

    async def read(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function that only reads."""

        def transaction() -> _T:
            try:
                with reading(self.engine) as connection:
                    return function(connection, *args, **kwargs)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # the database was restarted under a connection that was kept: the pool has forgotten it
            with reading(self.engine) as connection:
                return function(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, transaction)

    def close(self) -> None:
        """Wait for what is running, then close all connections."""
        for lane in self._lanes:
            lane.shutdown()
        self._readers.shutdown()
        self.engine.dispose()
