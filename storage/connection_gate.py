"""Connecting to a server that cannot be reached: one try at a time.

A machine that says nothing lets each try take seconds. Where every thread waited for its own, requests would be refused
one after the other, each so much later, and a client would hear of the outage after minutes.
"""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Dialect


class ConnectionGate:
    """Lets connections be made as they are asked for, until one fails: then one at a time, while the others fail alike.

    `connect` is for SQLAlchemy's event `do_connect`.
    """

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._trying = threading.Lock()

    def connect(self, dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        """Return a new connection of the driver.

        Raises:
            dialect.loaded_dbapi.Error: the server cannot be reached, as it or the last try has shown.
        """
        error = self._error
        if error is None:
            return self._try(dialect, arguments, options)
        if not self._trying.acquire(blocking=False):
            raise type(error)(*error.args)
        try:
            return self._try(dialect, arguments, options)
        finally:
            self._trying.release()

    def _try(self, dialect: Dialect, arguments: list[Any], options: dict[str, Any]) -> Any:
        try:
            connection = dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.Error as error:
            # a copy: its traceback would keep whatever the one who asked has in memory
            self._error = type(error)(*error.args)
            raise
        self._error = None
        return connection
