"""The thread that writes: commits and the service's own writes first, those of people when there is time.

SQLite has one writer. Another connection that writes would hold a lock that commits wait for by polling; so all of the
service's writes go through this thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bridge.database_outage import DatabaseOutage
from storage.database_files import OpenFiles
from storage.integrity import is_damage

_P = ParamSpec("_P")
_T = TypeVar("_T")

LOW_PRIORITY_INTERVAL = 0.1
"""Seconds between two transactions of low priority while others wait: often for people, seldom for commits."""


class _Call(NamedTuple):
    future: Future[object]
    function: Callable[[], object]


class Writer:
    """A thread that writes, on a connection of its own.

    `files` are those of the database, which are verified; `outage` follows whether it takes writes.
    """

    def __init__(
        self,
        engine: Engine,
        files: OpenFiles,
        name: str,
        outage: DatabaseOutage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._files = files
        self._name = name
        self._outage = outage
        self._clock = clock
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        # guarded by the condition
        self._queue: deque[_Call] = deque()
        self._low_priority_queue: deque[_Call] = deque()
        self._closing = False
        # of the thread alone
        self._low_priority_at = -LOW_PRIORITY_INTERVAL

    def queue(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a function to run on the thread, after those before it."""
        return self._add(self._queue, lambda: function(*args, **kwargs))

    def queue_low_priority(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a function to run when nothing else waits, or after `LOW_PRIORITY_INTERVAL` if something does."""
        return self._add(self._low_priority_queue, lambda: function(*args, **kwargs))

    @property
    def low_priority_waiting(self) -> int:
        """Return how many functions of `queue_low_priority` wait."""
        return len(self._low_priority_queue)

    def transaction(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function in a transaction; on the thread only. When this returns, it is committed.

        Raises:
            DatabaseFileLostError: it was committed to a file that is the database no longer.
        """
        try:
            result = self._transaction(function, *args, **kwargs)
        except Exception as error:
            # one that was lost while nothing was written says nothing yet: the next one does
            if not (isinstance(error, DBAPIError) and error.connection_invalidated):
                self._outage.record_failure(error)
            raise
        self._outage.record_success()
        return result

    def _transaction(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
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
                    connection.invalidate()  # it has the damaged pages in memory, and would not see a repair
                connection.close()
            self._files.verify()  # a lost file explains more than its consequence
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
            # the thread itself may add while it finishes
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
                while not self._queue and not self._low_priority_queue:
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
        if self._low_priority_queue and (
            not self._queue or self._clock() - self._low_priority_at >= LOW_PRIORITY_INTERVAL
        ):
            self._low_priority_at = self._clock()
            return self._low_priority_queue.popleft()
        return self._queue.popleft()
