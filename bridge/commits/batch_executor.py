"""One batch: what has gathered for the writer, in one transaction.

Sessions, attempts, journal rows, statements and deliveries of all its commits are written together or not at all. What
was worked out ahead is only written where its enrollment still is what it was worked out from.
"""

from __future__ import annotations

from sqlalchemy import Connection

from bridge.commit_model.responses import enrollment_summary, launch_values, launched_attempt, shown_version
from bridge.commit_model.state_codec import enrollment_state
from bridge.commits import summary_columns
from bridge.commits.commands import (
    Answer,
    BuildDocuments,
    Closed,
    CloseIdleSession,
    Command,
    Made,
    OpenedSession,
    OpenSession,
    Outcome,
    StoreCommit,
)
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.documents import documents_of
from bridge.commits.package_scos import session_of
from bridge.commits.session_cache import CachedAttempt, CachedSession
from bridge.commits.store_commit import adopt_states, ends_others, post, schedule_documents, statement_rows
from bridge.commits.unit_of_work import UnitOfWork
from bridge.commits.write_queue import BatchResult, CommandBatch
from bridge.errors import BridgeError, SessionUnknown
from mappings.apply import end_idle_session
from mappings.attempt.commit import PriorCommit
from mappings.attempt.ordering import needs_duplicate_lookup
from mappings.cmi.render import render
from storage import attempts, documents, journal, outbox
from storage.change_set import ChangeSet
from storage.documents import DocumentUpdate
from storage.journal import JournalEntry
from storage.outbox import StatementRow
from storage.prepared import write


def run(connection: Connection, setup: CommitDependencies, batch: CommandBatch) -> BatchResult:
    """Do all works of a batch in their order. An error of one leaves the others untouched."""
    left = batch.left()
    versions = attempts.lock(
        connection,
        [*batch.ahead, *batch.taken],
        [session_id for work in left for session_id in _sessions(work)],
    )
    outdated = {found for found, one in batch.ahead.items() if versions.get(found) != one.version}
    believed = [one for found, one in batch.taken.items() if versions.get(found) == one.row.version]
    looked_up = len(batch.ahead) + len(batch.taken)
    changed = len(outdated) + len(batch.taken) - len(believed)
    workspace = UnitOfWork(connection, setup.new_id, setup.now(), setup.identifier)
    if outdated or left:
        workspace.load(believed, batch.left(outdated))
        met = batch.ahead.keys() & workspace.enrollment_ids
        if met - outdated:
            # what is left is about the same enrollments: it must come after what was before it, so nothing is ahead
            outdated |= met
            workspace.load([], batch.left(outdated), launching=False)
    worker = _Worker(connection, setup, workspace)
    outcomes = batch.answers(outdated)
    for place, work in enumerate(batch.works):
        if outcomes[place] is None:
            outcomes[place] = worker.do(work)
    to_store = workspace.changed()
    for found, one in batch.ahead.items():
        if found not in outdated:
            to_store.add(one.changed)
            worker.entries += one.entries
            worker.statements += one.statements
    _store(connection, setup, to_store, worker)
    return BatchResult(
        [one for one in outcomes if one is not None], workspace.left_open(), outdated, looked_up, changed
    )


def _sessions(work: Command) -> list[str]:
    """Return the ids of the sessions that a work may be about."""
    if work.session_id is None:
        return []
    if isinstance(work, StoreCommit) and work.scos:
        return [work.session_id, session_of(work.session_id, work.scos[0])]
    return [work.session_id]


def _store(connection: Connection, setup: CommitDependencies, to_store: ChangeSet, worker: _Worker) -> None:
    statements = outbox.adding(worker.statements, setup.versions.targets)
    write(connection, [*to_store.writes(), journal.appending(worker.entries), *statements])
    documents.store(connection, list(worker.documents.values()), setup.versions.readers)


class _Worker:
    """Does works one after another on what the workspace has loaded, and gathers what is to be stored."""

    def __init__(self, connection: Connection, setup: CommitDependencies, workspace: UnitOfWork) -> None:
        self._connection = connection
        self._setup = setup
        self._workspace = workspace
        self.entries: list[JournalEntry] = []
        self.statements: list[StatementRow] = []
        self.documents: dict[str, DocumentUpdate] = {}

    def do(self, work: Command) -> Outcome | BridgeError:
        try:
            if isinstance(work, StoreCommit):
                return self._post(work)
            if isinstance(work, OpenSession):
                return self._open(work)
            return self._close(work) if isinstance(work, CloseIdleSession) else self._make_documents(work)
        except BridgeError as error:
            return error

    def _post(self, work: StoreCommit) -> Answer:
        session = self._session(work)
        if ends_others(self._setup, session):
            for other in self._workspace.overlapping(session):
                self._end(other, overlapped=True)
        arrival = work.arrival
        earlier = self._workspace.earlier(session, arrival) if needs_duplicate_lookup(session.state, arrival) else ()
        is_earlier = _is_earlier(session.attempt)
        if is_earlier:
            self._workspace.compare_best(session.attempt)
        done = post(self._setup, session, work, earlier, lambda number: self._workspace.first_reply(session, number))
        self.entries.append(done.entry)
        self.statements += done.statements
        if is_earlier:
            self._workspace.share_best(session.attempt)
        number, reply = session.row.commits, done.entry.response
        if reply is not None:
            session.fresh.append(PriorCommit(number, arrival.digest, arrival.commit.sequence, arrival.idempotency_key))
            session.replies[number] = reply
        return Answer(done.answer)

    def _session(self, work: StoreCommit) -> CachedSession:
        session_id, launch = work.session_id, work.launch
        if session_id is not None:
            found = self._workspace.find(session_id, work.lms_id, launch)
            if found is not None and work.scos:
                session_id, launch = self._workspace.routed(session_id, work.scos[0])
                found = self._workspace.find(session_id, None, launch)
        elif work.launch is not None:
            found = self._workspace.current(work.launch) or self._workspace.repeated(work.launch, work.arrival)
        else:
            found = None
        if found is not None:
            return found
        if launch is None:
            raise SessionUnknown.named(str(work.session_id))
        return self._workspace.start(launch, session_id, self._setup.resume)

    def _open(self, work: OpenSession) -> OpenedSession:
        launch = work.launch
        session = self._workspace.find(work.session_id, launch.lms_id, launch) if work.session_id else None
        if session is None:
            session = self._workspace.start(launch, work.session_id, self._setup.resume, launching=True)
        attempt = session.attempt
        version = launch.scorm_version or shown_version(attempt.row, attempt.state)
        owner = attempt.row.enrollment
        return OpenedSession(
            session.row.session_id,
            launched_attempt(attempt.row, session.row.entry),
            enrollment_summary(owner),
            render(attempt.state.snapshot, version, launch_values(session.row, attempt.state, session.state)),
        )

    def _close(self, work: CloseIdleSession) -> Closed:
        session = self._workspace.find(work.session_id, None, None)
        if session is None or session.row.ended is not None:
            return Closed(ended=False)
        if (session.row.last_commit_at or session.row.started_at) >= work.idle_since:
            return Closed(ended=False)
        self._end(session)
        return Closed(ended=True)

    def _end(self, session: CachedSession, *, overlapped: bool = False) -> None:
        """End a session as of its last commit."""
        row, attempt = session.row, session.attempt
        version = self._setup.mapping(attempt.row.enrollment.lms_id)
        enrollment = enrollment_state(attempt.row.enrollment)
        transition = end_idle_session(
            version.mapping,
            session.context(),
            attempt.state,
            session.state,
            overlapped=overlapped,
            enrollment=enrollment,
        )
        adopt_states(session, transition, enrollment)
        if transition.statements:
            number = self._workspace.last_number(session)
            self.statements += statement_rows(version, session, transition, number)
        summary_columns.update_session(session, row.last_commit_at or row.started_at)
        attempt.row.changed = True
        if session.state.commits:
            summary_columns.update_attempt(attempt)
            schedule_documents(version, session, self._setup.now())
            if session.state.for_credit:
                summary_columns.update_statuses(attempt.row, transition.changes)
            if _is_earlier(attempt):
                self._workspace.compare_best(attempt)
                self._workspace.share_best(attempt)
            summary_columns.update_best(attempt)

    def _make_documents(self, work: BuildDocuments) -> Made:
        session = self._workspace.find(work.session_id, None, None)
        due = None if session is None else session.attempt.row.documents_due
        if session is None or due is None or due > work.due:
            return Made(0)
        attempt = session.attempt.row
        version = self._setup.mapping(attempt.enrollment.lms_id)
        made = documents_of(version, session, self._workspace.begun(attempt.enrollment))
        for one in made:
            earlier = self.documents.get(one.row.id)
            at_once = earlier is not None and earlier.min_interval_ms == 0
            self.documents[one.row.id] = one._replace(min_interval_ms=0) if at_once else one
        attempt.documents_due = None
        attempt.changed = True
        return Made(len(made))


def _is_earlier(attempt: CachedAttempt) -> bool:
    """Tell whether another attempt of the enrollment has followed this one."""
    return attempt.row.number < attempt.row.enrollment.latest_attempt
