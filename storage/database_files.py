"""The files of a SQLite database: who may read them, and whether they are still the ones that were opened.

A process that has a file open goes on writing when the file's name is gone or means another file. What it stores then
is lost when it ends, so a bridge must look before it answers that something is stored.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, event

from storage.database_url import parse_database_url
from storage.prepared import execute

PRIVATE_MODE = 0o600
"""SQLite gives its log and its index of the log the mode of the database file."""
LOG_SUFFIX = "-wal"
SUFFIXES = ("", LOG_SUFFIX, "-shm", "-journal")

VERIFY_INTERVAL = 0.1
"""Seconds after a look at the files in which transactions are committed without another one."""

FileId = tuple[int, int]
"""Device and inode."""


class DatabaseFileLostError(Exception):
    """A file of the database was deleted, moved or replaced while it was in use; the text says which and what to do."""


def sqlite_path(url: str | URL) -> Path | None:
    """Return the path of a SQLite database as the URL names it; None for PostgreSQL."""
    parsed = parse_database_url(url) if isinstance(url, str) else url
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    if parsed.database.startswith("file:"):
        return Path(unquote(urlsplit(parsed.database).path))
    return Path(parsed.database)


def create_privately(engine: Engine) -> None:
    """Create the file of a SQLite database, where it is missing, for its owner alone from the first moment on.

    The mode is given when the file is made, so there is no moment at which others could open it; the process's umask
    can only take more away. A file that is there already keeps its mode.
    """
    path = sqlite_path(engine.url)
    if path is not None:
        # once: a file that is gone later is not to be made anew
        event.listen(engine, "do_connect", lambda *_: _create(path), once=True)


def _create(path: Path) -> None:
    # only a file that did not exist: closing one that SQLite has open in this process would free SQLite's locks on it
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_MODE))


def readable_by_others(url: str) -> list[str]:
    """Return the database's files that somebody but their owner may read or write, with their modes: `x.db (0644)`."""
    path, files = sqlite_path(url), []
    for suffix in SUFFIXES if path is not None else ():
        file = Path(f"{path}{suffix}")
        with suppress(OSError):
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & 0o077:
                files.append(f"{file} ({mode:04o})")
    return files


class OpenFiles:
    """The files that an engine has open: the database and its log, as they were when the first connection was made.

    A connection is kept open, so that SQLite itself neither deletes the log nor begins another one meanwhile. While a
    file is lost no other connection is made: it would create the file anew, or write a log that the others do not see.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        path = sqlite_path(engine.url)
        # one path for all symbolic links: what they lead to is what SQLite opens
        self._names = [] if path is None else [os.path.realpath(path), os.path.realpath(path) + LOG_SUFFIX]
        self._ids: list[FileId] = []
        self._connection: Connection | None = None
        self._verify_after = 0.0

    def verify(self) -> None:
        """Check that the files still are those that were opened; on PostgreSQL there is nothing to check.

        Raises:
            DatabaseFileLostError: one of them is gone or replaced.
            sqlalchemy.exc.OperationalError: the database cannot be opened.
        """
        if not self._names:
            return
        if self._connection is None:
            self._open()
        for name, opened in zip(self._names, self._ids, strict=True):
            try:
                status = os.stat(name)  # noqa: PTH116 -- a Path costs four times as much
            except OSError as error:
                raise _lost(name, "is gone", error) from None
            if (status.st_dev, status.st_ino) != opened:
                raise _lost(name, "is another file now")

    def verify_again(self) -> None:
        """Check as `verify` does, unless that was done within `VERIFY_INTERVAL`.

        Whoever waits for the file system gives the interpreter away, which costs a busy process more than the look.

        Raises:
            DatabaseFileLostError: as `verify`.
            sqlalchemy.exc.OperationalError: likewise.
        """
        now = time.monotonic()
        if now >= self._verify_after:
            self.verify()
            self._verify_after = now + VERIFY_INTERVAL

    def close(self) -> None:
        """Close the connection that kept the files open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> None:
        connection = self._engine.connect()
        try:
            # the log is opened by whoever reads first
            execute(connection, "SELECT count(*) FROM sqlite_master").close()
            self._ids = [(status.st_dev, status.st_ino) for status in map(os.stat, self._names)]
        except OSError as error:
            connection.close()
            raise _lost(str(error.filename), "is gone", error) from None
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        event.listen(self._engine, "do_connect", lambda *_: self.verify())


def _lost(name: str, problem: str, error: OSError | None = None) -> DatabaseFileLostError:
    problem = problem if error is None or isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
    if name.endswith(LOG_SUFFIX):
        # the last connection that closes writes the log, which it still has open, into the database file
        help_ = "Stop the bridge with SIGTERM, which saves what the log held, before anything else opens the database."
    else:
        help_ = "Move the file that the bridge had opened back, or stop the bridge and restore the database."
    return DatabaseFileLostError(f"{name} {problem}. Nothing is stored until this is corrected. {help_}")
