"""Connection poolers before PostgreSQL, such as PgBouncer, and what the bridge needs of them."""

from __future__ import annotations

from sqlalchemy import Engine

SHARED_CONNECTIONS = (
    "database.url leads to a connection pooler that gives each transaction another connection (PgBouncer: pool_mode ="
    " transaction); the bridge keeps settings and prepared statements with a connection"
)
"""What is wrong where `shares_connections`."""
SHARED_CONNECTIONS_REMEDY = (
    "Set pool_mode = session for its database, or let the URL name PostgreSQL itself: each process of the bridge has at"
    " most 16 connections."
)

_BACKEND = "SELECT pg_backend_pid()"


class SharedConnectionsError(Exception):
    """The database cannot be used through this pooler; the text says why and what to do."""


def refuse_shared_connections(engine: Engine) -> None:
    """Return if connections are the bridge's own.

    Raises:
        SharedConnectionsError: they are not.
        sqlalchemy.exc.OperationalError: the database does not answer.
    """
    if shares_connections(engine):
        raise SharedConnectionsError(f"{SHARED_CONNECTIONS}. {SHARED_CONNECTIONS_REMEDY}")


def shares_connections(engine: Engine) -> bool:
    """Return whether two clients that are connected at once are given the same backend of PostgreSQL in turns.

    Raises:
        sqlalchemy.exc.OperationalError: the database does not answer.
    """
    if engine.dialect.name != "postgresql":
        return False
    backends: list[int] = []
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second, first, second):
            backends.append(connection.exec_driver_sql(_BACKEND).scalar_one())
            connection.rollback()  # the pooler may give the backend to another client now
    return backends[0] == backends[1] or backends[:2] != backends[2:]
