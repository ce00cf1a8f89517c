"""The database for the event loop: synchronous functions, run on threads.

Commits have a thread that runs one transaction after the other, in the order they come. The other writes of the service
have another one on PostgreSQL; SQLite has one writer for all. People, exports, and the requests of LMSs for what is
stored read in lanes of their own, and wait for each other instead of delaying commits.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bridge.database_outage import DATABASE_ERRORS, DatabaseOutage, describe_error, log_failure
from bridge.errors import Busy
from bridge.writer import Writer
from storage.database_files import OpenFiles
from storage.engine import reading

_P = ParamSpec("_P")
_T = TypeVar("_T")

READERS = 4
"""Threads on which the service itself reads: tokens, deliveries, readiness."""
LANE_READERS = 2
"""Threads of the lane of people, and of that of LMSs."""
EXPORT_READERS = 1
"""Threads of the lane of exports."""
MAX_WAITING = 64
"""Requests that wait in a lane; further ones are refused."""
BUSY_RETRY_AFTER = 2
"""Seconds."""

__all__ = ["DATABASE_ERRORS", "Database", "Lane", "describe_error", "describe_error_place", "log_failure"]


def describe_error_place(error: Exception) -> str:
    """Return the name of an error and where in the code it was raised, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{describe_error(error)}{place}"


class Reader:
    """Reads on the thread that calls it, and notes whether the database answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outage = DatabaseOutage("reads")

    def read(self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function in a transaction that only reads, once more where the connection had been lost before."""
        try:
            result = self._read_twice(function, *args, **kwargs)
        except DATABASE_ERRORS as error:
            self._outage.record_failure(error)
            raise
        self._outage.record_success()
        return result

    def _read_twice(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        try:
            with reading(self._engine) as connection:
                return function(connection, *args, **kwargs)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # the database was restarted under a pooled connection, which the pool has dropped
        with reading(self._engine) as connection:
            return function(connection, *args, **kwargs)


class Lane:
    """The database for one kind of client: reading threads of its own, and refusal where too many requests wait."""

    def __init__(self, engine: Engine, reader: Reader, writer: Writer, name: str, threads: int) -> None:
        self.engine = engine
        self._reader = reader
        self._writer = writer
        self._name = name
        self._readers = ThreadPoolExecutor(threads, name)
        self._waiting = 0

    async def read(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function that only reads.

        Raises:
            Busy: too many wait.
        """
        return await self.run(lambda: self._reader.read(function, *args, **kwargs))

    async def run(self, function: Callable[[], _T]) -> _T:
        """Run any function on the lane's threads.

        Raises:
            Busy: too many wait.
        """
        if self._waiting >= MAX_WAITING:
            raise self._busy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, function)
        finally:
            self._waiting -= 1

    async def write(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction of low priority.

        Raises:
            Busy: too many wait.
        """
        if self._writer.low_priority_waiting >= MAX_WAITING:
            raise self._busy()
        writer = self._writer
        return await asyncio.wrap_future(
            writer.queue_low_priority(lambda: writer.transaction(function, *args, **kwargs))
        )

    def transact(self, function: Callable[[Connection], _T]) -> _T:
        """Run a function as `write` does, from a thread that waits for it: long work writes a little at a time."""
        writer = self._writer
        return writer.queue_low_priority(lambda: writer.transaction(function)).result()

    def close(self) -> None:
        """Wait for what is running."""
        self._readers.shutdown()

    def _busy(self) -> Busy:
        return Busy("Too many requests of this kind are waiting; try again.", retry_after=BUSY_RETRY_AFTER)


class Database:
    """Runs storage functions off the event loop. `commits` runs them one after the other, in the order they come.

    `people`, `exports` and `lms` are lanes: for audit pages, for their exports, and for the API's reading requests.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.files = OpenFiles(engine)
        outage = DatabaseOutage("writes")
        self.commits = Writer(engine, self.files, "commits", outage)
        self._writer = self.commits if engine.dialect.name == "sqlite" else Writer(engine, self.files, "write", outage)
        self._reader = Reader(engine)
        self._readers = ThreadPoolExecutor(READERS, "read")
        self.people = Lane(engine, self._reader, self._writer, "people", LANE_READERS)
        self.exports = Lane(engine, self._reader, self._writer, "exports", EXPORT_READERS)
        self.lms = Lane(engine, self._reader, self._writer, "lms", LANE_READERS)

    async def write(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction of its own, beside those of commits where the database lets it."""
        writer = self._writer
        return await asyncio.wrap_future(writer.queue(lambda: writer.transaction(function, *args, **kwargs)))

    async def write_when_idle(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction of low priority."""
        writer = self._writer
        return await asyncio.wrap_future(
            writer.queue_low_priority(lambda: writer.transaction(function, *args, **kwargs))
        )

    async def read(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function that only reads."""
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, lambda: self._reader.read(function, *args, **kwargs)
        )

    def close(self) -> None:
        """Wait for what is running, then close all connections."""
        for lane in (self.people, self.exports, self.lms):
            lane.close()
        self.commits.close()
        self._writer.close()
        self._readers.shutdown()
        self.files.close()
        self.engine.dispose()
