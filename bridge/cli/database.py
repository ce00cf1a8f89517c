"""The database for commands, its errors as messages, `scorm-bridge migrate` and `scorm-bridge backup`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bridge.cli.options import AS_JSON
from bridge.cli.output import print_json, print_table
from bridge.settings import Settings
from storage.backup import Backup, BackupError, copy_sqlite, postgresql_commands
from storage.database_files import sqlite_path
from storage.engine import open_engine, reading, writing
from storage.migrations import UnknownRevisionError, describe_misfit, fits
from storage.migrations import migrate as migrate_schema
from storage.migrations.plan import MigrationPlan, plan_migration
from storage.new_file import NewFileError


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """Yield the database, whose schema is current. Its errors inside the block become messages of the command."""
    engine = open_engine(settings.database.url)
    try:
        with reading(engine) as connection:
            if not fits(connection):
                raise click.ClickException(describe_misfit(connection))
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


@contextmanager
def errors_as_messages(*errors: type[Exception]) -> Iterator[None]:
    """Turn these errors inside the block into messages of the command."""
    try:
        yield
    except errors as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def open_transaction(settings: Settings, *errors: type[Exception]) -> Iterator[Connection]:
    """Yield a connection in a transaction; these errors inside the block roll it back and become messages."""
    with errors_as_messages(*errors), open_database(settings) as engine, writing(engine) as connection:
        yield connection


@click.command()
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be done, and change nothing.")
@AS_JSON
@click.pass_obj
def migrate(settings: Settings, *, only_plan: bool, as_json: bool) -> None:
    """Migrate the database's schema to this release. Repeating it changes nothing."""
    if as_json and not only_plan:
        raise click.UsageError("--json goes with --plan.")
    engine = open_engine(settings.database.url)
    try:
        if only_plan:
            _show_plan(_plan(settings, engine), as_json=as_json)
            return
        migrate_schema(engine)
    except DBAPIError as error:
        raise click.ClickException(f"The database cannot be migrated: {error.orig}") from None
    except UnknownRevisionError as error:
        raise click.ClickException(str(error)) from None
    finally:
        engine.dispose()
    click.echo("The schema is current.", err=True)


def _plan(settings: Settings, engine: Engine) -> MigrationPlan:
    path = sqlite_path(settings.database.url)
    if path is not None and not path.exists():
        raise click.ClickException(f"{path} does not exist yet: `scorm-bridge migrate` creates it.")
    with reading(engine) as connection:
        return plan_migration(connection)


def _show_plan(plan: MigrationPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    if not plan.steps and plan.current != plan.newest:
        click.echo(
            f"The schema is of a newer release, revision {plan.current}; this one can work with it. Nothing to do.",
            err=True,
        )
        return
    if not plan.steps:
        click.echo(f"The schema is current: revision {plan.newest}. There is nothing to do.", err=True)
        return
    print_table(
        ("revision", "what it does", "works through"),
        (
            (
                step.revision,
                step.description,
                ", ".join(f"{work.table} ({work.rows:,} rows)" for work in step.works_through) or "no large table",
            )
            for step in plan.steps
        ),
    )
    click.echo(
        f"From revision {plan.current or 'none'} to {plan.newest}, all in one transaction. Nothing was changed.",
        err=True,
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@AS_JSON
@click.pass_obj
def backup(settings: Settings, file: Path, *, as_json: bool) -> None:
    """Copy the SQLite database to FILE, while the bridge runs. The copy is checked, and no file overwritten.

    For PostgreSQL, which brings its own tools, the commands to use are shown.
    """
    url = settings.database.url
    path = sqlite_path(url)
    if path is None:
        dump, restore = postgresql_commands(url, file)
        raise click.ClickException(
            f"PostgreSQL has its own tool for this, which works while the bridge runs:\n\n    {dump}\n\nand, to restore"
            f" into an empty database:\n\n    {restore}\n\ndocs/operations.md has the whole drill."
        )
    if not path.exists():
        raise click.ClickException(f"There is no database at {path} to back up.")
    try:
        backup_file = _copy(url, file)
    except (BackupError, NewFileError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json({"file": str(backup_file.file), "bytes": backup_file.size, "revision": backup_file.revision})
    else:
        click.echo(
            f"{backup_file.file}: {backup_file.size:,} bytes, schema revision {backup_file.revision}, checked.",
            err=True,
        )


def _copy(url: str, file: Path) -> Backup:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("backup", total=None)
        return copy_sqlite(url, file, lambda done, total: progress.update(task, completed=done, total=total))
