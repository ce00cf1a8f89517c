"""What one commit does to its session, and what is to be stored and answered of it. No database is asked here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bridge.commit_model.active_mappings import ActiveMapping
from bridge.commit_model.responses import commit_response, repeated_response
from bridge.commit_model.state_codec import encode_state, enrollment_state
from bridge.commits import summary_columns
from bridge.commits.commands import StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.enrollment_details import update_details
from bridge.commits.session_cache import CachedSession
from bridge.errors import IdempotencyKeyReused
from bridge.formats.redaction import without_email
from mappings.attempt.commit import Arrival, Earlier
from mappings.attempt.commit_update import Fold, fold
from mappings.generation.statements import Statement, make
from storage.journal import Entry
from storage.outbox import StatementRow

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CommitRows:
    """The rows that commits add to the journal and to the outbox, in their order."""

    entries: list[Entry] = field(default_factory=list)
    statements: list[StatementRow] = field(default_factory=list)

    def extend(self, other: CommitRows) -> None:
        """Add the rows of other commits behind these."""
        self.entries += other.entries
        self.statements += other.statements


def store_commit(
    dependencies: CommitDependencies,
    session: CachedSession,
    command: StoreCommit,
    prior: Sequence[Earlier],
    first_response: Callable[[int], str],
    rows: CommitRows,
) -> bytes:
    """Apply a commit to its session in place, add what is to be stored to `rows`, and return the response.

    `prior` are the session's commits that it may repeat; `first_response` gives the response that one of them got.

    Raises:
        IdempotencyKeyReused: the key is that of a prior commit with another body; nothing has changed then.
    """
    received, row = command.received, session.row
    before = session.attempt.state
    active = dependencies.active_mapping(session.attempt.row.enrollment.lms_id)
    done = fold(
        before,
        session.state,
        received,
        earlier=prior,
        policy=active.mapping.definition.status,
    )
    if done.duplicate_of is not None:
        _check_key(received, prior, done.duplicate_of)
    row.commits += 1
    row.last_commit_at = received.received_at
    row.changed = True
    if done.duplicate_of is not None:
        is_same = any(one.number == done.duplicate_of and one.digest == received.digest for one in prior)
        body = None if is_same else without_email(command.body)
        rows.entries.append(_entry(command, session, done, None, body, active.id))
        return repeated_response(first_response(done.duplicate_of), done.warnings)
    if command.launch is not None:
        owner = session.attempt.row.enrollment
        update_details(owner, command.launch, active.mapping.definition.actor.identifier)
    statements: Sequence[Statement] = ()
    if done.recorded:
        statements = generate_statements(active, session, done)
        summary_columns.update(session, before, received.received_at, done.changes)
        schedule_documents(active, session, received.received_at)
    else:
        session.state = done.session
        summary_columns.update_session(session, received.received_at)
    response = commit_response(
        row.session_id,
        row.commits,
        done.disposition,
        session.attempt.row,
        session.attempt.state,
        statements,
        done.warnings,
    )
    rows.statements += statement_rows(active, session, statements, row.commits, done.at)
    rows.entries.append(_entry(command, session, done, response.decode(), without_email(command.body), active.id))
    return response


def _check_key(received: Arrival, prior: Sequence[Earlier], duplicate_of: int) -> None:
    key = received.idempotency_key
    first = next(one for one in prior if one.number == duplicate_of)
    if key is not None and key == first.idempotency_key and received.digest != first.digest:
        raise IdempotencyKeyReused(
            f"The Idempotency-Key was that of commit {first.number}, which had another body. Nothing was stored; send"
            " each commit with a key of its own, and a repeated one with the same bytes."
        )


def generate_statements(active: ActiveMapping, session: CachedSession, done: Fold) -> tuple[Statement, ...]:
    """Return the statements of what changed, and set the states of session, attempt and enrollment to those after."""
    owner = session.attempt.row.enrollment
    before = enrollment_state(owner)
    made = make(active.mapping, session.context(), done.attempt, done.session, done.changes, done.at, enrollment=before)
    session.attempt.state, session.state = made.attempt, made.session
    if made.enrollment is not before:
        owner.state = encode_state(made.enrollment)
        owner.changed = True
    return made.statements


def ends_others(dependencies: CommitDependencies, session: CachedSession) -> bool:
    """Return whether a session's next commit ends those of the learner's earlier ones that are still open."""
    if session.state.commits or session.row.ended is not None:
        return False
    return dependencies.active_mapping(session.attempt.row.enrollment.lms_id).mapping.definition.overlap == "abandoned"


def statement_rows(
    active: ActiveMapping, session: CachedSession, statements: Sequence[Statement], number: int, made_at: int
) -> list[StatementRow]:
    """Return the rows of statements, made of a commit of the session at a time in milliseconds since the epoch."""
    for statement in statements:
        if statement.problem is not None:
            log.error("statement_quarantined", statement=statement.id, rule=statement.rule)
    attempt_id, row = session.attempt.row.id, session.row
    return [
        StatementRow(
            attempt_id,
            one.position,
            one.id,
            row.session_id,
            number,
            active.id,
            one.rule,
            one.verb,
            made_at,
            one.problem,
            one.body,
        )
        for one in statements
    ]


def schedule_documents(active: ActiveMapping, session: CachedSession, at: int) -> None:
    """Note when the attempt's documents are due: at once where its session has ended, else after a while."""
    if not active.documents:
        return
    row = session.attempt.row
    if session.row.ended is not None:
        row.documents_due = at
    elif row.documents_due is None:
        row.documents_due = at + active.documents_delay


def _entry(
    command: StoreCommit,
    session: CachedSession,
    done: Fold,
    response: str | None,
    body: bytes | None,
    mapping_version_id: int,
) -> Entry:
    received, row = command.received, session.row
    return Entry(
        row.session_id,
        row.commits,
        received.received_at,
        received.commit.wire_format,
        command.content_type,
        done.disposition,
        done.duplicate_of,
        received.digest,
        received.commit.sequence,
        received.idempotency_key,
        response,
        body,
        command.request_metadata,
        mapping_version_id,
    )
