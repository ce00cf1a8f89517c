"""`scorm-bridge statements`: the statements that were made of commits."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.database import open_connection
from bridge.cli.options import AFTER, AS_JSON, LIMIT, delivery_filters, refuse_invalid_cursor
from bridge.cli.output import print_end_of_page, print_items, print_table
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
    with open_connection(settings) as connection, refuse_invalid_cursor():
        page = stored.search(connection, selection, after=after, limit=limit)
    if as_json:
        print_items([_as_object(row) for row in page.rows], page.after)
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
    print_end_of_page("statements", is_empty=not page.rows, following=page.after)


def _describe_deliveries(row: StatementSummary) -> str:
    return ", ".join(f"{target or 'no LRS yet'}: {state}" for target, state in row.deliveries)


def _as_object(row: StatementSummary) -> dict[str, Any]:
    forms = dict(row.forms)
    deliveries = [
        {"target": target or None, "state": state, "form": forms.get(target)} for target, state in row.deliveries
    ]
    values = row._asdict()
    del values["forms"]
    return values | {"created_at": format_timestamp(row.created_at), "deliveries": deliveries}
