"""`scorm-bridge statements`: which statements there are, whose, and where."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.database import looking
from bridge.cli.options import chosen
from bridge.cli.output import AS_JSON, as_json, table
from bridge.clock import format_timestamp
from bridge.settings import Settings
from storage.audit import statements as stored
from storage.audit.statements import StatementRow
from storage.deliveries import Filter


@click.group()
def statements() -> None:
    """What the bridge made of commits."""


@statements.command("list")
@chosen
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--after", help="The next page, as the one before it told.")
@AS_JSON
@click.pass_obj
def list_statements(settings: Settings, *, which: Filter, limit: int, after: str | None, as_json_: bool) -> None:
    """List statements, the newest first. With --target and --state, those of which one delivery meets both."""
    with looking(settings) as connection:
        try:
            page = stored.search(connection, which, after=after, most=limit)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--after") from None
    if as_json_:
        as_json({"statements": [_object(one) for one in page.rows], "after": page.after})
        return
    if page.rows:
        table(
            ("statement", "made", "rule", "learner", "activity", "attempt", "commit", "deliveries"),
            (
                (
                    one.id, format_timestamp(one.created_at), one.rule, one.learner_id, one.activity_id,
                    one.attempt_number, one.commit_number, _ways(one),
                )
                for one in page.rows
            ),
        )  # fmt: skip
    elif page.after is None:
        click.echo("No statement meets all of that.", err=True)
    if page.after is not None:
        click.echo(f"There may be more: --after {page.after}", err=True)


def _ways(one: StatementRow) -> str:
    return ", ".join(f"{target or 'no LRS yet'}: {state}" for target, state in one.deliveries)


def _object(one: StatementRow) -> dict[str, Any]:
    ways = [{"target": target or None, "state": state} for target, state in one.deliveries]
    return one._asdict() | {"created_at": format_timestamp(one.created_at), "deliveries": ways}
