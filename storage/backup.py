"""Backups of SQLite databases while they are served, and the command that makes one of PostgreSQL.

SQLite's own backup copies pages in steps. All of them are read in one transaction, so that the copy is the database as
it was when the backup began, however much is written meanwhile: without it, each write would start the copy again.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from storage.database_files import sqlite_path
from storage.database_url import libpq_url, parse_database_url
from storage.new_file import new_file

STEP_PAGES = 1_000
"""Pages that one step copies: 4 MiB."""
VERSION_TABLE = "alembic_version"

Progress = Callable[[int, int], None]
"""Called with the number of pages that are copied, and of all."""


class BackupError(RuntimeError):
    """A backup cannot be made, or is not sound; the text says why. No file with the backup's name was left."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made and checked: its file, size in bytes, and the schema's revision."""

    file: Path
    size: int
    revision: str


def copy_sqlite(url: str, file: Path, progress: Progress) -> Backup:
    """Copy a SQLite database into a new file, check the copy, and only then give it its name.

    Raises:
        BackupError: the database cannot be copied, or the copy is not sound.
        NewFileError: the file exists already, or cannot be written.
    """
    source = sqlite_path(url)
    assert source is not None  # noqa: S101 -- the caller has asked which kind of database it is
    try:
        with new_file(file) as partial:
            _copy(source, partial, progress)
            revision = _check(partial)
            size = partial.stat().st_size
    except sqlite3.Error as error:
        raise BackupError(f"The database could not be copied to {file}: {error}.") from None
    return Backup(file, size, revision)


def postgresql_commands(url: str, file: Path) -> tuple[str, str]:
    """Return the shell commands that back up and restore a PostgreSQL database; no password is in them."""
    address = libpq_url(parse_database_url(url))
    dump = ["pg_dump", "--format=custom", f"--file={file}", address]
    restore = ["pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", f"--dbname={address}", str(file)]
    return shlex.join(dump), shlex.join(restore)


def _copy(source: Path, partial: Path, progress: Progress) -> None:
    def report(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as origin,
        closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        origin.execute("BEGIN")
        origin.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the snapshot is taken by the first read
        origin.backup(copy, pages=STEP_PAGES, progress=report)
        origin.execute("ROLLBACK")
        # one file, without a log beside it: the bridge switches back when it opens it
        copy.execute("PRAGMA journal_mode = DELETE")


def _check(partial: Path) -> str:
    """Check a copy and return its schema's revision.

    Raises:
        BackupError: it is damaged, refers to rows that are not there, or is no database of the bridge.
    """
    with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        faults = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        if not faults and copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
            faults = ["rows refer to others that are not there"]
        if faults:
            raise BackupError(
                f"The database is damaged, and so is the copy, which was deleted: {'; '.join(faults)}. Keep the last"
                " backup that is sound, and see “The database is in trouble” in docs/operations.md."
            )
        try:
            row = copy.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 -- a constant
        except sqlite3.OperationalError:
            row = None
    if row is None:
        raise BackupError("The database has no schema of the bridge: nothing was ever stored in it.")
    return str(row[0])
