"""`scorm-bridge migrate`."""

from __future__ import annotations

import click
from sqlalchemy.exc import DBAPIError

from bridge.settings import Settings
from storage.engine import open_engine
from storage.migrations import migrate as migrate_schema


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database's schema to this release's. Doing it again changes nothing."""
    engine = open_engine(settings.database.url)
    try:
        migrate_schema(engine)
    except DBAPIError as error:
        raise click.ClickException(f"The database cannot be migrated: {error.orig}") from None
    finally:
        engine.dispose()
    click.echo("The schema is current.", err=True)
