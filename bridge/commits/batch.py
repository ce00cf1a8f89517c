"""One batch: whatever has queued for the writer, in one transaction.

Sessions, attempts, journal rows, statements and deliveries of all its commits are written together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from bridge.clock import NewId, Now
from bridge.commits import columns
from bridge.commits.open_sessions import OpenEnrollment, OpenSession, Remembered
from bridge.commits.replies import (
    attempt_object,
    commit_reply,
    enrollment_object,
    repeated_reply,
    shown_version,
)
from bridge.commits.work import Answer, Closed, Closing, Opened, Opening, Outcome, Posting, Work
from bridge.commits.workspace import Workspace
from bridge.errors import BridgeError, SessionUnknown
from mappings import xapi_documents
from mappings.attempt.commit import Earlier
from mappings.attempt.ending import end_idle
from mappings.attempt.fold import Fold, fold
from mappings.attempt.guards import may_repeat
from mappings.attempt.state import AttemptState
from mappings.cmi.render import render
from mappings.document import CompiledMapping
from mappings.document.facts import Facts
from mappings.statements import Statement, make
from storage import documents, journal, outbox
from storage.documents import DocumentRow, Stored
from storage.journal import Entry
from storage.outbox import StatementRow

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Setup:
    """What every batch works with.

    `targets` are the names of the LRSs that each rule's statements go to, by its name, `documents` those that get each
    document, by its name.
    """

    mapping: CompiledMapping
    mapping_version_id: int
    targets: Mapping[str, tuple[str, ...]]
    documents: Mapping[str, tuple[str, ...]]
    now: Now
    new_id: NewId


class Done(NamedTuple):
    """What came of each work, and what to remember once the transaction is committed."""

    outcomes: list[Outcome | BridgeError]
    left_open: list[OpenEnrollment]


def run(connection: Connection, setup: Setup, remembered: Remembered, works: Sequence[Work]) -> Done:
    """Do all works in order. An error of one leaves the others untouched."""
    return _Batch(connection, setup, remembered).run(works)


class _Batch:
    def __init__(self, connection: Connection, setup: Setup, remembered: Remembered) -> None:
        self._connection = connection
        self._setup = setup
        self._workspace = Workspace(connection, remembered, setup.new_id, setup.now())
        self._entries: list[Entry] = []
        self._statements: list[StatementRow] = []
        self._documents: dict[str, Stored] = {}

    def run(self, works: Sequence[Work]) -> Done:
        self._workspace.load([(work.session_id, work.launch) for work in works])
        outcomes: list[Outcome | BridgeError] = []
        for work in works:
            try:
                outcomes.append(self._do(work))
            except BridgeError as error:
                outcomes.append(error)
        self._workspace.save()
        journal.append(self._connection, self._entries)
        outbox.add(self._connection, self._statements, self._setup.targets)
        documents.store(self._connection, list(self._documents.values()), self._setup.documents)
        return Done(outcomes, self._workspace.left_open())

    def _do(self, work: Work) -> Outcome:
        if isinstance(work, Posting):
            return self._post(work)
        return self._open(work) if isinstance(work, Opening) else self._close(work)

    def _close(self, work: Closing) -> Closed:
        session = self._workspace.find(work.session_id, None, None)
        if session is None or session.row.ended is not None:
            return Closed(ended=False)
        row = session.row
        if (row.last_commit_at or row.started_at) >= work.idle_since:
            return Closed(ended=False)
        before = session.attempt.state
        done = end_idle(before, session.state, self._setup.mapping.document.idle)
        facts = _facts(session)
        self._make(session, facts, done)
        row.ended, row.ended_at = session.state.ended, row.last_commit_at or row.started_at
        row.changed = True
        session.attempt.row.status = session.attempt.state.ended or "active"
        session.attempt.row.changed = True
        if row.commits:
            self._document(session, facts, before, whole=True)
        columns.update_best(session.attempt.row.enrollment, done.changes)
        return Closed(ended=True)

    def _open(self, work: Opening) -> Opened:
        launch = work.launch
        session = self._workspace.find(work.session_id, launch.lms_id, launch) if work.session_id else None
        if session is None:
            session = self._workspace.start(launch, work.session_id, launching=True)
        attempt = session.attempt
        version = launch.scorm_version or shown_version(attempt.row, attempt.state)
        owner = attempt.row.enrollment
        return Opened(
            session.row.session_id,
            session.row.entry,
            attempt_object(attempt.row),
            enrollment_object(owner),
            render(
                attempt.state.snapshot,
                version,
                learner_id=owner.learner_id,
                learner_name=owner.learner_name,
                entry=session.row.entry,
                total_time=attempt.state.total_time,
            ),
        )

    def _post(self, work: Posting) -> Answer:
        session = self._session(work)
        arrival = work.arrival
        earlier = self._workspace.earlier(session, arrival) if may_repeat(session.state, arrival) else ()
        before = session.attempt.state
        done = fold(
            before,
            session.state,
            arrival,
            earlier=earlier,
            completes_when_failed=self._setup.mapping.document.failed_completes,
        )
        row = session.row
        row.commits += 1
        row.last_commit_at = arrival.received_at
        row.changed = True
        if done.disposition == "duplicate":
            first = self._workspace.first_reply(session, done.duplicate_of or 0)
            self._journal(work, session, done, None)
            return Answer(repeated_reply(first))
        facts = _facts(session)
        statements = self._make(session, facts, done)
        begins, was_open = row.commits == 1, row.ended is None
        columns.update(session, before.total_time, arrival.received_at, done.changes)
        self._document(session, facts, before, whole=begins or (was_open and row.ended is not None))
        reply = commit_reply(
            row.session_id,
            row.commits,
            done.disposition,
            session.attempt.row,
            session.attempt.state,
            statements,
            done.warnings,
        )
        self._journal(work, session, done, reply.decode())
        return Answer(reply)

    def _session(self, work: Posting) -> OpenSession:
        if work.session_id is not None:
            found = self._workspace.find(work.session_id, work.lms_id, work.launch)
        elif work.launch is not None:
            found = self._workspace.current(work.launch) or self._workspace.repeated(work.launch, work.arrival)
        else:
            found = None
        if found is not None:
            return found
        if work.launch is None:
            raise SessionUnknown.named(str(work.session_id))
        return self._workspace.start(work.launch, work.session_id)

    def _make(self, session: OpenSession, facts: Facts, done: Fold) -> tuple[Statement, ...]:
        attempt, setup = session.attempt, self._setup
        made = make(setup.mapping, facts, done.attempt, done.session, done.changes, done.at)
        attempt.state, session.state = made.attempt, made.session
        for one in made.statements:
            if one.problem is not None:
                log.error("statement_quarantined", statement=one.id, rule=one.rule)
        self._statements += [
            StatementRow(
                attempt.row.id,
                one.position,
                one.id,
                session.row.session_id,
                session.row.commits,
                setup.mapping_version_id,
                one.rule,
                one.verb,
                done.at,
                one.problem,
                one.body,
            )
            for one in made.statements
        ]
        return made.statements

    def _document(self, session: OpenSession, facts: Facts, before: AttemptState, *, whole: bool) -> None:
        """Note the documents that may have changed: all of them where a session begins or ends."""
        setup, attempt, row = self._setup, session.attempt, session.row
        if not setup.documents:
            return
        for one in xapi_documents.documents(
            setup.mapping,
            facts,
            before,
            attempt.state,
            names=setup.documents,
            whole=whole,
            attempts=self._workspace.begun(attempt.row.enrollment) if whole else (),
        ):
            earlier = self._documents.get(one.place.id)
            at_once = row.ended is not None or (earlier is not None and earlier.every == 0)
            self._documents[one.place.id] = Stored(
                DocumentRow(
                    one.place.id,
                    one.name,
                    one.place.resource,
                    one.place.parameters,
                    one.content_type,
                    one.content,
                    attempt.row.id,
                    row.session_id,
                    row.commits,
                    setup.mapping_version_id,
                    row.last_commit_at or row.started_at,
                ),
                0 if at_once else one.every * 1000,
            )

    def _journal(self, work: Posting, session: OpenSession, done: Fold, reply: str | None) -> None:
        arrival, row = work.arrival, session.row
        repeats = done.duplicate_of is not None and any(
            one.number == done.duplicate_of and one.digest == arrival.digest
            for one in self._workspace.earlier(session, arrival)
        )
        self._entries.append(
            Entry(
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
                reply,
                None if repeats else work.body,
            )
        )
        if reply is not None:
            session.fresh.append(Earlier(row.commits, arrival.digest, arrival.commit.sequence, arrival.idempotency_key))
            session.replies[row.commits] = reply


def _facts(session: OpenSession) -> Facts:
    row = session.attempt.row
    owner = row.enrollment
    return Facts(
        lms=str(owner.lms_id),
        lms_name=owner.lms_name,
        home_page=owner.home_page,
        learner_id=owner.learner_id,
        learner_name=owner.learner_name,
        activity_id=owner.activity_id,
        activity_name=owner.activity_name,
        activity_type=owner.activity_type,
        course_id=owner.course_id,
        course_name=owner.course_name,
        registration=owner.registration,
        attempt_id=row.uuid,
        attempt_number=row.number,
        session_id=session.row.session_id,
        enrollment_completed=owner.completion_status == "completed",
        enrollment_passed=owner.success_status == "passed",
    )
