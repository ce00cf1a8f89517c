"""Pausing and resuming targets."""

from __future__ import annotations

from sqlalchemy import Connection

from bridge.operations.audit_context import AuditAction, AuditContext, record
from storage import documents, outbox, pauses, removals, target_alarms
from storage.pauses import Pause


def pause_target(connection: Connection, name: str, context: AuditContext) -> bool:
    """Pause a target until it is resumed; return False where somebody has paused it already."""
    if not pauses.begin(connection, Pause(name, context.at, context.by, context.reason, automatic=False)):
        return False
    record(connection, context, AuditAction.PAUSE, name)
    return True


def resume_target(connection: Connection, name: str, context: AuditContext) -> bool:
    """End a target's pause and its alarms, and let what waits for it be sent at once.

    Return False where it is neither paused nor in trouble.
    """
    was_paused, alarms = pauses.end(connection, name), target_alarms.end_all(connection, [name])
    hurried = outbox.hurry(connection, name) + documents.hurry(connection, name, context.at)
    hurried += removals.hurry(connection, name)
    if not (was_paused or alarms or hurried):
        return False
    record(connection, context, AuditAction.RESUME, name)
    return True
