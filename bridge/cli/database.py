"""The database for a command, and in words why it cannot be used."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bridge.settings import Settings
from storage.engine import open_engine, reading
from storage.migrations import is_current


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """Give the database, whose schema is current. What goes wrong with it inside the block is told in words."""
    engine = open_engine(settings.database.url)
    try:
        with reading(engine) as connection:
            if not is_current(connection):
                raise click.ClickException("The database's schema is not current; run `scorm-bridge migrate` first.")
        yield engine
    except DBAPIError as error:
        raise click.ClickException(f"The database does not answer: {error.orig}") from None
    finally:
        engine.dispose()


@contextmanager
def looking(settings: Settings) -> Iterator[Connection]:
    """Give a connection that only reads."""
    with database(settings) as engine, reading(engine) as connection:
        yield connection


def user() -> str:
    """Name who runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # containers often have no name for their user
        return "unknown"
