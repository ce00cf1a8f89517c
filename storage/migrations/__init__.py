"""The schema's history, run by Alembic from inside the package: there is no alembic.ini to find or lose."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

from storage.tables import schema_compatibility


class UnknownRevisionError(RuntimeError):
    """The schema is of a newer release, with which this one cannot work; the text says what to do."""


class BrokenReferencesError(RuntimeError):
    """A migration lost rows that others refer to; it was taken back."""


LOCATION = str(Path(__file__).parent)
"""The directory of the migrations."""
LOCK_TIMEOUT = 2_000
"""Milliseconds that a migration waits for a table on PostgreSQL: commits wait behind it."""
MAX_LOCK_TRIES = 30
"""Times that a migration is begun again where others have the tables."""
_LOCKED = {"40P01", "55P03"}
"""deadlock_detected and lock_not_available."""
_LOCK = 0x5C0_24A_1  # any number that nobody else takes


def migrate(engine: Engine) -> None:
    """Upgrade the schema to the newest revision. Running it again, or in several processes at once, does no harm.

    All of it is one transaction: a crash leaves the old schema or the new one.

    A schema of a newer release that this one can work with stays as it is.

    Raises:
        BrokenReferencesError: a migration is wrong; the old schema is left.
        UnknownRevisionError: a newer release has migrated it, and this one cannot work with it.
    """
    with engine.connect() as connection, connection.begin():
        if not _is_known(_revision(connection)):
            if not fits(connection):
                raise UnknownRevisionError(describe_misfit(connection))
            return
    _run(engine, lambda config: command.upgrade(config, "head"))


def _run(engine: Engine, step: Callable[[Config], None]) -> None:
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            _run_on_sqlite(connection, step)
            return
        for tries in range(1, MAX_LOCK_TRIES + 1):
            try:
                _run_on_postgresql(connection, step)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _LOCKED or tries == MAX_LOCK_TRIES:
                    raise
            else:
                return


def _run_on_postgresql(connection: Connection, step: Callable[[Config], None]) -> None:
    """Run a step beside bridges that serve: whose locks and its own wait for each other in a circle, gives way."""
    with connection.begin():
        # two processes that start together must not both create the same table
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT}"))
        step(_config(connection))


def _run_on_sqlite(connection: Connection, step: Callable[[Config], None]) -> None:
    """Run a step without SQLite's own look at references, and look at them in the end.

    SQLite changes a column by making the table anew, and would not let the old one go while other tables refer to it,
    nor give the new one its name while views of reports do.
    """
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 -- it was opened just now
    driver.execute("PRAGMA foreign_keys = OFF")  # means nothing within a transaction
    driver.execute("PRAGMA legacy_alter_table = ON")
    try:
        with connection.begin():
            step(_config(connection))
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise BrokenReferencesError(f"The migration would leave {len(broken)} rows that refer to nothing.")
    finally:
        driver.execute("PRAGMA legacy_alter_table = OFF")
        driver.execute("PRAGMA foreign_keys = ON")


def is_current(connection: Connection) -> bool:
    """Return whether the schema is the newest one."""
    return _revision(connection) == _newest()


def fits(connection: Connection) -> bool:
    """Return whether this release can work with the schema: it is its own, or a newer one that says so.

    A migration after which earlier releases cannot work with the schema sets `oldest_revision` to its own.
    """
    revision = _revision(connection)
    if _is_known(revision):
        return revision == _newest()
    oldest = connection.execute(select(schema_compatibility.c.oldest_revision)).scalar_one_or_none()
    return oldest is not None and oldest <= (_newest() or "")


def describe_misfit(connection: Connection) -> str:
    """Return why this release cannot work with the schema, and what to do."""
    revision = _revision(connection)
    if _is_known(revision):
        return "The database's schema is not current; run `scorm-bridge migrate` first."
    return (
        f"The database's schema has revision {revision}: a newer release migrated it, and this one cannot work with it."
        " Install that release, or restore the backup from before the upgrade."
    )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_known(revision: str | None) -> bool:
    """Return whether this release has a revision; it knows a database without any."""
    return revision is None or revision in _revisions()


@cache
def _revisions() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory(LOCATION).walk_revisions())


@cache
def _newest() -> str | None:
    return ScriptDirectory(LOCATION).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.attributes["connection"] = connection
    return config
