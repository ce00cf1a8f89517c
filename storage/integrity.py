"""Whether a database takes a write, and whether one that has shown damage is whole again."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, update
from sqlalchemy.exc import DBAPIError

from storage.database_files import sqlite_path
from storage.tables import write_probe

_CHECK_INTERVAL_STEPS = 10_000

_SQLITE_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_POSTGRESQL_DAMAGE = frozenset({"XX001", "XX002"})
"""data_corrupted and index_corrupted."""


def write_test_row(connection: Connection, content: bytes) -> None:
    """Store bytes that mean nothing, in place of those of the last test."""
    rewritten = connection.execute(update(write_probe).where(write_probe.c.id == 1).values(content=content))
    if not rewritten.rowcount:
        connection.execute(insert(write_probe).values(id=1, content=content))


def is_damage(error: BaseException) -> bool:
    """Return whether a database says that what it has stored is damaged."""
    if not isinstance(error, DBAPIError):
        return False
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    return name.startswith(_SQLITE_DAMAGE) or getattr(error.orig, "sqlstate", None) in _POSTGRESQL_DAMAGE


def finds_no_damage(engine: Engine, seconds: float) -> bool:
    """Read a SQLite database anew, page by page, for so many seconds at most; return whether no damage was seen.

    PostgreSQL has no such look into all tables, so nothing is seen there.
    """
    path = sqlite_path(engine.url)
    if path is None:
        return True
    until = time.monotonic() + seconds
    try:
        with closing(_open(path)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until, _CHECK_INTERVAL_STEPS)
            answer: tuple[str] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        # an interrupted look has seen nothing wrong in its time
        return error.sqlite_errorname == "SQLITE_INTERRUPT"
    except sqlite3.Error:
        return False
    return answer == ("ok",)


def _open(path: Path) -> sqlite3.Connection:
    # a connection of its own: those of the engine may have pages in memory from before the damage
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)
