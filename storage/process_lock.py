"""One bridge at a time on a SQLite file: it has one writer, and two processes would only stand in each other's way."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.database_files import PRIVATE_MODE, sqlite_path

with suppress(ImportError):  # not made for Windows, where two bridges on one file are not noticed
    import fcntl

LOCKS_THE_FILE_ITSELF = sys.platform == "linux"
"""There flock and SQLite's own locks (fcntl) do not see each other; elsewhere a file beside the database is locked."""


class CannotServeError(RuntimeError):
    """This database cannot be served from here; says why and what to do."""


@contextmanager
def only_writer(url: str) -> Iterator[None]:
    """Hold a SQLite file as the one bridge that serves it while the block runs; PostgreSQL has room for many.

    The database file itself is locked, so it is the same lock by whatever name another bridge opens it: a symbolic
    link, a hard link, another mount. The kernel frees it when the process ends, however it ends. A file that does not
    exist is created, for its owner alone. Commands that write a little beside a running bridge, such as
    `tokens create`, do not ask.

    Raises:
        CannotServeError: another bridge serves it, or the file cannot be opened.
    """
    path = sqlite_path(url)
    if path is None or "fcntl" not in globals():
        yield
        return
    file = Path(os.path.realpath(path))
    locked = file if LOCKS_THE_FILE_ITSELF else Path(f"{file}-served")
    try:
        descriptor = os.open(locked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
    except OSError as error:
        raise CannotServeError(
            f"The database does not answer: the bridge cannot open {locked}: {error.strerror}. Make the"
            " directory and let the bridge's user write in it."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CannotServeError(
            f"Another bridge serves {path}. SQLite has one writing process: stop that one first, or use"
            " PostgreSQL, which any number of bridges can share."
        ) from None
    try:
        yield
    finally:
        # last of all: closing any descriptor of the file frees SQLite's locks on it in this process
        os.close(descriptor)
