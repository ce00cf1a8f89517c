"""The schema's history, run by Alembic from inside the package: there is no alembic.ini to find or lose."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select


class BrokenReferencesError(RuntimeError):
    """A migration lost rows that others refer to; it was taken back."""


LOCATION = str(Path(__file__).parent)
"""The directory of the migrations."""
_LOCK = 0x5C0_24A_1  # any number that nobody else takes


def migrate(engine: Engine) -> None:
    """Upgrade the schema to the newest revision. Running it again, or in several processes at once, does no harm.

    All of it is one transaction: a crash leaves the old schema or the new one.

    Raises:
        BrokenReferencesError: a migration is wrong; the old schema is left.
    """
    _run(engine, lambda config: command.upgrade(config, "head"))


def _run(engine: Engine, step: Callable[[Config], None]) -> None:
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            _run_on_sqlite(connection, step)
            return
        with connection.begin():
            # two processes that start together must not both create the same table
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            step(_config(connection))


def _run_on_sqlite(connection: Connection, step: Callable[[Config], None]) -> None:
    """Run a step without SQLite's own look at references, and look at them in the end.

    SQLite changes a column by making the table anew, and would not let the old one go while other tables refer to it.
    """
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 -- it was opened just now
    driver.execute("PRAGMA foreign_keys = OFF")  # means nothing within a transaction
    try:
        with connection.begin():
            step(_config(connection))
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise BrokenReferencesError(f"The migration would leave {len(broken)} rows that refer to nothing.")
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def is_current(connection: Connection) -> bool:
    """Return whether the schema is the newest one."""
    return MigrationContext.configure(connection).get_current_revision() == _newest()


@cache
def _newest() -> str | None:
    return ScriptDirectory(LOCATION).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.attributes["connection"] = connection
    return config
