"""`scorm-bridge deliveries`: statements on their way to targets."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from bridge.cli.database import open_connection, open_database
from bridge.cli.explain import explain
from bridge.cli.options import (
    AFTER,
    AS_JSON,
    BY,
    LIMIT,
    OPTIONAL_REASON,
    REASON,
    YES,
    delivery_filters,
    refuse_invalid_cursor,
)
from bridge.cli.output import print_end_of_page, print_items, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.delivery_operations import DeliveryOperation, InvalidSelectionError, build_filters, execute
from bridge.settings import Settings
from storage.deliveries import Delivery, DeliveryFilter
from storage.engine import reading
from storage.outbox import LATE
from storage.queries import deliveries as stored


@click.group()
def deliveries() -> None:
    """Find, retry, reissue and discard deliveries: statements on their way to targets."""


@deliveries.command("list")
@delivery_filters
@LIMIT
@AFTER
@AS_JSON
@click.pass_obj
def list_deliveries(
    settings: Settings, *, selection: DeliveryFilter, limit: int, after: str | None, as_json: bool
) -> None:
    """List deliveries, newest first."""
    with open_connection(settings) as connection, refuse_invalid_cursor():
        page = stored.search(connection, selection, after=after, limit=limit)
    if as_json:
        print_items([_as_object(delivery) for delivery in page.rows], page.after)
        return
    if page.rows:
        print_table(
            ("number", "statement", "rule", "learner", "activity", "target", "state", "tries", "last"),
            (
                (
                    row.id, row.statement_id, row.rule, row.learner_id, row.activity_id, row.target or "(no LRS yet)",
                    row.state, row.tries, None if row.outcome is None else f"{row.status or 'no answer'} {row.outcome}",
                )
                for row in page.rows
            ),
        )  # fmt: skip
    print_end_of_page("deliveries", is_empty=not page.rows, following=page.after)


deliveries.add_command(explain)


@deliveries.command("retry")
@delivery_filters
@YES
@BY
@OPTIONAL_REASON
@click.pass_obj
def retry(settings: Settings, *, selection: DeliveryFilter, yes: bool, by: str, reason: str) -> None:
    """Send dead deliveries again, under the same statement ids."""
    _execute(settings, AuditAction.RETRY, selection, AuditContext(by, reason, system_now()), yes=yes)


@deliveries.command("reissue")
@delivery_filters
@YES
@BY
@REASON
@click.pass_obj
def reissue(settings: Settings, *, selection: DeliveryFilter, yes: bool, by: str, reason: str) -> None:
    """Send statements under new ids, where an LRS has others under theirs since the database was restored.

    Those are dead deliveries with the outcome `diverged`. What the LRS has under the old ids stays there.
    """
    _execute(settings, AuditAction.REISSUE, selection, AuditContext(by, reason, system_now()), yes=yes)


@deliveries.command("discard")
@delivery_filters
@YES
@BY
@REASON
@click.pass_obj
def discard(settings: Settings, *, selection: DeliveryFilter, yes: bool, by: str, reason: str) -> None:
    """Discard waiting, dead or quarantined deliveries for good. One that is being sent now may still arrive."""
    _execute(settings, AuditAction.DISCARD, selection, AuditContext(by, reason, system_now()), yes=yes)


def _execute(
    settings: Settings, action: AuditAction, selection: DeliveryFilter, context: AuditContext, *, yes: bool
) -> None:
    try:
        filters = build_filters(action, selection)
    except InvalidSelectionError as error:
        raise click.UsageError(str(error)) from None
    with open_database(settings) as engine:
        with reading(engine) as connection:
            counts = [(str(part.state), stored.how_many(connection, part)) for part in filters]
        counts = [(state, count) for state, count in counts if count.number or count.is_lower_bound]
        if not counts:
            click.echo(f"There is nothing to {action}.", err=True)
            return
        if not yes:
            numbers = ", ".join(
                f"{'at least ' if count.is_lower_bound else ''}{count.number} {state}" for state, count in counts
            )
            click.confirm(f"{action.capitalize()} {numbers}?", abort=True, err=True)
        is_exact = not any(count.is_lower_bound for _, count in counts)
        changed = 0
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(action, total=sum(count.number for _, count in counts) if is_exact else None)
            for step in execute(engine, DeliveryOperation(action, filters, context), system_now):
                changed += step.changed
                progress.advance(task, step.examined)
    click.echo(f"{action.capitalize()}: {changed} done.", err=True)


def _as_object(delivery: Delivery) -> dict[str, Any]:
    return delivery._asdict() | {
        "not_before": format_timestamp(delivery.not_before if delivery.not_before > LATE else None),
        "settled_at": format_timestamp(delivery.settled_at),
        "created_at": format_timestamp(delivery.created_at),
    }
