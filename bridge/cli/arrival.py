"""Waiting for the first commit of an LMS, by looking at the database that running bridges store it in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import click
from sqlalchemy import Engine

from bridge.clock import Monotonic
from bridge.lms_pages.visit import printable
from storage.engine import reading
from storage.lms import Lms
from storage.queries.arrivals import (
    ArrivalMarker,
    ArrivedCommit,
    arrival_marker,
    first_commit,
    refusals_since,
    statements_of,
)
from storage.queries.refusals import RefusalRow

LOOK_INTERVAL = 0.5
"""Seconds between two looks at the database."""
MAX_SHOWN_REFUSALS = 20
"""Refused requests that are shown while nothing else comes."""
MAX_DETAIL_LENGTH = 500
"""Characters of what is said of one."""


@dataclass(slots=True)
class WaitResult:
    """What came while it was waited for.

    Attributes:
        commit: the first commit; None where none came.
        verbs: those of the statements that it made.
        refusals: requests of the LMS that were refused meanwhile.
    """

    commit: ArrivedCommit | None = None
    verbs: list[str] = field(default_factory=list)
    refusals: list[RefusalRow] = field(default_factory=list)


def wait_for_commit(
    engine: Engine,
    owner: Lms | None,
    timeout_seconds: float,
    *,
    monotonic: Monotonic = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> WaitResult:
    """Wait for the first commit of an LMS, or of any, and say on standard error what is refused meanwhile.

    Ctrl-C ends it as the timeout does: without a commit.
    """
    result, lms_id = WaitResult(), None if owner is None else owner.id
    lms_name = "an LMS" if owner is None else owner.name
    with reading(engine) as connection:
        since = latest = arrival_marker(connection)
    deadline = monotonic() + timeout_seconds
    try:
        click.echo(f"\nWaiting for the first commit of {lms_name}: play a course. Ctrl-C ends this.", err=True)
        while not _look(engine, since, lms_id, result):
            if monotonic() >= deadline:
                click.echo(_nothing_came(lms_name, timeout_seconds, result), err=True)
                break
            # one look behind: a commit may become visible after one that got its number later
            with reading(engine) as connection:
                since, latest = latest, arrival_marker(connection)
            pause(LOOK_INTERVAL)
    except KeyboardInterrupt:
        click.echo(f"\nStopped before a commit of {lms_name} came.", err=True)
    return result


def _look(engine: Engine, since: ArrivalMarker, lms_id: int | None, result: WaitResult) -> bool:
    """Add to a result what is new, and return whether a commit came."""
    with reading(engine) as connection:
        commit = first_commit(connection, since, lms_id)
        refusals = refusals_since(connection, since, lms_id)
        if commit is not None:
            result.commit, result.verbs = commit, statements_of(connection, commit)
    known = {refusal.id for refusal in result.refusals}
    for refusal in refusals:
        if refusal.id not in known and len(result.refusals) < MAX_SHOWN_REFUSALS:
            result.refusals.append(refusal)
            detail = printable(refusal.detail, MAX_DETAIL_LENGTH)
            click.echo(f"Refused, {refusal.status} {refusal.code}: {detail}", err=True)
    return commit is not None


def _nothing_came(lms_name: str, timeout_seconds: float, result: WaitResult) -> str:
    if result.refusals:
        return f"No commit of {lms_name} was stored within {timeout_seconds:g} s: what came was refused, see above."
    return (
        f"No commit of {lms_name} came within {timeout_seconds:g} s. Is the bridge running (`scorm-bridge doctor`), and"
        " can browsers reach it? Is the line in the page that plays the course (give it data-debug, and look at the"
        " browser's console)?"
    )
