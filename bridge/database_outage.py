"""Whether the database answers: one line of the log when it stops to, and one when it does again.

Everything that the bridge does needs the database, so an outage makes everything fail at once. What fails because of
it says so at the level `debug` alone.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from bridge.clock import Monotonic
from storage.database_files import DatabaseFileLostError
from storage.integrity import is_damage

log = structlog.get_logger(__name__)

DATABASE_ERRORS = (DBAPIError, DatabaseFileLostError)
"""Errors of the database itself."""
RECOVERY_HOLD = 3.0
"""Seconds without a failure after which a success shows that an outage is over."""
MAX_CAUSE_LENGTH = 300
_CONFLICTS = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected: the next try may succeed at once."""


def is_outage(error: BaseException) -> bool:
    """Return whether an error says that the database is in trouble, not that something was wrong with a request."""
    if isinstance(error, DatabaseFileLostError):
        return True
    if isinstance(error, OperationalError | InterfaceError):
        return getattr(error.orig, "sqlstate", None) not in _CONFLICTS
    return is_damage(error)


def describe_error(error: Exception) -> str:
    """Return the name of an error, without the database's message, which may contain values of rows."""
    if isinstance(error, DatabaseFileLostError):
        return str(error)
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
    return f"{type(error.orig).__name__} {code}".strip()


def explain_outage(error: Exception) -> str:
    """Return the cause of an outage in the database's words: of the server, the way to it, or its disk.

    Its words of anything else may contain values of rows, and are left out.
    """
    if not isinstance(error, DBAPIError) or not is_outage(error):
        return describe_error(error)
    # of PostgreSQL the first sentence only: what follows may quote a query
    diagnostics = getattr(error.orig, "diag", None)
    text = getattr(diagnostics, "message_primary", None) or str(error.orig)
    return f"{' '.join(text.split())[:MAX_CAUSE_LENGTH]} ({describe_error(error)})"


def log_failure(logger: Any, event: str, error: Exception, **about: object) -> None:
    """Log what failed with an error of the database, by its name; during an outage at the level `debug`.

    `logger` is that of the caller.
    """
    level = logger.debug if is_outage(error) else logger.error
    level(event, error=describe_error(error), **about)


class DatabaseOutage:
    """Follows what succeeds and what fails, on any thread. `access` says of which kind: `reads` or `writes`."""

    def __init__(self, access: str, monotonic: Monotonic = time.monotonic) -> None:
        self._access = access
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._since: float | None = None
        self._failed_at = 0.0
        self._failures = 0

    def record_failure(self, error: Exception) -> None:
        """Record that something failed; errors of other kinds say nothing of the database."""
        if not is_outage(error):
            return
        now = self._monotonic()
        with self._lock:
            is_new, self._failed_at = self._since is None, now
            self._failures += 1
            if is_new:
                self._since, self._failures = now, 1
        if is_new:
            log.error(
                "database_unavailable",
                access=self._access,
                cause=explain_outage(error),
                consequence="clients are told to try again; the bridge recovers by itself",
            )

    def record_success(self) -> None:
        """Record that something succeeded."""
        if self._since is not None:
            self._end(self._monotonic())

    def _end(self, now: float) -> None:
        with self._lock:
            since = self._since
            if since is None or now - self._failed_at < RECOVERY_HOLD:
                return
            self._since = None
        log.warning("database_available", access=self._access, seconds=round(now - since, 1), failures=self._failures)
