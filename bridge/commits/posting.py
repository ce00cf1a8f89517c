"""What one commit does to its session, and what is to be stored and answered of it. No database is asked here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import structlog

from bridge.commits import columns
from bridge.commits.learner_details import update_details
from bridge.commits.open_sessions import OpenSession
from bridge.commits.replies import commit_reply, repeated_reply
from bridge.commits.setup import Setup, Version
from bridge.commits.work import Posting
from bridge.errors import IdempotencyKeyReused
from bridge.formats.redaction import without_email
from mappings.attempt.commit import Arrival, Earlier
from mappings.attempt.commit_update import Fold, fold
from mappings.attempt.enrollment import NEW_ENROLLMENT, EnrollmentState
from mappings.definition.statement_context import Facts, registration_in
from mappings.generation.statements import Statement, make
from storage.attempts import Attempt, Enrollment, course_of
from storage.journal import Entry
from storage.outbox import StatementRow

log = structlog.get_logger(__name__)

_encode = msgspec.json.Encoder().encode
_decode_enrollment = msgspec.json.Decoder(EnrollmentState).decode


class Posted(NamedTuple):
    """A commit's answer, its row in the journal, and its statements."""

    answer: bytes
    entry: Entry
    statements: list[StatementRow]


def post(
    setup: Setup,
    session: OpenSession,
    work: Posting,
    earlier: Sequence[Earlier],
    first_reply: Callable[[int], str],
) -> Posted:
    """Apply a commit to its session, in place.

    `earlier` are the session's commits that it may repeat; `first_reply` gives the answer that one of them got.

    Raises:
        IdempotencyKeyReused: the key is that of an earlier commit with another body; nothing has changed then.
    """
    arrival, row = work.arrival, session.row
    before = session.attempt.state
    version = setup.mapping(session.attempt.row.enrollment.lms_id)
    done = fold(
        before,
        session.state,
        arrival,
        earlier=earlier,
        policy=version.mapping.document.status,
    )
    if done.duplicate_of is not None:
        _check_key(arrival, earlier, done.duplicate_of)
    row.commits += 1
    row.last_commit_at = arrival.received_at
    row.changed = True
    if done.duplicate_of is not None:
        same = any(one.number == done.duplicate_of and one.digest == arrival.digest for one in earlier)
        entry = _entry(work, session, done, (None, None if same else without_email(work.body)), version.id)
        return Posted(repeated_reply(first_reply(done.duplicate_of), done.warnings), entry, [])
    if work.launch is not None:
        owner = session.attempt.row.enrollment
        update_details(owner, work.launch, version.mapping.document.actor.identifier)
    statements: Sequence[Statement] = ()
    if done.recorded:
        statements = tell(version, session, done)
        columns.update(session, before, arrival.received_at, done.changes)
        let_documents_follow(version, session, arrival.received_at)
    else:
        session.state = done.session
        columns.update_session(session, arrival.received_at)
    reply = commit_reply(
        row.session_id,
        row.commits,
        done.disposition,
        session.attempt.row,
        session.attempt.state,
        statements,
        done.warnings,
    )
    rows = statement_rows(version, session, statements, row.commits, done.at)
    return Posted(reply, _entry(work, session, done, (reply.decode(), without_email(work.body)), version.id), rows)


def _check_key(arrival: Arrival, earlier: Sequence[Earlier], duplicate_of: int) -> None:
    key = arrival.idempotency_key
    first = next(one for one in earlier if one.number == duplicate_of)
    if key is not None and key == first.idempotency_key and arrival.digest != first.digest:
        raise IdempotencyKeyReused(
            f"The Idempotency-Key was that of commit {first.number}, which had another body. Nothing was stored; send"
            " each commit with a key of its own, and a repeated one with the same bytes."
        )


def tell(version: Version, session: OpenSession, done: Fold) -> tuple[Statement, ...]:
    """Make the statements of what changed, and let the states of session, attempt and enrollment be those after it."""
    owner = session.attempt.row.enrollment
    before = enrollment_state(owner)
    made = make(version.mapping, facts(session), done.attempt, done.session, done.changes, done.at, enrollment=before)
    session.attempt.state, session.state = made.attempt, made.session
    if made.enrollment is not before:
        owner.state = _encode(made.enrollment).decode()
        owner.changed = True
    return made.statements


def ends_others(setup: Setup, session: OpenSession) -> bool:
    """Tell whether a session's next commit ends those of the learner's earlier ones that are still open."""
    if session.state.commits or session.row.ended is not None:
        return False
    return setup.mapping(session.attempt.row.enrollment.lms_id).mapping.document.overlap == "abandoned"


def enrollment_state(owner: Enrollment) -> EnrollmentState:
    """Return what is remembered of an enrollment over all its attempts."""
    return _decode_enrollment(owner.state) if owner.state else NEW_ENROLLMENT


def statement_rows(
    version: Version, session: OpenSession, statements: Sequence[Statement], number: int, created_at: int
) -> list[StatementRow]:
    """Give the rows of statements, made of a commit of the session at a time in milliseconds since the epoch."""
    for one in statements:
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
            created_at,
            one.problem,
            one.body,
        )
        for one in statements
    ]


def let_documents_follow(version: Version, session: OpenSession, at: int) -> None:
    """Note when the attempt's documents are due: at once where its session has ended, else after a while."""
    if not version.documents:
        return
    row = session.attempt.row
    if session.row.ended is not None:
        row.documents_due = at
    elif row.documents_due is None:
        row.documents_due = at + version.documents_rest


def facts(session: OpenSession) -> Facts:
    """Give who and what a session is about."""
    return facts_of(session.attempt.row, session.row.session_id, session.state.launch.registration)


def facts_of(row: Attempt, session_id: str, registration: str | None = None) -> Facts:
    """Return who and what a session of an attempt is about, and its registration where the LMS gave one."""
    owner = row.enrollment
    return Facts(
        lms=str(owner.lms_id),
        lms_name=owner.lms_name,
        home_page=owner.home_page,
        learner_id=owner.learner_id,
        learner_name=owner.learner_name,
        learner_attributes=owner.learner_attributes or "",
        learner_mbox=owner.learner_mbox or "",
        activity_id=owner.activity_id,
        activity_name=owner.activity_name,
        activity_description=owner.activity_description or "",
        activity_type=owner.activity_type,
        course_id=owner.course_id,
        course_name=owner.course_name,
        course_registration=registration or registration_in(str(owner.lms_id), owner.learner_id, course_of(owner)),
        course_description=owner.course_description or "",
        registration=registration or owner.registration,
        attempt_id=row.uuid,
        attempt_number=row.number,
        session_id=session_id,
        enrollment_completed=owner.completion_status == "completed",
        enrollment_passed=owner.success_status == "passed",
    )


def _entry(
    work: Posting, session: OpenSession, done: Fold, kept: tuple[str | None, bytes | None], version_id: int
) -> Entry:
    arrival, row = work.arrival, session.row
    return Entry(
        row.session_id,
        row.commits,
        arrival.received_at,
        arrival.commit.wire_format,
        work.content_type,
        done.disposition,
        done.duplicate_of,
        arrival.digest,
        arrival.commit.sequence,
        arrival.idempotency_key,
        *kept,
        work.beside,
        version_id,
    )
