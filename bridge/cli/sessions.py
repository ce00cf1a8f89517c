"""`scorm-bridge sessions`: which sessions there are, and whose."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from bridge.cli.database import looking
from bridge.cli.options import Time, Uuid
from bridge.cli.output import AS_JSON, as_json, table
from bridge.clock import format_timestamp
from bridge.settings import Settings
from storage.audit import sessions as stored
from storage.audit.pages import Page
from storage.audit.sessions import SessionRow
from storage.audit.whose import COMPLETIONS, STATUSES, SUCCESSES, Filter

_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("lms", str, "Name of the LMS."),
    ("learner", str, "Id of the learner."),
    ("learner-prefix", str, "How the learner's id begins."),
    ("activity", str, "Id of the activity."),
    ("course", str, "Id of the course."),
    ("enrollment", Uuid(), "Registration of the enrollment."),
    ("status", click.Choice(STATUSES), "Status of the attempt."),
    ("completion", click.Choice(COMPLETIONS), "Completion of the attempt."),
    ("success", click.Choice(SUCCESSES), "Success of the attempt."),
    ("since", Time(), "The attempt's last commit came at this time or later."),
    ("until", Time(), "The attempt's last commit came before this time."),
)


def _chosen(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        names = [name.replace("-", "_") for name, _, _ in _OPTIONS]
        command(*arguments, which=Filter(**{name: options.pop(name) for name in names}), **options)

    for name, kind, words in reversed(_OPTIONS):
        wrapped = click.option(f"--{name}", type=kind, help=words)(wrapped)
    return wrapped


@click.group()
def sessions() -> None:
    """Launches of attempts."""


@sessions.command("list")
@_chosen
@click.option("--open", "only_open", is_flag=True, help="Those that have not ended, and no other choice.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--after", help="The next page, as the one before it told.")
@AS_JSON
@click.pass_obj
def list_sessions(
    settings: Settings, *, which: Filter, only_open: bool, limit: int, after: str | None, as_json_: bool
) -> None:
    """List sessions, those first whose attempt had the newest commit; open ones, those that began last."""
    if only_open and which != Filter():
        raise click.UsageError("--open lists all that are open; leave out the other choices.")
    with looking(settings) as connection:
        try:
            page: Page[SessionRow] = (
                stored.open_ones(connection, after=after, most=limit)
                if only_open
                else stored.search(connection, which, after=after, most=limit)
            )
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--after") from None
    if as_json_:
        as_json({"sessions": [_object(one) for one in page.rows], "after": page.after})
        return
    if page.rows:
        table(
            ("session", "learner", "activity", "LMS", "attempt", "entry", "commits", "began", "last commit", "ended"),
            (
                (
                    one.session_id, one.learner_id, one.activity_id, one.lms, one.attempt_number, one.entry,
                    one.commits, format_timestamp(one.started_at), format_timestamp(one.last_commit_at),
                    one.ended or "open",
                )
                for one in page.rows
            ),
        )  # fmt: skip
    elif page.after is None:
        click.echo("No session meets all of that.", err=True)
    if page.after is not None:
        click.echo(f"There may be more: --after {page.after}", err=True)


def _object(one: SessionRow) -> dict[str, Any]:
    times = ("started_at", "last_commit_at", "ended_at")
    return one._asdict() | {name: format_timestamp(getattr(one, name)) for name in times}
