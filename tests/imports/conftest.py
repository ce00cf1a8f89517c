"""Importing into a database with an LMS in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bridge.commit_model.active_mappings import ActiveMappings
from bridge.commits.dependencies import CommitDependencies
from bridge.imports.importer import Importer, ImportLine, ImportReport
from bridge.imports.sources import open_source
from bridge.imports.sources.column_map import ColumnMap
from bridge.mapping_library.activation import activate_configured
from bridge.mapping_library.reloader import load_active
from bridge.settings import TargetSettings
from storage import frames
from storage.engine import open_engine, writing
from storage.erasures import learner_digest
from tests.support.accounts import START, register_lms
from tests.support.bridge import Ids
from tests.support.mapping import DEFAULT

DIGEST_KEY = bytes(32)
"""Of the hashes of erased learners."""


@dataclass
class Importing:
    """A database, and imports into it for an LMS."""

    engine: Engine
    lms_id: int
    mappings: ActiveMappings
    lines: Sequence[ImportLine] = ()

    def __call__(
        self, source: str, place: Path | str, column_map: ColumnMap | None = None, *, dry_run: bool = False
    ) -> ImportReport:
        """Import, and return what came of it."""
        lines: list[ImportLine] = []
        dependencies = CommitDependencies(
            self.mappings, lambda: START, Ids(), learner_digest=partial(learner_digest, DIGEST_KEY)
        )
        importer = Importer(self.engine, dependencies, dry_run=dry_run)
        with open_source(source, str(place), column_map) as history:
            total = history.count()
            importer.run(history, self.lms_id, on_lines=lambda more, _: lines.extend(more), pause=lambda _seconds: None)
            assert importer.report.rows == total
        self.lines = lines
        return importer.report

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query, values or None)]

    def statements(self) -> list[tuple[str, str, str]]:
        """Return learner, rule and body of every statement, in their order."""
        with self.engine.connect() as connection:
            return [
                (row[0], row[1], frames.text_of(connection, row[2], row[3]))
                for row in self.rows(
                    "SELECT e.learner_id, s.rule, s.body, s.frame FROM statement s"
                    " JOIN attempt a ON a.id = s.attempt_id JOIN enrollment e ON e.id = a.enrollment_id"
                    " ORDER BY e.learner_id, a.number, s.position"
                )
            ]


def importing(database_url: str, targets: Sequence[TargetSettings] = ()) -> Iterator[Importing]:
    """Yield imports into a database."""
    engine = open_engine(database_url)
    lms_id = register_lms(engine).id
    with writing(engine) as connection:
        activate_configured(connection, DEFAULT, START)
        mappings = load_active(connection, targets)
    yield Importing(engine, lms_id, mappings)
    engine.dispose()


@pytest.fixture
def import_history(database_url: str) -> Iterator[Importing]:
    """Imports into an empty database of each kind."""
    yield from importing(database_url)


@pytest.fixture
def import_once(sqlite_url: str) -> Iterator[Importing]:
    """Imports into an empty SQLite database, where it is the source that matters."""
    yield from importing(sqlite_url)
