"""`scorm-bridge erase` and `scorm-bridge erasures`: forgetting a learner, and what became of it at each target."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Engine

from bridge.cli.database import open_connection, open_database
from bridge.cli.options import AFTER, AS_JSON, BY, LIMIT, YES, refuse_invalid_cursor
from bridge.cli.output import print_end_of_page, print_items, print_json, print_table
from bridge.clock import random_id, system_now
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import (
    ErasureError,
    ErasurePreview,
    ErasureRequest,
    erase_learner,
    preview_erasure,
    receipt_of,
)
from bridge.settings import Settings
from storage import erasures as stored
from storage.erasures import Later
from storage.queries.learner_data import Learner


@click.command()
@click.argument("learner")
@click.option("--lms", help="Name of the LMS; by default, all LMSs, at which the id then means the same person.")
@click.option(
    "--later",
    type=click.Choice([later.value for later in Later]),
    default=Later.REFUSE.value,
    show_default=True,
    help="What becomes of what the LMS sends of the learner from now on: refuse it, or accept it as of somebody new.",
)
@click.option("--reason", default="", help="Reason for the audit log and the receipt; it must not name the learner.")
@BY
@YES
@AS_JSON
@click.pass_obj
def erase(  # noqa: PLR0913 -- one for each option
    settings: Settings,
    *,
    learner: str,
    lms: str | None,
    later: str,
    reason: str,
    by: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase LEARNER here and at the targets. Without --yes, show what that would do, and change nothing.

    Everything stored here is deleted. What waits for targets is withdrawn; statements that they have are voided, and
    documents deleted, unless their setting `erase` is "keep". A run that is interrupted goes on when it is repeated.
    """
    who = Learner(learner, lms)
    if learner.lower() in reason.lower():
        raise click.BadParameter("it names the learner, and stays when everything else is gone.", param_hint="--reason")
    with open_database(settings) as engine:
        try:
            if not yes:
                _show_preview(preview_erasure(engine, who), settings, as_json=as_json)
                return
            request = ErasureRequest(
                who,
                Later(later),
                {target.name: target.erase == "keep" for target in settings.targets},
                AuditContext(by, reason, system_now()),
            )
            receipt = receipt_of(_erase(engine, request))
        except ErasureError as error:
            raise click.ClickException(str(error)) from None
    if as_json:
        print_json(receipt)
        return
    print_table(("deleted here", "rows"), receipt["deleted"].items())
    _print_targets(receipt["targets"])
    click.echo(
        f"Erased, under {receipt['erasure']}. `scorm-bridge erasures list` shows what targets still have to remove.",
        err=True,
    )


def _erase(engine: Engine, request: ErasureRequest) -> stored.Erasure:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("erase", total=None)
        return erase_learner(
            engine,
            request,
            now=system_now,
            new_id=random_id,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _show_preview(preview: ErasurePreview, settings: Settings, *, as_json: bool) -> None:
    keeping = {target.name for target in settings.targets if target.erase == "keep"}
    targets = [
        {"target": name, "erase": "keep" if name in keeping else "void", **counts}
        for name, counts in preview.targets.items()
    ]
    if as_json:
        print_json(
            {
                "dry_run": True,
                "lms": preview.lms,
                "rows": preview.rows,
                "targets": targets,
                "unfinished": preview.is_unfinished,
            }
        )
        return
    print_table(("stored here", "rows"), preview.rows.items())
    if targets:
        print_table(
            ("target", "erase", "waiting", "statements", "documents"),
            (
                (
                    each["target"] or "(no LRS yet)",
                    each["erase"],
                    each["waiting"],
                    each["statements"],
                    each["documents"],
                )
                for each in targets
            ),
        )
    click.echo(f"Known at: {', '.join(preview.lms) or 'no LMS any more'}.", err=True)
    if preview.is_unfinished:
        click.echo("An erasure of this learner was interrupted; --yes goes on with it.", err=True)
    click.echo("Nothing was changed: this was a dry run. --yes erases.", err=True)


@click.group()
def erasures() -> None:
    """Show erasures of learners. No person is named in them."""


@erasures.command("list")
@LIMIT
@AFTER
@AS_JSON
@click.pass_obj
def list_erasures(settings: Settings, *, limit: int, after: str | None, as_json: bool) -> None:
    """List erasures, newest first, with what each target has removed and has still to remove."""
    with open_connection(settings) as connection, refuse_invalid_cursor():
        page = stored.page(connection, after=after, limit=limit)
    receipts = [receipt_of(row, has_answers=True) for row in page.rows]
    if as_json:
        print_items(receipts, page.after)
        return
    if receipts:
        print_table(
            ("erasure", "LMS", "began", "finished", "later", "by", "rows", "waiting"),
            (
                (
                    receipt["erasure"], receipt["lms"] or "all", receipt["began_at"],
                    receipt["finished_at"] or "interrupted: run it again", receipt["later"], receipt["by"],
                    sum(receipt["deleted"].values()), sum(target["waiting"] for target in receipt["targets"]),
                )
                for receipt in receipts
            ),
        )  # fmt: skip
        _print_targets([target for receipt in receipts for target in receipt["targets"] if target["waiting"]])
    print_end_of_page("erasures", is_empty=not receipts, following=page.after)


def _print_targets(targets: list[dict[str, Any]]) -> None:
    names = ("target", "waiting", "voided", "deleted", "withdrawn", "kept", "permanent", "answer")
    if targets:
        print_table(names, ([target[name] for name in names] for target in targets))
