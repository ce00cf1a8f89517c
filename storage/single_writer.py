"""One bridge at a time on a SQLite file: it has one writer, and two processes would only stand in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

with suppress(ImportError):  # not made for Windows, where two bridges on one file are not noticed
    import fcntl


class CannotServeError(RuntimeError):
    """This database cannot be served from here; says why and what to do."""


@contextmanager
def only_writer(url: str) -> Iterator[None]:
    """Be the one bridge that serves a SQLite file while the block runs; PostgreSQL has room for many.

    The kernel frees the file's lock when the process ends, however it ends. Commands that write a little beside a
    running bridge, such as `tokens create`, do not ask.

    Raises:
        CannotServeError: another bridge serves it, or the lock file beside the database cannot be written.
    """
    database = make_url(url).database or ""
    if make_url(url).get_backend_name() != "sqlite" or "fcntl" not in globals():
        yield
        return
    path = Path(f"{database}-served")
    try:
        held = path.open("w", encoding="utf-8")
    except OSError as error:
        raise CannotServeError(
            f"The database does not answer: the bridge cannot write {path} beside it: {error.strerror}. Make the"
            " directory and let the bridge's user write in it."
        ) from None
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotServeError(
                f"Another bridge serves {database}. SQLite has one writing process: stop that one first, or use"
                " PostgreSQL, which any number of bridges can share."
            ) from None
        yield
