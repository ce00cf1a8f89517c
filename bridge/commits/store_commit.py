"""What one commit does to its session, and what is to be stored and answered of it. No database is asked here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bridge.commit_model.active_mappings import ActiveMapping
from bridge.commit_model.responses import commit_response, repeated_response
from bridge.commit_model.state_codec import encode_state, enrollment_state
from bridge.commit_model.target_forms import target_statements
from bridge.commits import summary_columns
from bridge.commits.commands import StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.enrollment_details import update_details
from bridge.commits.session_cache import CachedSession
from bridge.errors import IdempotencyKeyReused
from bridge.formats.redaction import without_email
from bridge.webhooks.events import commit_events, standing
from mappings.apply import Transition, apply_commit, complete_course
from mappings.attempt.changes import Trigger
from mappings.attempt.commit import Disposition, PriorCommit, ReceivedCommit
from mappings.attempt.enrollment import EnrollmentState
from mappings.attempt.ordering import find_repeated
from mappings.attempt.precedence import is_superseded
from mappings.cmi.snapshot import CompletionStatus
from mappings.definition.model import Overlap
from storage.attempts import Enrollment
from storage.journal import JournalEntry
from storage.outbox import StatementRow
from storage.target_statements import TargetStatement
from storage.webhook_deliveries import NewWebhookDelivery

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CommitRows:
    """The rows that commits add to the journal and to the outboxes, in their order."""

    entries: list[JournalEntry] = field(default_factory=list)
    statements: list[StatementRow] = field(default_factory=list)
    forms: list[TargetStatement] = field(default_factory=list)
    webhooks: list[NewWebhookDelivery] = field(default_factory=list)

    def extend(self, other: CommitRows) -> None:
        """Add the rows of other commits behind these."""
        self.entries += other.entries
        self.statements += other.statements
        self.forms += other.forms
        self.webhooks += other.webhooks

    def add_statements(self, active: ActiveMapping, session: CachedSession, rows: Sequence[StatementRow]) -> None:
        """Add a session's statements, in the forms of targets as well."""
        self.statements += rows
        if active.forms and rows:
            self.forms += target_statements(active, session.context(), session.attempt.row.started_at, rows)


def store_commit(
    dependencies: CommitDependencies,
    session: CachedSession,
    command: StoreCommit,
    prior: Sequence[PriorCommit],
    first_response: Callable[[int], str | None],
    completes_course: Callable[[Enrollment], bool],
    rows: CommitRows,
) -> bytes:
    """Apply a commit to its session in place, add what is to be stored to `rows`, and return the response.

    `prior` are the session's commits that it may repeat; `first_response` gives the response that one of them got,
    None where it was removed as it had become old. `completes_course` tells, of an enrollment that is being completed,
    whether all other activities of the course are.

    Raises:
        IdempotencyKeyReused: the key is that of a prior commit with another body; nothing has changed then.
    """
    received, row = command.received, session.row
    before, owner = session.attempt.state, session.attempt.row.enrollment
    active = dependencies.active_mapping(owner.lms_id)
    repeated = find_repeated(session.state, received, prior) if prior else None
    if repeated is not None:
        _check_key(received, prior, repeated)
    elif command.launch is not None:
        # a repetition brings no news of the learner
        update_details(owner, command.launch, active.identifier)
    enrollment = enrollment_state(owner)
    transition = apply_commit(
        active.mapping,
        session.context(),
        before,
        session.state,
        received,
        prior_commits=prior,
        enrollment=enrollment,
    )
    row.commits += 1
    row.last_commit_at = received.received_at
    row.changed = True
    if transition.duplicate_of is not None:
        is_same = any(commit.number == transition.duplicate_of and commit.digest == received.digest for commit in prior)
        body = None if is_same else without_email(command.body)
        rows.entries.append(_entry(command, session, transition, None, body, active.id))
        first = first_response(transition.duplicate_of)
        if first is None:
            number, attempt = transition.duplicate_of, session.attempt
            first = commit_response(
                row.session_id, number, Disposition.DUPLICATE, attempt.row, attempt.state, (), ()
            ).decode()
        return repeated_response(first, transition.warnings)
    transition = with_course(active, session, transition, completes_course)
    adopt_states(session, transition, enrollment)
    subscriptions = dependencies.webhooks.of_lms(owner.lms_id)
    standing_before = None if subscriptions is None else standing(session.attempt.row)
    if transition.recorded:
        summary_columns.update(session, before, received.received_at, transition.changes)
        schedule_documents(active, session, received.received_at)
    else:
        summary_columns.update_session(session, received.received_at)
    if subscriptions is not None and standing_before is not None:
        rows.webhooks += commit_events(
            subscriptions, standing_before, session.attempt.row, transition.at, dependencies.new_id
        )
    response = commit_response(
        row.session_id,
        row.commits,
        transition.disposition,
        session.attempt.row,
        session.attempt.state,
        transition.statements,
        transition.warnings,
    )
    rows.add_statements(active, session, statement_rows(active, session, transition, row.commits))
    body = without_email(command.body)
    rows.entries.append(_entry(command, session, transition, response.decode(), body, active.id))
    return response


def _check_key(received: ReceivedCommit, prior: Sequence[PriorCommit], duplicate_of: int) -> None:
    key = received.idempotency_key
    first = next(commit for commit in prior if commit.number == duplicate_of)
    if key is not None and key == first.idempotency_key and received.digest != first.digest:
        raise IdempotencyKeyReused(
            f"The Idempotency-Key was that of commit {first.number}, which had another body. Nothing was stored; send"
            " each commit with a key of its own, and a repeated one with the same bytes."
        )


def adopt_states(session: CachedSession, transition: Transition, enrollment: EnrollmentState) -> None:
    """Set the states of session, attempt and enrollment to those after a transition; `enrollment` is the one before."""
    session.attempt.state, session.state = transition.attempt, transition.session
    if transition.enrollment is not enrollment:
        owner = session.attempt.row.enrollment
        owner.state = encode_state(transition.enrollment)
        owner.changed = True


_COMPLETED = CompletionStatus.COMPLETED


def with_course(
    active: ActiveMapping,
    session: CachedSession,
    transition: Transition,
    completes_course: Callable[[Enrollment], bool],
) -> Transition:
    """Return a session's transition, with the course completed where it completes the last listed activity of that.

    `completes_course` is as `store_commit`'s, and asked only where the activity is completed for the first time.
    """
    owner = session.attempt.row.enrollment
    if (
        owner.activity_list_digest is not None
        and owner.completion_status != _COMPLETED
        and transition.session.for_credit
        and any(change.trigger == Trigger.COMPLETION_COMPLETED for change in transition.changes)
        and completes_course(owner)
    ):
        return complete_course(active.mapping, session.context(), transition)
    return transition


def ends_others(dependencies: CommitDependencies, session: CachedSession) -> bool:
    """Return whether a session's next commit ends those of the learner's earlier ones that are still open."""
    if session.state.commits or session.row.ended is not None or is_superseded(session.attempt.state, session.state):
        return False
    return (
        dependencies.active_mapping(session.attempt.row.enrollment.lms_id).mapping.definition.overlap
        is Overlap.ABANDONED
    )


def statement_rows(
    active: ActiveMapping, session: CachedSession, transition: Transition, number: int
) -> list[StatementRow]:
    """Return the rows of a transition's statements, which are of the session's commit of this number."""
    for statement in transition.statements:
        if statement.problem is not None:
            log.error("statement_quarantined", statement=statement.id, rule=statement.rule)
    attempt_id, row = session.attempt.row.id, session.row
    return [
        StatementRow(
            attempt_id,
            statement.position,
            statement.id,
            row.session_id,
            number,
            active.id,
            statement.rule,
            statement.verb,
            transition.at,
            statement.problem,
            statement.body,
        )
        for statement in transition.statements
    ]


def schedule_documents(active: ActiveMapping, session: CachedSession, at: int) -> None:
    """Schedule the attempt's documents: at once where its session has ended, else after a while."""
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
    transition: Transition,
    response: str | None,
    body: bytes | None,
    mapping_version_id: int,
) -> JournalEntry:
    received, row = command.received, session.row
    return JournalEntry(
        row.session_id,
        row.commits,
        received.received_at,
        received.commit.wire_format,
        command.content_type,
        transition.disposition,
        transition.duplicate_of,
        received.digest,
        received.commit.sequence,
        received.idempotency_key,
        response,
        body,
        command.request_metadata,
        mapping_version_id,
    )
