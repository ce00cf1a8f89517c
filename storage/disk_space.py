"""Where a database is on this machine's disks, as far as it can be asked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from storage.database_files import sqlite_path
from storage.engine import reading

_LOCAL_DIRECTORIES = text("""
    SELECT directory FROM (
        SELECT setting AS directory FROM pg_settings WHERE name = 'data_directory'
        UNION ALL
        SELECT pg_tablespace_location(dattablespace) FROM pg_database WHERE datname = current_database()
    ) AS known
    WHERE inet_server_addr() IS NULL AND directory <> ''
""")


def directories(engine: Engine) -> list[Path]:
    """Return the directories that fill up as a database grows; none where they are another machine's or not shown.

    SQLite: where the file is. PostgreSQL says where its log and the database's tables are to superusers and members of
    `pg_read_all_settings`; they are this machine's only if it is reached by a socket in the file system.

    Raises:
        sqlalchemy.exc.OperationalError: the database does not answer.
    """
    path = sqlite_path(engine.url)
    if path is not None:
        return [Path(os.path.realpath(path)).parent]
    with reading(engine) as connection:
        return [directory for directory in _postgresql(connection) if directory.is_dir()]


def database_bytes(connection: Connection) -> int:
    """Return the size of the database."""
    if connection.dialect.name == "sqlite":
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        return int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
    return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _postgresql(connection: Connection) -> list[Path]:
    return [Path(row.directory) for row in connection.execute(_LOCAL_DIRECTORIES)]


def free_and_total(places: list[Path]) -> tuple[int, int] | None:
    """Return the bytes that are free for this user on the fullest of these disks, and its size; None if unknown."""
    measured = []
    for place in places:
        with suppress(OSError):
            status = os.statvfs(place)
            measured.append((status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize))
    return min(measured, default=None)
