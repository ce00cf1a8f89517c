"""What one commit does to its session, and what is to be stored and answered of it. No database is asked here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

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
from mappings.apply import Transition, apply_commit
from mappings.attempt.commit import PriorCommit, ReceivedCommit
from mappings.attempt.enrollment import EnrollmentState
from mappings.attempt.ordering import find_repeated
from storage.journal import JournalEntry
from storage.outbox import StatementRow

log = structlog.get_logger(__name__)


class Posted(NamedTuple):
    """A commit's answer, its row in the journal, and its statements."""

    answer: bytes
    entry: JournalEntry
    statements: list[StatementRow]


def post(
    setup: CommitDependencies,
    session: CachedSession,
    work: StoreCommit,
    earlier: Sequence[PriorCommit],
    first_reply: Callable[[int], str],
) -> Posted:
    """Apply a commit to its session, in place.

    `earlier` are the session's commits that it may repeat; `first_reply` gives the answer that one of them got.

    Raises:
        IdempotencyKeyReused: the key is that of an earlier commit with another body; nothing has changed then.
    """
    arrival, row = work.arrival, session.row
    before, owner = session.attempt.state, session.attempt.row.enrollment
    version = setup.mapping(owner.lms_id)
    repeated = find_repeated(session.state, arrival, earlier) if earlier else None
    if repeated is not None:
        _check_key(arrival, earlier, repeated)
    elif work.launch is not None:
        # a repetition brings no news of the learner
        update_details(owner, work.launch, version.mapping.definition.actor.identifier)
    enrollment = enrollment_state(owner)
    transition = apply_commit(
        version.mapping,
        session.context(),
        before,
        session.state,
        arrival,
        prior_commits=earlier,
        enrollment=enrollment,
    )
    row.commits += 1
    row.last_commit_at = arrival.received_at
    row.changed = True
    if transition.duplicate_of is not None:
        same = any(one.number == transition.duplicate_of and one.digest == arrival.digest for one in earlier)
        entry = _entry(work, session, transition, (None, None if same else without_email(work.body)), version.id)
        return Posted(repeated_response(first_reply(transition.duplicate_of), transition.warnings), entry, [])
    adopt_states(session, transition, enrollment)
    if transition.recorded:
        summary_columns.update(session, before, arrival.received_at, transition.changes)
        schedule_documents(version, session, arrival.received_at)
    else:
        summary_columns.update_session(session, arrival.received_at)
    reply = commit_response(
        row.session_id,
        row.commits,
        transition.disposition,
        session.attempt.row,
        session.attempt.state,
        transition.statements,
        transition.warnings,
    )
    rows = statement_rows(version, session, transition, row.commits)
    return Posted(
        reply, _entry(work, session, transition, (reply.decode(), without_email(work.body)), version.id), rows
    )


def _check_key(arrival: ReceivedCommit, earlier: Sequence[PriorCommit], duplicate_of: int) -> None:
    key = arrival.idempotency_key
    first = next(one for one in earlier if one.number == duplicate_of)
    if key is not None and key == first.idempotency_key and arrival.digest != first.digest:
        raise IdempotencyKeyReused(
            f"The Idempotency-Key was that of commit {first.number}, which had another body. Nothing was stored; send"
            " each commit with a key of its own, and a repeated one with the same bytes."
        )


def adopt_states(session: CachedSession, transition: Transition, enrollment: EnrollmentState) -> None:
    """Let the states of session, attempt and enrollment be those after a transition; `enrollment` is the one before."""
    session.attempt.state, session.state = transition.attempt, transition.session
    if transition.enrollment is not enrollment:
        owner = session.attempt.row.enrollment
        owner.state = encode_state(transition.enrollment)
        owner.changed = True


def ends_others(setup: CommitDependencies, session: CachedSession) -> bool:
    """Tell whether a session's next commit ends those of the learner's earlier ones that are still open."""
    if session.state.commits or session.row.ended is not None:
        return False
    return setup.mapping(session.attempt.row.enrollment.lms_id).mapping.definition.overlap == "abandoned"


def statement_rows(
    version: ActiveMapping, session: CachedSession, transition: Transition, number: int
) -> list[StatementRow]:
    """Return the rows of a transition's statements, which are of the session's commit of this number."""
    for one in transition.statements:
        if one.problem is not None:
            log.error("statement_quarantined", statement=one.id, rule=one.rule)
    attempt_id, row = session.attempt.row.id, session.row
    return [
        StatementRow(
            attempt_id,
            one.position,
            one.id,
            row.session_id,
            number,
            version.id,
            one.rule,
            one.verb,
            transition.at,
            one.problem,
            one.body,
        )
        for one in transition.statements
    ]


def schedule_documents(version: ActiveMapping, session: CachedSession, at: int) -> None:
    """Note when the attempt's documents are due: at once where its session has ended, else after a while."""
    if not version.documents:
        return
    row = session.attempt.row
    if session.row.ended is not None:
        row.documents_due = at
    elif row.documents_due is None:
        row.documents_due = at + version.documents_rest


def _entry(
    work: StoreCommit,
    session: CachedSession,
    transition: Transition,
    kept: tuple[str | None, bytes | None],
    version_id: int,
) -> JournalEntry:
    arrival, row = work.arrival, session.row
    return JournalEntry(
        row.session_id,
        row.commits,
        arrival.received_at,
        arrival.commit.wire_format,
        work.content_type,
        transition.disposition,
        transition.duplicate_of,
        arrival.digest,
        arrival.commit.sequence,
        arrival.idempotency_key,
        *kept,
        work.beside,
        version_id,
    )
