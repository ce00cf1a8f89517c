"""`scorm-bridge targets`: how each LRS does, and pausing it."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge.cli.database import database, looking, user
from bridge.clock import format_timestamp, system_now
from bridge.operations import targets as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.target_status import ALARM_STATES, TargetStatus, describe_alarm_since, target_statuses
from bridge.settings import Settings
from storage.audit.pages import Count
from storage.engine import writing

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
        found = [_object(one) for one in target_statuses(connection, settings.targets)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    table = Table("target", "state", "waiting", "documents", "dead", "quarantined", "oldest", "endpoint", box=None)
    for one in found:
        names = ("waiting", "waiting_documents", "dead", "quarantined")
        numbers = (f"{'at least ' if name in one['more'] else ''}{one[name]}" for name in names)
        since = next((f" since {alarm['since']}" for alarm in one["alarms"] if alarm["requests"] == "statements"), "")
        state = one["state"] + (since if one["state"] in ALARM_STATES.values() else "")
        table.add_row(
            one["name"] or "(no LRS yet)", state, *numbers, one["oldest_waiting"] or "", one["endpoint"] or ""
        )
    console = Console(emoji=False, width=200)
    console.print(table)
    for one in found:
        if one["diverged"]:
            console.print(
                escape(
                    f"{one['name']} has other statements under the ids of {one['diverged']} deliveries: this database"
                    " was restored from an older backup, or a copy of it sends there. After a restore:"
                    f" scorm-bridge deliveries reissue --target {one['name']}"
                ),
                soft_wrap=True,
            )
        if one["pause"] is not None and not one["pause"]["automatic"]:
            told = one["pause"]
            console.print(escape(f"{one['name']} is paused by {told['by']}, since {told['since']}: {told['reason']}"))
        for alarm in one["alarms"]:
            console.print(escape(f"{one['name']} {alarm['text']} {alarm['since']}: {alarm['reason']}"))


@targets.command("pause")
@click.argument("name")
@click.option("--reason", required=True, help="Why: others will want to know.")
@BY
@click.pass_obj
def pause_target(settings: Settings, name: str, reason: str, by: str) -> None:
    """Let target NAME get nothing until `resume`. Commits are taken all the same; statements and documents wait."""
    _known(settings, name)
    with database(settings) as engine, writing(engine) as connection:
        if not operations.pause_target(connection, name, AuditContext(by, reason, system_now())):
            raise click.ClickException(f"{name} is paused already; `scorm-bridge targets list` tells why.")
    click.echo(
        f"{name} is paused: running bridges follow within a second. What is on its way may still arrive.", err=True
    )


@targets.command("resume")
@click.argument("name")
@click.option("--reason", default="", help="Why, for those who ask later.")
@BY
@click.pass_obj
def resume_target(settings: Settings, name: str, reason: str, by: str) -> None:
    """End the pause of target NAME, and try at once what waits for it: running bridges follow within a second."""
    with database(settings) as engine, writing(engine) as connection:
        if not operations.resume_target(connection, name, AuditContext(by, reason, system_now())):
            raise click.ClickException(f"{name} is not paused, and nothing of it waits for another try.")
    click.echo(f"Resumed {name}.", err=True)


def _object(one: TargetStatus) -> dict[str, Any]:
    counts = {name: value for name, value in one._asdict().items() if isinstance(value, Count)}
    numbers = {name: count.number for name, count in counts.items()}
    return (
        one._asdict()
        | numbers
        | {
            # of which there are at least so many: they were not counted to their end
            "more": [name for name, count in counts.items() if count.more],
            "oldest_waiting": format_timestamp(one.oldest_waiting),
            "pause": None
            if one.pause is None
            else {
                "since": format_timestamp(one.pause.since),
                "by": one.pause.by,
                "reason": one.pause.reason,
                "automatic": one.pause.automatic,
            },
            "alarms": [
                {
                    "requests": alarm.request_kind,
                    "state": alarm.state,
                    "since": format_timestamp(alarm.since),
                    "seen_at": format_timestamp(alarm.seen_at),
                    "text": describe_alarm_since(alarm),
                    "reason": alarm.reason,
                }
                for alarm in one.alarms
            ],
        }
    )


def _known(settings: Settings, name: str) -> None:
    names = [one.name for one in settings.targets]
    if name not in names:
        raise click.BadParameter(f"no target has the name {name!r}; there are: {', '.join(names) or 'none'}")
