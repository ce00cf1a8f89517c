"""`scorm-bridge export`: everything that is held about one learner, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.cli.database import open_database
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON
from bridge.cli.output import print_json, print_table
from bridge.clock import system_now
from bridge.operations.audit_context import AuditContext
from bridge.operations.learner_export import NothingHeldError, export_learner
from bridge.settings import Settings
from storage.new_file import NewFileError
from storage.queries.learner_data import Learner


@click.command()
@click.argument("learner")
@click.option("--lms", help="Name of the LMS; by default, all LMSs that know this id.")
@click.option(
    "-o", "--output", "file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The zip to create."
)
@BY
@OPTIONAL_REASON
@AS_JSON
@click.pass_obj
def export(
    settings: Settings, *, learner: str, lms: str | None, file: Path, by: str, reason: str, as_json: bool
) -> None:
    """Export everything that is held about LEARNER into a zip. No file is overwritten; the audit log records it."""
    with open_database(settings) as engine:
        try:
            exported = export_learner(engine, Learner(learner, lms), file, AuditContext(by, reason, system_now()))
        except (NothingHeldError, NewFileError) as error:
            raise click.ClickException(str(error)) from None
    if as_json:
        print_json({"file": str(exported.file), "bytes": exported.size, "rows": exported.rows})
        return
    print_table(("what", "rows"), exported.rows.items())
    click.echo(f"{exported.file}: {exported.size:,} bytes. It holds personal data: keep it as such.", err=True)
