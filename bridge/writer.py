"""The thread that writes: commits and what the service itself has to store first, what people do when there is room.

SQLite has one writer. Whoever else wrote beside it would hold a lock that commits wait for, by a wait that looks again
only now and then; so all of the service's writes go through this thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine

from storage.database_files import OpenFiles
from storage.integrity import is_damage

_P = ParamSpec("_P")
_T = TypeVar("_T")

PEOPLE_INTERVAL = 0.1
"""Seconds between two transactions of people while others wait: often enough for them, too seldom for commits to
notice."""


class _Call(NamedTuple):
    future: Future[object]
    function: Callable[[], object]


class Writer:
    """A thread that writes, on a connection that it keeps. `files` are those that must not be lost meanwhile."""

    def __init__(
        self, engine: Engine, files: OpenFiles, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._files = files
        self._name = name
        self._clock = clock
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        # guarded by the condition
        self._first: deque[_Call] = deque()
        self._later: deque[_Call] = deque()
        self._closing = False
        # of the thread alone
        self._people_at = -PEOPLE_INTERVAL

    def queue(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Let a function run on the thread, after those before it."""
        return self._add(self._first, lambda: function(*args, **kwargs))

    def queue_for_people(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Let a function run on the thread when nothing else waits, or every `PEOPLE_INTERVAL` if something does."""
        return self._add(self._later, lambda: function(*args, **kwargs))

    @property
    def people_waiting(self) -> int:
        """Return how many of `queue_for_people` wait."""
        return len(self._later)

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
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _add(self, to: deque[_Call], function: Callable[[], _T]) -> Future[_T]:
        future: Future[_T] = Future()
        with self._changed:
            # the thread itself may add to what it is about to finish
            if self._closing and threading.current_thread() is not self._thread:
                raise RuntimeError("the database is being closed: nothing more can be written")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            to.append(_Call(cast("Future[object]", future), function))
            self._changed.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._first and not self._later:
                    if self._closing:
                        return
                    self._changed.wait()
                call = self._next()
            if not call.future.set_running_or_notify_cancel():
                continue
            try:
                result = call.function()
            except BaseException as error:  # noqa: BLE001 -- whoever waits gets it
                call.future.set_exception(error)
            else:
                call.future.set_result(result)

    def _next(self) -> _Call:
        if self._later and (not self._first or self._clock() - self._people_at >= PEOPLE_INTERVAL):
            self._people_at = self._clock()
            return self._later.popleft()
        return self._first.popleft()
