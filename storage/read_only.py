"""Servers that take no writes: standbys, and PostgreSQL that was told to (`default_transaction_read_only`).

psycopg calls it an error inside the database (`InternalError`), as if something were wrong with the statement. It is
trouble of the server: another one, or the same one later, takes the same statement.
"""

from __future__ import annotations

from sqlalchemy.exc import OperationalError

_READ_ONLY = "25006"
"""read_only_sql_transaction (PostgreSQL, appendix A)."""


def is_read_only(error: BaseException) -> bool:
    """Return whether a driver's error says that the server takes no writes."""
    return getattr(error, "sqlstate", None) == _READ_ONLY


def read_only_error(error: BaseException) -> OperationalError:
    """Return the error of a server that takes no writes, whose connection is to be replaced."""
    return OperationalError(None, None, error, hide_parameters=True, connection_invalidated=True)
