"""Backing a database up and restoring it, as people do."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url


class Backup:
    """A backup of a database. Restoring it needs the bridge to be stopped, and on PostgreSQL taking it, too.

    On SQLite it is made by the online backup of SQLite itself, on PostgreSQL it is a copy of the database's files.
    """

    def __init__(self, database_url: str, directory: Path) -> None:
        url = make_url(database_url)
        assert url.database is not None
        self.is_online = url.get_backend_name() == "sqlite"
        self._name = url.database
        self._file = directory / "backup.db"
        self._server = url.set(database="postgres").render_as_string(hide_password=False)

    async def take(self) -> None:
        """Take it."""
        await asyncio.to_thread(self._take)

    async def restore(self) -> None:
        """Put it in the place of what is there."""
        await asyncio.to_thread(self._restore)

    def remove(self) -> None:
        """Remove it from the database server."""
        if not self.is_online:
            self._execute(f"DROP DATABASE IF EXISTS {self._name}_backup")

    def _take(self) -> None:
        if not self.is_online:
            self._execute(f"CREATE DATABASE {self._name}_backup TEMPLATE {self._name}")
            return
        with closing(sqlite3.connect(self._name)) as source, closing(sqlite3.connect(self._file)) as target:
            source.backup(target)

    def _restore(self) -> None:
        if not self.is_online:
            self._execute(f"DROP DATABASE {self._name}", f"CREATE DATABASE {self._name} TEMPLATE {self._name}_backup")
            return
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._name}{suffix}").unlink(missing_ok=True)
        shutil.copy(self._file, self._name)

    def _execute(self, *statements: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def backups_of(database_url: str, directory: Path) -> Iterator[Backup]:
    """Yield a backup that is still to be taken, and remove it in the end."""
    backup = Backup(database_url, directory)
    yield backup
    backup.remove()
