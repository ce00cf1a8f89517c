"""The database for commands, its errors as messages, and `scorm-bridge migrate`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bridge.settings import Settings
from storage.engine import open_engine, reading
from storage.migrations import is_current
from storage.migrations import migrate as migrate_schema


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """Yield the database, whose schema is current. Its errors inside the block become messages of the command."""
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
def open_connection(settings: Settings) -> Iterator[Connection]:
    """Yield a connection for reading."""
    with open_database(settings) as engine, reading(engine) as connection:
        yield connection


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Migrate the database's schema to this release. Repeating it changes nothing."""
    engine = open_engine(settings.database.url)
    try:
        migrate_schema(engine)
    except DBAPIError as error:
        raise click.ClickException(f"The database cannot be migrated: {error.orig}") from None
    finally:
        engine.dispose()
    click.echo("The schema is current.", err=True)
