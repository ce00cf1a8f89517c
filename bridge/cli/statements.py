"""`scorm-bridge statements`: the statements that were made of commits."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.database import open_connection
from bridge.cli.options import AFTER, AS_JSON, LIMIT, delivery_filters
from bridge.cli.output import print_json, print_table
from bridge.clock import format_timestamp
from bridge.settings import Settings
from storage.deliveries import DeliveryFilter
from storage.queries import statements as stored
from storage.queries.statements import StatementSummary


@click.group()
def statements() -> None:
    """Find statements: what was made of commits."""


@statements.command("list")
@delivery_filters
@LIMIT
@AFTER
@AS_JSON
@click.pass_obj
def list_statements(
    settings: Settings, *, selection: DeliveryFilter, limit: int, after: str | None, as_json: bool
) -> None:
    """List statements, newest first. With --target and --state, those with a delivery that matches both."""
    with open_connection(settings) as connection:
        try:
            page = stored.search(connection, selection, after=after, most=limit)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--after") from None
    if as_json:
        print_json({"statements": [_as_object(row) for row in page.rows], "after": page.after})
        return
    if page.rows:
        print_table(
            ("statement", "made", "rule", "learner", "activity", "attempt", "commit", "deliveries"),
            (
                (
                    row.id, format_timestamp(row.created_at), row.rule, row.learner_id, row.activity_id,
                    row.attempt_number, row.commit_number, _describe_deliveries(row),
                )
                for row in page.rows
            ),
        )  # fmt: skip
    elif page.after is None:
        click.echo("No matching statements.", err=True)
    if page.after is not None:
        click.echo(f"There may be more: --after {page.after}", err=True)


def _describe_deliveries(row: StatementSummary) -> str:
    return ", ".join(f"{target or 'no LRS yet'}: {state}" for target, state in row.deliveries)


def _as_object(row: StatementSummary) -> dict[str, Any]:
    deliveries = [{"target": target or None, "state": state} for target, state in row.deliveries]
    return row._asdict() | {"created_at": format_timestamp(row.created_at), "deliveries": deliveries}
