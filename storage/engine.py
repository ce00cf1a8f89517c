"""Opening a database so that what is committed is on disk and no concurrent write is lost.

SQLite and PostgreSQL only. pysqlite's own transaction handling begins lazily and upgrades read locks, which loses
concurrent read-modify-write cycles without an error: here every writing transaction begins with `BEGIN IMMEDIATE`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from psycopg.types.string import TextLoader
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext

from storage.connection_gate import ConnectionGate
from storage.database_files import create_privately
from storage.database_url import DatabaseUrlError, parse_database_url
from storage.prepared import execute
from storage.read_only import is_read_only, read_only_error

T = TypeVar("T")

BUSY_TIMEOUT = 10_000
"""Milliseconds SQLite waits for another process's write before it gives up."""

PAGE_SIZE = 2048
"""Bytes of a page of a new SQLite file. A commit changes some bytes of ten pages, and each is written whole to the log;
smaller ones would leave no room for two rows."""
MAX_LOG_SIZE = 32 * 1024 * 1024
"""Bytes of SQLite's log at which it is written into the file: the more there are, the more pages have been changed
again, and are written only once."""

POSTGRESQL_DEFAULTS = {
    "target_session_attrs": "read-write",
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""What libpq is told unless the URL says otherwise (PostgreSQL 34.1.2): to find the server that takes writes, and after
how many seconds to give up one that cannot be reached, or a machine that says nothing, for which the system waits a
quarter of an hour. `tcp_user_timeout` is in milliseconds."""

SESSION_SETTINGS = {
    "synchronous_commit": "on",
    "tcp_user_timeout": "15s",
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}
"""What each connection is set to at the server. A server, database or role may default to a `synchronous_commit` with
which a 200 would not mean «on disk». The others say how soon the server gives up a bridge whose machine is gone without
a word (PostgreSQL 19.3.2): until then it keeps the locks of a transaction that nobody ends, for two hours by the
system's defaults, and whoever needs the rows waits for them."""

_READ_ONLY = "scorm_bridge_read_only"


def open_engine(url: str) -> Engine:
    """Open SQLite (`sqlite:///file.db`) or PostgreSQL (`postgresql://user@host/database`, also with several hosts).

    Connects lazily, and of PostgreSQL servers to one that takes writes: a standby would refuse each for as long as a
    connection to it is kept. A 200 promises that a commit is on disk, so SQLite syncs at every commit (WAL,
    `synchronous=FULL`) and PostgreSQL sessions have `synchronous_commit=on`, which waits for a synchronous standby,
    too. Errors never show values, which are learners' data.

    Raises:
        DatabaseUrlError: another kind of database, or SQLite in memory, which could not be shared by threads.
    """
    parsed = parse_database_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or ":memory:" in parsed.database or parsed.query.get("mode") == "memory":
            raise DatabaseUrlError("must name a file, as in sqlite:///scorm-bridge.db: what is in memory is not kept")
        engine = create_engine(
            parsed.set(drivername="sqlite+pysqlite"),
            hide_parameters=True,
            # the statements of `storage.prepared` in all their sizes
            connect_args={"cached_statements": 512},
            pool_size=8,
            max_overflow=8,
        )
        create_privately(engine)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            paramstyle="format",
            hide_parameters=True,
            connect_args={name: value for name, value in POSTGRESQL_DEFAULTS.items() if name not in parsed.query},
            pool_size=8,
            max_overflow=8,
        )
        event.listen(engine, "do_connect", ConnectionGate().connect)
        event.listen(engine, "connect", _set_up_postgresql)
        event.listen(engine, "handle_error", _drop_read_only)
        return engine
    raise DatabaseUrlError(f"names {backend}; only sqlite:///… and postgresql://… are supported")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction: committed when the block ends, rolled back when it raises."""
    with engine.connect() as connection, connection.begin():
        yield connection


class Transact(Protocol):
    """What runs a function in a writing transaction, and returns what it returned once that is committed."""

    def __call__(self, function: Callable[[Connection], T], /) -> T:
        """Run it."""
        ...


def transactions(engine: Engine) -> Transact:
    """Return what runs each function in a transaction of its own, at once."""

    def transact(function: Callable[[Connection], T]) -> T:
        with writing(engine) as connection:
            return function(connection)

    return transact


def insert_for(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT, which each dialect has its own class for."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one state of the database and takes no write lock."""
    options: dict[str, Any] = {_READ_ONLY: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # pysqlite begins no transactions: `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    cursor.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # of a file that is empty; others keep theirs
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    (page_size,) = cursor.execute("PRAGMA page_size").fetchone()
    cursor.execute(f"PRAGMA wal_autocheckpoint = {MAX_LOG_SIZE // page_size}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    # SQLite does not apply the busy timeout to this one while another process writes a file that is not WAL yet
    deadline = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # on a thread of its own, before the connection is anybody's
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    execute(connection, "BEGIN" if read_only else "BEGIN IMMEDIATE")


def _drop_read_only(context: ExceptionContext) -> Exception | None:
    """Have a connection to a server that takes no more writes replaced, as if it had been cut."""
    error = context.original_exception
    if not is_read_only(error):
        return None
    context.is_disconnect = True
    return read_only_error(error)


def _set_up_postgresql(connection: Any, _record: object) -> None:
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in SESSION_SETTINGS.items())
    connection.execute(f"SELECT {settings}")
    connection.adapters.register_loader("uuid", TextLoader)  # what skips SQLAlchemy gets text, too
    connection.commit()
