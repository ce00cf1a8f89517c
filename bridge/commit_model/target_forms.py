"""Statements in the forms of targets, as rows: commits, re-issues and adoptions make them alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.commit_model.active_mappings import ActiveMapping
from bridge.commit_model.state_codec import decode_session_state
from bridge.commit_model.statement_context import statement_context
from mappings.definition.statement_context import StatementContext
from storage.attempts import Session
from storage.outbox import StatementRow
from storage.target_statements import TargetStatement


def target_statements(
    active: ActiveMapping, context: StatementContext, started_at: int, rows: Sequence[StatementRow]
) -> Iterator[TargetStatement]:
    """Yield an attempt's statements as those targets get them that have a form of their own.

    `started_at` is when the attempt began, in milliseconds since the epoch. A statement with a problem is never sent.
    """
    for mapping_form, targets in active.forms:
        form = mapping_form.of_attempt(context, started_at)
        for row in rows:
            receivers = targets.intersection(active.targets[row.rule]) if row.problem is None else ()
            if receivers:
                body = form.statement(row.body)
                for target in sorted(receivers):
                    yield TargetStatement(row.attempt_id, row.position, target, form.description, body)


def context_of(session: Session) -> StatementContext:
    """Return who and what a stored session's statements are about."""
    registration = decode_session_state(session.state).launch.registration
    return statement_context(session.attempt, session.session_id, registration)
