"""The schema's history, run by Alembic from inside the package: there is no alembic.ini to find or lose."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select

from storage.engine import writing

_LOCK = 0x5C0_24A_1  # any number that nobody else takes


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision. Running it again, or in several processes at once, does no harm.

    All of it is one transaction: a crash leaves the old schema or the new one.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # two processes that start together must not both create the same table
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        command.upgrade(_config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Tell whether the schema is the newest one."""
    return MigrationContext.configure(connection).get_current_revision() == _newest()


@cache
def _newest() -> str | None:
    return ScriptDirectory(str(Path(__file__).parent)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
