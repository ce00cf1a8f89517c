"""`scorm-bridge deliveries`: statements on their way to targets, and what to do about those in trouble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from bridge.cli.database import database, looking, user
from bridge.cli.explain import explain
from bridge.cli.options import chosen
from bridge.cli.output import AS_JSON, as_json, table
from bridge.clock import format_timestamp, system_now
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.delivery_operations import DeliveryOperation, InvalidSelectionError, build_filters, execute
from bridge.settings import Settings
from storage.audit import deliveries as stored
from storage.audit.pages import decode, encode
from storage.deliveries import Delivery, Filter
from storage.engine import reading

YES = click.option("--yes", is_flag=True, help="Do not ask.")
BY = click.option("--by", default=user, help="Who does this; by default the user's name.")


@click.group()
def deliveries() -> None:
    """Statements on their way to LRSs."""


@deliveries.command("list")
@chosen
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option(
    "--before", type=click.IntRange(0, 2**63 - 1), help="Only those with numbers below this one: the next page."
)
@AS_JSON
@click.pass_obj
def list_deliveries(settings: Settings, *, which: Filter, limit: int, before: int | None, as_json_: bool) -> None:
    """List deliveries, the newest first."""
    with looking(settings) as connection:
        found, after = stored.search(connection, which, after=None if before is None else encode([before]), most=limit)
    if as_json_:
        as_json([_object(one) for one in found])
    elif found:
        _print(found)
    elif after is None:
        click.echo("No delivery meets all of that.", err=True)
    if after is not None:
        click.echo(f"There may be more: --before {decode(after)[0]}", err=True)


def _print(found: Sequence[Delivery]) -> None:
    table(
        ("number", "statement", "rule", "learner", "activity", "target", "state", "tries", "last"),
        (
            (
                one.id, one.statement_id, one.rule, one.learner_id, one.activity_id, one.target or "(no LRS yet)",
                one.state, one.tries, None if one.outcome is None else f"{one.status or 'no answer'} {one.outcome}",
            )
            for one in found
        ),
    )  # fmt: skip


deliveries.add_command(explain)


@deliveries.command("retry")
@chosen
@YES
@BY
@click.option("--reason", default="", help="Why, for those who ask later.")
@click.pass_obj
def retry(settings: Settings, *, which: Filter, yes: bool, by: str, reason: str) -> None:
    """Let dead deliveries be tried again, under the same statement ids."""
    _all(settings, AuditAction.RETRY, which, (yes, by, reason))


@deliveries.command("reissue")
@chosen
@YES
@BY
@click.option("--reason", required=True, help="Why, such as which backup was restored.")
@click.pass_obj
def reissue(settings: Settings, *, which: Filter, yes: bool, by: str, reason: str) -> None:
    """Send statements under new ids, where an LRS has others under theirs since the database was restored.

    Those are dead deliveries with the outcome `diverged`. What the LRS has under the old ids stays there.
    """
    _all(settings, AuditAction.REISSUE, which, (yes, by, reason))


@deliveries.command("discard")
@chosen
@YES
@BY
@click.option("--reason", required=True, help="Why: nobody will get these statements.")
@click.pass_obj
def discard(settings: Settings, *, which: Filter, yes: bool, by: str, reason: str) -> None:
    """Give deliveries up for good: waiting, dead or quarantined ones. One that is on its way now can still arrive."""
    _all(settings, AuditAction.DISCARD, which, (yes, by, reason))


def _all(settings: Settings, action: AuditAction, which: Filter, how: tuple[bool, str, str]) -> None:
    yes, by, reason = how
    try:
        filters = build_filters(action, which)
    except InvalidSelectionError as error:
        raise click.UsageError(str(error)) from None
    with database(settings) as engine:
        with reading(engine) as connection:
            counts = [(str(one.state), stored.how_many(connection, one)) for one in filters]
        counts = [(state, count) for state, count in counts if count.number or count.more]
        if not counts:
            click.echo(f"There is nothing to {action}.", err=True)
            return
        if not yes:
            kinds = ", ".join(f"{'at least ' if one.more else ''}{one.number} {state}" for state, one in counts)
            click.confirm(f"{action.capitalize()} {kinds}?", abort=True, err=True)
        is_known = not any(count.more for _, count in counts)
        operation = DeliveryOperation(action, filters, AuditContext(by, reason, system_now()))
        done = 0
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(action, total=sum(one.number for _, one in counts) if is_known else None)
            for step in execute(engine, operation, system_now):
                done += step.changed
                progress.advance(task, step.examined)
    click.echo(f"{action.capitalize()}: {done} done.", err=True)


def _object(one: Delivery) -> dict[str, Any]:
    return one._asdict() | {
        "not_before": format_timestamp(one.not_before or None),
        "settled_at": format_timestamp(one.settled_at),
        "created_at": format_timestamp(one.created_at),
    }
