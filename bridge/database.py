"""The database as the event loop sees it: synchronous functions, run on threads of their own.

Commits have a thread that runs one transaction after the other, in the order they come. Other writes have a thread of
their own on PostgreSQL; SQLite has one writer for all.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.database_files import DatabaseFileLostError, OpenFiles
from storage.engine import reading
from storage.integrity import is_damage

_P = ParamSpec("_P")
_T = TypeVar("_T")

READERS = 4


DATABASE_ERRORS = (DBAPIError, DatabaseFileLostError)
"""What says that the database does not do as it should: nothing of what was to be stored."""


def describe(error: Exception) -> str:
    """Name an error without the values that the database's own words may hold."""
    if isinstance(error, DatabaseFileLostError):
        return str(error)
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
    return f"{type(error.orig).__name__} {code}".strip()


def describe_place(error: Exception) -> str:
    """Name an error and where in the code it was raised, without its words, which may hold learners' data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{describe(error)}{place}"


class Writer:
    """A thread that writes, on a connection that it keeps. `files` are those that must not be lost meanwhile."""

    def __init__(self, engine: Engine, files: OpenFiles, name: str) -> None:
        self._engine = engine
        self._files = files
        self._thread = ThreadPoolExecutor(1, name)
        self._connection: Connection | None = None

    def queue(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Let a function run on the thread, after those before it."""
        return self._thread.submit(function, *args, **kwargs)

    def transaction(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction; on the thread only. When this returns, it is committed.

        Raises:
            DatabaseFileLostError: it was committed to a file that is the database no longer.
        """
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                result = function(self._connection, *args, **kwargs)
            self._files.verify_again()
        except BaseException as error:
            # the connection may be what failed
            connection, self._connection = self._connection, None
            if connection is not None:
                if is_damage(error):
                    connection.invalidate()  # it has the damaged pages in memory, and would not see them mended
                connection.close()
            self._files.verify()  # a lost file says more than what it led to
            raise
        return result

    def close(self) -> None:
        """Wait for what is queued, then close the connection."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()


class Database:
    """Runs storage functions off the event loop. `commits` has them one after the other, in the order they come."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.files = OpenFiles(engine)
        self.commits = Writer(engine, self.files, "commits")
        self._writer = self.commits if engine.dialect.name == "sqlite" else Writer(engine, self.files, "write")
        self._readers = ThreadPoolExecutor(READERS, "read")

    async def write(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction of its own, beside those of commits where the database lets it."""
        writer = self._writer
        return await asyncio.wrap_future(writer.queue(lambda: writer.transaction(function, *args, **kwargs)))

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
        self.commits.close()
        self._writer.close()
        self._readers.shutdown()
        self.files.close()
        self.engine.dispose()
