"""`scorm-bridge backfill`: what a target lacks from before it was there."""

from __future__ import annotations

import time

import click
from sqlalchemy import Engine

from bridge.cli.database import open_database
from bridge.cli.options import AS_JSON, BY, YES, TimeType, find_target
from bridge.cli.output import print_json, print_table, show_progress
from bridge.clock import system_now
from bridge.mapping_library.backfill import Backfill, BackfillReport
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.settings import Settings, TargetSettings
from storage.backfill import BackfillSpan
from storage.engine import writing


@click.command()
@click.argument("target")
@click.option("--since", type=TimeType(), default=0, help="Statements made at this time or later.")
@click.option("--lms", help="Name of the LMS.")
@click.option("--course", help="Id of the course.")
@click.option("--learner", help="Id of the learner.")
@click.option("--rule", help="Rule of the mapping that made the statements; documents are then left out.")
@click.option("--rate", type=click.FloatRange(min=0.1), help="Statements a second at most.")
@click.option("--dry-run", is_flag=True, help="Show what would be queued, and queue nothing.")
@YES
@BY
@AS_JSON
@click.pass_obj
def backfill(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    target: str,
    *,
    since: int,
    lms: str | None,
    course: str | None,
    learner: str | None,
    rule: str | None,
    rate: float | None,
    dry_run: bool,
    yes: bool,
    by: str,
    as_json: bool,
) -> None:
    """Queue for TARGET the statements and newest documents that it never got, such as those from before it was there.

    They have the ids and bytes that other targets got, and each attempt's are in their order. The bridge sends them
    beside new ones. It may be stopped and begun again: what is queued or sent already is left out.
    """
    chosen = find_target(settings, target)
    span = BackfillSpan(since, lms, course, learner, rule)
    with open_database(settings) as engine:
        if dry_run or not yes:
            preview = _run(engine, chosen, span, None, dry_run=True)
            if dry_run or not as_json:
                _show(preview, as_json=as_json, dry_run=True)
            if dry_run:
                return
            click.confirm(f"Queue this for {target}?", abort=True, err=True)
        report = _run(engine, chosen, span, rate, dry_run=False)
        with writing(engine) as connection:
            context = AuditContext(by, "", system_now())
            record(connection, context, AuditAction.BACKFILL, target, count=report.statements.total())
    _show(report, as_json=as_json, dry_run=False)


def _run(
    engine: Engine, target: TargetSettings, span: BackfillSpan, rate: float | None, *, dry_run: bool
) -> BackfillReport:
    work = Backfill(engine, target, span, system_now)
    started_at = time.monotonic()

    def pause(_queued: int) -> None:
        if rate is not None:
            wait = started_at + work.report.statements.total() / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)

    with show_progress(work.count(), "dry run" if dry_run else "backfill") as advance:
        work.run(dry_run=dry_run, progress=advance, pause=pause)
    return work.report


def _show(report: BackfillReport, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "attempts": report.attempts,
                "statements": dict(report.statements),
                "documents": report.documents,
                "withheld": report.withheld,
            }
        )
        return
    rows = [
        ("attempts", report.attempts),
        *((f"statements of {rule}", count) for rule, count in report.statements.most_common()),
        ("attempts whose documents are built anew", report.attempts if dry_run else report.documents),
        ("statements withheld: they tell what the target must not get", report.withheld),
    ]
    print_table(("to queue" if dry_run else "queued", "number"), [(what, f"{count:,}") for what, count in rows])
    if dry_run:
        click.echo("Nothing was queued.", err=True)
