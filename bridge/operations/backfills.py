"""Backfills that people run on the pages: counted, started, paused and resumed, with entries in the audit log."""

from __future__ import annotations

from sqlalchemy import Connection

from bridge.operations.audit_context import AuditAction, AuditContext, record
from storage import backfill_runs
from storage.states import BackfillState


def start_count(connection: Connection, target: str, attempts: int, context: AuditContext) -> bool:
    """Start to count what a target lacks of so many attempts; return False where a backfill of it is under way.

    Nothing changes for the target, so the audit log has no entry of it.
    """
    return backfill_runs.begin_count(connection, target, attempts, context.by, context.at)


def start_queueing(connection: Connection, target: str, context: AuditContext) -> bool:
    """Start to queue what was counted; return False where nothing was counted, or it has begun."""
    counted = backfill_runs.begin_queueing(connection, target, context.by, context.at)
    if counted is None:
        return False
    record(connection, context, AuditAction.BACKFILL, target, count=counted.statements, detail="started")
    return True


def pause_backfill(connection: Connection, target: str, context: AuditContext) -> bool:
    """Pause the backfill of a target; return False where none is being queued."""
    return _move(connection, target, BackfillState.QUEUEING, BackfillState.PAUSED, context)


def resume_backfill(connection: Connection, target: str, context: AuditContext) -> bool:
    """Resume the backfill of a target; return False where it is not paused."""
    return _move(connection, target, BackfillState.PAUSED, BackfillState.QUEUEING, context)


def _move(
    connection: Connection, target: str, before: BackfillState, after: BackfillState, context: AuditContext
) -> bool:
    if not backfill_runs.move(connection, target, before, after, context.by, context.at):
        return False
    detail = "paused" if after is BackfillState.PAUSED else "resumed"
    record(connection, context, AuditAction.BACKFILL, target, count=0, detail=detail)
    return True
