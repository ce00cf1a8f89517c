"""`scorm-bridge targets`: the status of each LRS, and pausing it."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.database import open_connection, open_database
from bridge.cli.options import AS_JSON, BY, OPTIONAL_REASON, REASON
from bridge.cli.output import open_console, print_items, print_table
from bridge.clock import format_timestamp, system_now
from bridge.operations import targets as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.target_status import ALARM_STATES, TargetStatus, describe_alarm_since, target_statuses
from bridge.settings import Settings
from storage.engine import writing
from storage.queries.keyset import Count
from storage.states import RequestKind

_COUNTS = ("waiting", "waiting_documents", "waiting_removals", "dead", "quarantined")


@click.group()
def targets() -> None:
    """Show, pause and resume targets: the LRSs that statements are sent to."""


@targets.command("list")
@AS_JSON
@click.pass_obj
def list_targets(settings: Settings, *, as_json: bool) -> None:
    """List the targets: what waits for each, what is dead, and whether it is paused or in trouble."""
    with open_connection(settings) as connection:
        objects = [_as_object(status) for status in target_statuses(connection, settings.targets)]
    if as_json:
        print_items(objects)
        return
    print_table(
        ("target", "state", "waiting", "documents", "removals", "dead", "quarantined", "oldest", "endpoint"),
        map(_as_row, objects),
    )
    console = open_console()
    for status in objects:
        for line in _describe_trouble(status):
            console.print(line, soft_wrap=True, highlight=False)


@targets.command("pause")
@click.argument("name")
@REASON
@BY
@click.pass_obj
def pause_target(settings: Settings, name: str, reason: str, by: str) -> None:
    """Pause target NAME until `resume`. Commits are accepted all the same; statements and documents wait."""
    names = [target.name for target in settings.targets]
    if name not in names:
        raise click.BadParameter(f"no target has the name {name!r}; there are: {', '.join(names) or 'none'}")
    with open_database(settings) as engine, writing(engine) as connection:
        if not operations.pause_target(connection, name, AuditContext(by, reason, system_now())):
            raise click.ClickException(f"{name} is already paused; `scorm-bridge targets list` shows the reason.")
    click.echo(
        f"Paused {name}: running bridges follow within a second. What is being sent now may still arrive.", err=True
    )


@targets.command("resume")
@click.argument("name")
@OPTIONAL_REASON
@BY
@click.pass_obj
def resume_target(settings: Settings, name: str, reason: str, by: str) -> None:
    """Resume target NAME, and send at once what waits for it: running bridges follow within a second."""
    with open_database(settings) as engine, writing(engine) as connection:
        if not operations.resume_target(connection, name, AuditContext(by, reason, system_now())):
            raise click.ClickException(f"{name} is not paused, and nothing of it waits to be sent again.")
    click.echo(f"Resumed {name}.", err=True)


def _as_row(status: dict[str, Any]) -> tuple[str, ...]:
    counts = (f"{'at least ' if name in status['more'] else ''}{status[name]}" for name in _COUNTS)
    of_statements = (alarm for alarm in status["alarms"] if alarm["requests"] == RequestKind.STATEMENTS)
    since = next((f" since {alarm['since']}" for alarm in of_statements), "")
    state = status["state"] + (since if status["state"] in ALARM_STATES.values() else "")
    return (
        status["name"] or "(no LRS yet)", state, *counts, status["oldest_waiting"] or "", status["endpoint"] or "",
    )  # fmt: skip


def _describe_trouble(status: dict[str, Any]) -> list[str]:
    name, pause = status["name"], status["pause"]
    lines = []
    if status["diverged"]:
        lines.append(
            f"{name} has other statements under the ids of {status['diverged']} deliveries: this database was restored"
            " from an older backup, or a copy of it sends there. After a restore:"
            f" scorm-bridge deliveries reissue --target {name}"
        )
    if pause is not None and not pause["automatic"]:
        lines.append(f"{name} is paused by {pause['by']}, since {pause['since']}: {pause['reason']}")
    lines += [f"{name} {alarm['text']} {alarm['since']}: {alarm['reason']}" for alarm in status["alarms"]]
    return lines


def _as_object(status: TargetStatus) -> dict[str, Any]:
    counts = {name: value for name, value in status._asdict().items() if isinstance(value, Count)}
    numbers = {name: count.number for name, count in counts.items()}
    return (
        status._asdict()
        | numbers
        | {
            # of which there are at least so many: they were not counted to their end
            "more": [name for name, count in counts.items() if count.is_lower_bound],
            "since": format_timestamp(status.since),
            "oldest_waiting": format_timestamp(status.oldest_waiting),
            "oldest_removal": format_timestamp(status.oldest_removal),
            "pause": None
            if status.pause is None
            else {
                "since": format_timestamp(status.pause.since),
                "by": status.pause.by,
                "reason": status.pause.reason,
                "automatic": status.pause.automatic,
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
                for alarm in status.alarms
            ],
        }
    )
