"""`scorm-bridge deliveries`: statements on their way to targets, and what to do about those in trouble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Connection

from bridge.cli.explaining import explain
from bridge.cli.filters import chosen
from bridge.cli.printing import AS_JSON, as_json, table
from bridge.cli.stored import database, looking, user
from bridge.clock import Now, system_now
from bridge.commits.replies import time_text
from bridge.settings import Settings
from storage import acts
from storage import deliveries as stored
from storage.acts import Act
from storage.deliveries import Delivery, Filter
from storage.engine import reading, writing

TOGETHER = 500
"""Deliveries changed in one transaction: a running bridge never waits long for it."""

YES = click.option("--yes", is_flag=True, help="Do not ask.")
BY = click.option("--by", default=user, help="Who does this; by default the user's name.")


@click.group()
def deliveries() -> None:
    """Statements on their way to LRSs."""


@deliveries.command("list")
@chosen
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--before", type=int, help="Only those with numbers below this one: the next page.")
@AS_JSON
@click.pass_obj
def list_deliveries(settings: Settings, *, which: Filter, limit: int, before: int | None, as_json_: bool) -> None:
    """List deliveries, the newest first."""
    with looking(settings) as connection:
        found = stored.find(connection, which, before=before, most=limit)
    if as_json_:
        as_json([_object(one) for one in found])
        return
    if not found:
        click.echo("No delivery meets all of that.", err=True)
        return
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
    if len(found) == limit:
        click.echo(f"There may be more: --before {found[-1].id}", err=True)


deliveries.add_command(explain)


@deliveries.command("retry")
@chosen
@YES
@BY
@click.option("--reason", default="", help="Why, for those who ask later.")
@click.pass_obj
def retry(settings: Settings, *, which: Filter, yes: bool, by: str, reason: str) -> None:
    """Let dead deliveries be tried again, under the same statement ids."""
    _all(settings, "retry", _only(which, stored.RETRIED), stored.retry, (yes, by, reason))


@deliveries.command("discard")
@chosen
@YES
@BY
@click.option("--reason", required=True, help="Why: nobody will get these statements.")
@click.pass_obj
def discard(settings: Settings, *, which: Filter, yes: bool, by: str, reason: str) -> None:
    """Give deliveries up for good: waiting, dead or quarantined ones. One that is on its way now can still arrive."""

    def give_up(connection: Connection, ids: Sequence[int]) -> int:
        return stored.discard(connection, ids, system_now())

    _all(settings, "discard", _only(which, stored.DISCARDED), give_up, (yes, by, reason))


def _only(which: Filter, states: Sequence[str]) -> list[Filter]:
    """Give the filters for each of the states that something can be done to."""
    if which == Filter():
        raise click.UsageError("Choose which deliveries, for instance with --target or --statement.")
    if which.state is not None and which.state not in states:
        raise click.BadParameter(f"nothing is to be done about {which.state} deliveries", param_hint="--state")
    return [msgspec.structs.replace(which, state=one) for one in states if which.state in {None, one}]


def _all(
    settings: Settings,
    verb: str,
    filters: Sequence[Filter],
    change: Callable[[Connection, Sequence[int]], int],
    how: tuple[bool, str, str],
    now: Now = system_now,
) -> None:
    yes, by, reason = how
    with database(settings) as engine:
        with reading(engine) as connection:
            counts = [stored.count(connection, one) for one in filters]
        if not sum(counts):
            click.echo(f"There is nothing to {verb}.", err=True)
            return
        if not yes:
            kinds = ", ".join(f"{count} {one.state}" for one, count in zip(filters, counts, strict=True) if count)
            click.confirm(f"{verb.capitalize()} {kinds}?", abort=True, err=True)
        done = 0
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(verb, total=sum(counts))
            for one in filters:
                after = 0
                while True:
                    with reading(engine) as connection:
                        ids = stored.ids(connection, one, after=after, most=TOGETHER)
                    if not ids:
                        break
                    with writing(engine) as connection:
                        changed = change(connection, ids)
                        subject = msgspec.json.encode(one).decode()
                        acts.add(connection, Act(now(), by, verb, subject, changed, reason))
                    done, after = done + changed, ids[-1]
                    progress.advance(task, len(ids))
    click.echo(f"{verb.capitalize()}: {done} done.", err=True)


def _object(one: Delivery) -> dict[str, Any]:
    return one._asdict() | {
        "not_before": time_text(one.not_before or None),
        "settled_at": time_text(one.settled_at),
        "made_at": time_text(one.made_at),
    }
