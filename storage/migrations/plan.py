"""What `migrate` would do, without doing it: the revisions that are missing, and which tables each works through.

A migration says so itself: `WORKS_THROUGH` has, by database, the tables of earlier revisions all of whose rows it reads
or writes. SQLite changes a column by making its table anew; PostgreSQL mostly changes its catalogue alone. A test
compares what each says with what it executes.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, table

from storage.migrations import LOCATION, UnknownRevisionError, describe_misfit, fits


@dataclass(frozen=True, slots=True)
class TableWork:
    """A table that a migration works through, and how many rows it has now."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """A migration that is still to run: its revision, what it is in a sentence, and the tables it works through."""

    revision: str
    description: str
    works_through: tuple[TableWork, ...]


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """The way from the schema's revision, None for an empty database, to the release's."""

    current: str | None
    newest: str
    steps: tuple[MigrationStep, ...]


def plan_migration(connection: Connection) -> MigrationPlan:
    """Return what `migrate` would do. Nothing is changed and nothing locked; large tables are counted.

    Raises:
        UnknownRevisionError: the schema is of a newer release, with which this one cannot work.
    """
    directory = ScriptDirectory(LOCATION)
    newest = directory.get_current_head()
    assert newest is not None  # noqa: S101 -- there is a first migration
    current = MigrationContext.configure(connection).get_current_revision()
    revisions = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in revisions:
        if fits(connection):
            return MigrationPlan(current, newest, ())
        raise UnknownRevisionError(describe_misfit(connection))
    missing = [*directory.iterate_revisions(newest, current)][::-1]
    existing = {*inspect(connection).get_table_names()}
    rows: dict[str, int] = {}
    steps: list[MigrationStep] = []
    for script in missing:
        names = getattr(script.module, "WORKS_THROUGH", {}).get(connection.dialect.name, ())
        work: list[TableWork] = []
        for name in names:
            if name not in existing:
                continue  # an earlier one of these creates it, empty
            if name not in rows:
                rows[name] = connection.execute(select(func.count()).select_from(table(name))).scalar_one()
            work.append(TableWork(name, rows[name]))
        steps.append(MigrationStep(script.revision, str(script.doc), tuple(work)))
    return MigrationPlan(current, newest, tuple(steps))
