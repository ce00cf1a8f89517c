"""Backfills that are run by the service: one for each target, counted first and then queued, a part at a time.

A row is the progress: a process that dies leaves it, and the next one goes on behind the last attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from storage.alarm_tables import backfill_run
from storage.states import BackfillState


class BackfillRun(NamedTuple):
    """A backfill of a target; times are milliseconds since the epoch.

    `attempts` are to be looked at, `looked_at` were; `statements` are those that the target lacks, or that were queued
    for it, `newest` is when the last of them was made, and `withheld` are those that it must not get.
    """

    target: str
    state: str
    attempts: int
    looked_at: int
    last_attempt: int
    statements: int
    withheld: int
    newest: int | None
    by: str
    changed_at: int


class BackfillProgress(NamedTuple):
    """What one part of a backfill came to."""

    looked_at: int
    last_attempt: int
    statements: int
    withheld: int
    newest: int | None


RUNNING = (BackfillState.COUNTING, BackfillState.QUEUEING)


def all_runs(connection: Connection) -> dict[str, BackfillRun]:
    """Return the backfills by their targets."""
    rows = connection.execute(select(*(backfill_run.c[name] for name in BackfillRun._fields)))
    return {row.target: BackfillRun._make(row) for row in rows}


def lock(connection: Connection, target: str) -> BackfillRun | None:
    """Return a target's backfill, and keep others from changing it until the end of the transaction."""
    row = connection.execute(
        select(*(backfill_run.c[name] for name in BackfillRun._fields))
        .where(backfill_run.c.target == target)
        .with_for_update()
    ).one_or_none()
    return None if row is None else BackfillRun._make(row)


def begin_count(connection: Connection, target: str, attempts: int, by: str, now: int) -> bool:
    """Start to count what a target lacks; return False where a backfill of it is running or paused."""
    run = lock(connection, target)
    if run is not None and run.state in {*RUNNING, BackfillState.PAUSED}:
        return False
    connection.execute(delete(backfill_run).where(backfill_run.c.target == target))
    run = BackfillRun(target, BackfillState.COUNTING.value, attempts, 0, 0, 0, 0, None, by, now)
    connection.execute(insert(backfill_run).values(run._asdict()))
    return True


def begin_queueing(connection: Connection, target: str, by: str, now: int) -> BackfillRun | None:
    """Start to queue what was counted; return what was counted, None where nothing was, or it has begun."""
    run = lock(connection, target)
    if run is None or run.state != BackfillState.COUNTED or not run.statements:
        return None
    values = {"state": BackfillState.QUEUEING, "looked_at": 0, "last_attempt": 0, "statements": 0, "withheld": 0}
    _change(connection, target, values | {"by": by, "changed_at": now})
    return run


def move(connection: Connection, target: str, before: BackfillState, after: BackfillState, by: str, now: int) -> bool:
    """Change the state of a backfill; return False where it was not in the one before."""
    run = lock(connection, target)
    if run is None or run.state != before:
        return False
    _change(connection, target, {"state": after, "by": by, "changed_at": now})
    return True


def advance(connection: Connection, run: BackfillRun, progress: BackfillProgress, now: int) -> None:
    """Note a part that was counted or queued; the row must be locked."""
    newest = max(filter(None, (run.newest, progress.newest)), default=None)
    values = {
        "looked_at": run.looked_at + progress.looked_at,
        "last_attempt": progress.last_attempt,
        "statements": run.statements + progress.statements,
        "withheld": run.withheld + progress.withheld,
        "newest": newest,
        "changed_at": now,
    }
    _change(connection, run.target, values)


def finish(connection: Connection, run: BackfillRun, now: int) -> None:
    """Note that all was counted, or queued; the row must be locked."""
    state = BackfillState.COUNTED if run.state == BackfillState.COUNTING else BackfillState.DONE
    _change(connection, run.target, {"state": state, "changed_at": now})


def running(connection: Connection, configured: Collection[str]) -> list[str]:
    """Return the targets whose backfills are running."""
    rows = connection.execute(
        select(backfill_run.c.target)
        .where(backfill_run.c.state.in_(RUNNING), backfill_run.c.target.in_(configured))
        .order_by(backfill_run.c.target)
    )
    return list(rows.scalars())


def _change(connection: Connection, target: str, values: Mapping[str, object]) -> None:
    connection.execute(update(backfill_run).where(backfill_run.c.target == target).values(values))
