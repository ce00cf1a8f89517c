"""`scorm-bridge import`: the history of an LMS, from its database or from files that it exported."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
from sqlalchemy import Engine

from bridge.cli.database import open_database
from bridge.cli.options import AS_JSON, BY, YES
from bridge.cli.output import print_json, print_table, show_progress
from bridge.clock import random_id, system_now
from bridge.commits.dependencies import CommitDependencies
from bridge.imports.history import Source, SourceError
from bridge.imports.importer import Importer, ImportLine, ImportReport
from bridge.imports.sources import NAMES, open_source
from bridge.imports.sources.column_guess import suggest
from bridge.imports.sources.column_map import ColumnMap, parse_column_map
from bridge.imports.tables import open_tables
from bridge.mapping_library.activation import LibraryError, activate_configured, find_lms
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reloader import load_active
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.settings import Settings, TargetSettings
from storage import erasures
from storage.engine import writing
from storage.process_lock import CannotServeError, only_writer
from storage.update_order import adopt_cluster

FILES = ("csv", "ndjson")
TRANSACTION_SECONDS = 0.01
"""What a transaction takes of the database while live commits may come, about."""
REST_FACTOR = 2.0
"""Times as long as a transaction took that is rested after it: then the database is theirs."""


@click.command("import")
@click.argument("source", type=click.Choice(NAMES))
@click.argument("place", metavar="PATH_OR_URL")
@click.option("--lms", help="Name of the LMS whose history it is.")
@click.option(
    "--target", "targets", multiple=True, help="Target that gets the statements; by default all. May be repeated."
)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Column map (TOML) of csv and ndjson.",
)
@click.option("--suggest", "only_suggest", is_flag=True, help="Print a column map guessed from the file's columns.")
@click.option("--dry-run", is_flag=True, help="Show what would be imported, and store nothing.")
@click.option("--rate", type=click.FloatRange(min=0.1), help="Rows a second at most.")
@click.option(
    "--report",
    "report_file",
    type=click.File("w", encoding="utf-8"),
    help="Write what became of each attempt to this file (NDJSON).",
)
@YES
@BY
@AS_JSON
@click.pass_obj
def import_history(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    source: str,
    place: str,
    *,
    lms: str | None,
    targets: tuple[str, ...],
    map_file: Path | None,
    only_suggest: bool,
    dry_run: bool,
    rate: float | None,
    report_file: TextIO | None,
    yes: bool,
    by: str,
    as_json: bool,
) -> None:
    """Import the history of an LMS: SOURCE from PATH_OR_URL, a database's URL, a file or a directory of files.

    Commits are stored at their original times and make the statements that they would have made then. What was imported
    before is known and left out, so that an import that was stopped goes on when it is begun again. A dry run comes
    first, unless --yes is given.
    """
    try:
        if only_suggest:
            with open_tables(place) as tables:
                click.echo(suggest(tables.columns(tables.names()[0])), nl=False)
            return
        column_map = _column_map(source, map_file)
        chosen = _chosen(settings.targets, targets)
        with open_database(settings) as engine, open_source(source, place, column_map) as history:
            lms_id, dependencies = _prepare(settings, engine, lms, chosen)
            run = _Run(settings, engine, history, lms_id, dependencies, rate)
            if dry_run or not yes:
                preview = run(dry_run=True, report_file=report_file if dry_run else None)
                if dry_run or not as_json:
                    _show(preview, as_json=as_json, dry_run=True)
                if dry_run:
                    return
                click.confirm("Import this?", abort=True, err=True)
            report = run(dry_run=False, report_file=report_file)
            _record(engine, by, source, lms or "", report)
    except (LibraryError, SourceError) as error:
        raise click.ClickException(str(error)) from None
    _show(report, as_json=as_json, dry_run=False)


def _column_map(source: str, map_file: Path | None) -> ColumnMap | None:
    if source not in FILES:
        if map_file is not None:
            raise click.UsageError(f"--map goes with {' and '.join(FILES)}: what {source} has is known.")
        return None
    if map_file is None:
        raise click.UsageError("--map is needed; --suggest prints one to begin with.")
    return parse_column_map(map_file.read_text(encoding="utf-8"))


def _chosen(configured: Sequence[TargetSettings], names: Sequence[str]) -> Sequence[TargetSettings]:
    by_name = {target.name: target for target in configured}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: no such target; there are {', '.join(by_name) or 'none'}.", param_hint="--target"
        )
    return [by_name[name] for name in names] if names else configured


def _prepare(
    settings: Settings, engine: Engine, lms: str | None, targets: Sequence[TargetSettings]
) -> tuple[int, CommitDependencies]:
    if lms is None:
        raise click.UsageError("--lms is needed: the name of the LMS whose history it is (`tokens list` shows them).")
    mapping = load_mapping(settings.mapping.document)
    with writing(engine) as connection:
        adopt_cluster(connection)
        activate_configured(connection, mapping, system_now())
        key = erasures.ensure_digest_key(connection, secrets.token_bytes(32))
        dependencies = CommitDependencies(
            load_active(connection, targets),
            system_now,
            random_id,
            settings.sessions.resume,
            learner_digest=partial(erasures.learner_digest, key),
        )
        return find_lms(connection, lms), dependencies


class _Run:
    """Runs the import, for show or in earnest."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        source: Source,
        lms_id: int,
        dependencies: CommitDependencies,
        rate: float | None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._source = source
        self._lms_id = lms_id
        self._dependencies = dependencies
        self._rate = rate

    def __call__(self, *, dry_run: bool, report_file: TextIO | None) -> ImportReport:
        started = time.monotonic()
        shared = _is_served(self._settings)
        importer = Importer(
            self._engine,
            self._dependencies,
            transaction_seconds=TRANSACTION_SECONDS if shared else None,
            dry_run=dry_run,
        )

        def pause(seconds: float) -> None:
            """Leave the database to live commits for longer than it was taken from them; keep to the rate."""
            wait = seconds * REST_FACTOR if shared else 0.0
            if self._rate is not None:
                wait = max(wait, started + importer.report.rows / self._rate - time.monotonic())
            if wait > 0:
                time.sleep(wait)

        with show_progress(self._source.count(), "dry run" if dry_run else "import") as advance:

            def on_lines(lines: Sequence[ImportLine], rows: int) -> None:
                advance(rows)
                if report_file is not None:
                    report_file.writelines(f"{msgspec.json.encode(line._asdict()).decode()}\n" for line in lines)

            importer.run(self._source, self._lms_id, on_lines=on_lines, pause=pause)
        return importer.report


def _is_served(settings: Settings) -> bool:
    """Return whether live commits may come: PostgreSQL's bridges are anywhere, SQLite's holds the file."""
    if not settings.database.url.startswith("sqlite"):
        return True
    try:
        with only_writer(settings.database.url):
            return False
    except CannotServeError:
        return True


def _record(engine: Engine, by: str, source: str, lms: str, report: ImportReport) -> None:
    with writing(engine) as connection:
        context = AuditContext(by, f"{report.commits} commits from {source}", system_now())
        record(connection, context, AuditAction.IMPORT, lms, count=report.attempts)


def _show(report: ImportReport, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(_as_object(report, dry_run=dry_run))
        return
    counts: list[tuple[str, Any]] = [
        ("rows read", report.rows),
        ("attempts to import" if dry_run else "attempts imported", report.attempts),
        ("commits to store" if dry_run else "commits stored", report.commits),
        ("commits that were imported before", report.present),
        *((f"statements: {verb}", count) for verb, count in report.statements.most_common()),
        *((f"skipped: {reason}", count) for reason, count in report.skipped.most_common()),
        *((f"commits refused: {reason}", count) for reason, count in report.refused.most_common()),
        *((f"warnings: {code}", count) for code, count in report.warnings.most_common()),
    ]
    print_table(("", "number"), [(what, f"{count:,}") for what, count in counts])
    if dry_run:
        for body in report.examples:
            click.echo(f"\n{msgspec.json.format(body)}")
        click.echo("\nNothing was stored.", err=True)


def _as_object(report: ImportReport, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "rows": report.rows,
        "attempts": report.attempts,
        "commits": report.commits,
        "present": report.present,
        "statements": dict(report.statements),
        "skipped": dict(report.skipped),
        "refused": dict(report.refused),
        "warnings": dict(report.warnings),
        "examples": [msgspec.Raw(body.encode()) for body in report.examples] if dry_run else [],
    }
