"""`scorm-bridge targets`: how each LRS does, and pausing it."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from bridge.cli.stored import database, looking, user
from bridge.clock import system_now
from bridge.commits.replies import time_text
from bridge.settings import Settings
from storage import acts, pauses
from storage.acts import Act
from storage.audit.queues import Queue, queues
from storage.engine import writing
from storage.pauses import Pause

BY = click.option("--by", default=user, help="Who does this; by default the user's name.")


@click.group()
def targets() -> None:
    """The LRSs that statements go to."""


@targets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_targets(settings: Settings, *, as_json: bool) -> None:
    """Show how each target does: what waits for it, what is in trouble, and whether it is paused."""
    with looking(settings) as connection:
        found = overview(connection, settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    table = Table("target", "state", "waiting", "documents", "dead", "quarantined", "oldest", "endpoint", box=None)
    for one in found:
        numbers = (str(one[name]) for name in ("waiting", "waiting_documents", "dead", "quarantined"))
        table.add_row(
            one["name"] or "(no LRS yet)", one["state"], *numbers, one["oldest_waiting"] or "", one["endpoint"] or ""
        )
    console = Console(emoji=False, width=200)
    console.print(table)
    for one in found:
        if one["pause"] is not None:
            pause = one["pause"]
            who = "does not let the bridge in" if pause["automatic"] else f"is paused by {pause['by']}"
            console.print(escape(f"{one['name']} {who}, since {pause['since']}: {pause['reason']}"))


@targets.command("pause")
@click.argument("name")
@click.option("--reason", required=True, help="Why: others will want to know.")
@BY
@click.pass_obj
def pause_target(settings: Settings, name: str, reason: str, by: str) -> None:
    """Let target NAME get nothing until `resume`. Commits are taken all the same; statements and documents wait."""
    _known(settings, name)
    now = system_now()
    with database(settings) as engine, writing(engine) as connection:
        if not pauses.begin(connection, Pause(name, now, by, reason, automatic=False)):
            raise click.ClickException(f"{name} is paused already; `scorm-bridge targets list` tells why.")
        acts.add(connection, Act(now, by, "pause", name, 1, reason))
    click.echo(f"{name} is paused. What is on its way at this moment may still arrive.", err=True)


@targets.command("resume")
@click.argument("name")
@BY
@click.pass_obj
def resume_target(settings: Settings, name: str, by: str) -> None:
    """End the pause of target NAME: a running bridge goes on within seconds."""
    with database(settings) as engine, writing(engine) as connection:
        if not pauses.end(connection, name):
            raise click.ClickException(f"{name} is not paused.")
        acts.add(connection, Act(system_now(), by, "resume", name, 1, ""))
    click.echo(f"{name} goes on.", err=True)


def overview(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    """Give each target that is configured, or that anything waits for, with what its deliveries come to."""
    endpoints = {one.name: one.endpoint for one in settings.targets}
    waits, paused = queues(connection), pauses.current(connection)
    names = [*endpoints, *sorted({*waits, *paused} - endpoints.keys())]
    return [_one(name, endpoints.get(name), waits.get(name, Queue()), paused.get(name)) for name in names]


def _one(name: str, endpoint: str | None, queue: Queue, pause: Pause | None) -> dict[str, Any]:
    if pause is not None:
        state = "not let in" if pause.automatic else "paused"
    else:
        state = "flowing" if endpoint is not None else "not configured"
    return {
        "name": name,
        "endpoint": endpoint,
        "state": state,
        "waiting": queue.waiting.number,
        "waiting_documents": queue.waiting_documents.number,
        "dead": queue.dead.number,
        "dead_documents": queue.dead_documents.number,
        "quarantined": queue.quarantined.number,
        "oldest_waiting": time_text(queue.oldest),
        "pause": None
        if pause is None
        else {
            "since": time_text(pause.since),
            "by": pause.by,
            "reason": pause.reason,
            "automatic": pause.automatic,
        },
    }


def _known(settings: Settings, name: str) -> None:
    names = [one.name for one in settings.targets]
    if name not in names:
        raise click.BadParameter(f"no target has the name {name!r}; there are: {', '.join(names) or 'none'}")
