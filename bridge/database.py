"""The database as the event loop sees it: synchronous functions, run on threads of their own.

Commits have a thread that runs one transaction after the other, in the order they come. Other writes have a thread of
their own on PostgreSQL; SQLite has one writer for all.
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


def describe(error: Exception) -> str:
    """Name an error without the values that the database's own words may hold."""
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
    return f"{type(error.orig).__name__} {code}".strip()


class Database:
    """Runs storage functions off the event loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._commits = ThreadPoolExecutor(1, "commits")
        self._writer = self._commits if engine.dialect.name == "sqlite" else ThreadPoolExecutor(1, "write")
        self._readers = ThreadPoolExecutor(READERS, "read")

    async def write(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction of its own, beside those of commits where the database lets it."""
        return await asyncio.get_running_loop().run_in_executor(
            self._writer, lambda: self.commit(function, *args, **kwargs)
        )

    def queue_commits(self, function: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Let a function have the thread of commits, after those before it. It must not raise."""
        self._commits.submit(function, *args, **kwargs)

    def commit(self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function in a transaction, on the calling thread. When this returns, it is committed."""
        with writing(self.engine) as connection:
            return function(connection, *args, **kwargs)

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
        for thread in {self._commits, self._writer}:
            thread.shutdown()
        self._readers.shutdown()
        self.engine.dispose()
