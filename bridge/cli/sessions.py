"""`scorm-bridge sessions`: the sessions of attempts."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.database import open_connection
from bridge.cli.options import (
    AFTER,
    AS_JSON,
    LIMIT,
    FilterOptions,
    TimeType,
    UuidType,
    choice_of,
    filter_options,
    refuse_invalid_cursor,
)
from bridge.cli.output import print_end_of_page, print_items, print_table
from bridge.clock import format_timestamp
from bridge.settings import Settings
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from storage.queries import sessions as stored
from storage.queries.enrollment_filter import AttemptFilter
from storage.queries.keyset import ResultPage
from storage.queries.sessions import SessionRow
from storage.states import AttemptStatus

_FILTERS: FilterOptions = (
    ("lms", str, "Name of the LMS."),
    ("learner", str, "Id of the learner."),
    ("learner-prefix", str, "Beginning of the learner's id."),
    ("activity", str, "Id of the activity."),
    ("course", str, "Id of the course."),
    ("enrollment", UuidType(), "Registration of the enrollment."),
    ("status", choice_of(AttemptStatus), "Status of the attempt."),
    ("completion", choice_of(CompletionStatus), "Completion of the attempt."),
    ("success", choice_of(SuccessStatus), "Success of the attempt."),
    ("since", TimeType(), "The attempt's last commit was received at this time or later."),
    ("until", TimeType(), "The attempt's last commit was received before this time."),
)


@click.group()
def sessions() -> None:
    """Find sessions: launches of attempts."""


@sessions.command("list")
@filter_options(_FILTERS, AttemptFilter)
@click.option("--open", "only_open", is_flag=True, help="Only sessions that have not ended; excludes other filters.")
@LIMIT
@AFTER
@AS_JSON
@click.pass_obj
def list_sessions(
    settings: Settings, *, selection: AttemptFilter, only_open: bool, limit: int, after: str | None, as_json: bool
) -> None:
    """List sessions by their attempts' last commit, newest first; open sessions by their beginning."""
    if only_open and selection != AttemptFilter():
        raise click.UsageError("--open cannot be combined with other filters.")
    with open_connection(settings) as connection, refuse_invalid_cursor():
        page: ResultPage[SessionRow] = (
            stored.open_ones(connection, after=after, limit=limit)
            if only_open
            else stored.search(connection, selection, after=after, limit=limit)
        )
    if as_json:
        print_items([_as_object(row) for row in page.rows], page.after)
        return
    if page.rows:
        print_table(
            ("session", "learner", "activity", "LMS", "attempt", "entry", "commits", "began", "last commit", "ended",
             "source"),
            (
                (
                    row.session_id, row.learner_id, row.activity_id, row.lms, row.attempt_number, row.entry,
                    row.commits, format_timestamp(row.started_at), format_timestamp(row.last_commit_at),
                    row.ended or "open", row.source,
                )
                for row in page.rows
            ),
        )  # fmt: skip
    print_end_of_page("sessions", is_empty=not page.rows, following=page.after)


def _as_object(row: SessionRow) -> dict[str, Any]:
    times = ("started_at", "last_commit_at", "ended_at")
    return row._asdict() | {name: format_timestamp(getattr(row, name)) for name in times}
