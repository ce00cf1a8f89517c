"""The execution of a batch: all commands that wait for the writer, in one transaction.

Sessions, attempts, journal rows, statements and deliveries of all its commits are written together or not at all. What
was computed ahead is only written where its enrollment still is what it was computed from.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from bridge.commit_model.responses import enrollment_summary, launch_values, launched_attempt, shown_version
from bridge.commit_model.state_codec import enrollment_state
from bridge.commits import summary_columns
from bridge.commits.commands import (
    BuildDocuments,
    CloseIdleSession,
    Command,
    CommandResult,
    OpenedSession,
    OpenSession,
    StoreCommit,
)
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.documents import BuiltDocument, documents_of
from bridge.commits.package_scos import session_of
from bridge.commits.session_cache import CachedAttempt, CachedSession
from bridge.commits.store_commit import (
    CommitRows,
    adopt_states,
    ends_others,
    schedule_documents,
    statement_rows,
    store_commit,
    with_course,
)
from bridge.commits.unit_of_work import UnitOfWork
from bridge.commits.write_queue import BatchResult, CommandBatch, Precomputed
from bridge.errors import BridgeError, SessionUnknown
from bridge.webhooks.events import commit_events, standing
from mappings.apply import end_idle_session
from mappings.attempt.commit import PriorCommit
from mappings.attempt.ordering import needs_duplicate_lookup
from mappings.cmi.render import render
from storage import attempts, course_completion, documents, journal, outbox, webhook_deliveries
from storage.attempts import Enrollment, course_of
from storage.change_set import ChangeSet
from storage.prepared import write
from storage.states import SessionSource


def execute_batch(connection: Connection, dependencies: CommitDependencies, batch: CommandBatch) -> BatchResult:
    """Execute the commands of a batch in their order, and set their results.

    An error of one leaves the others untouched.
    """
    remaining = batch.remaining()
    versions = attempts.lock(
        connection,
        [*batch.precomputed, *batch.handed_over],
        [session_id for command in remaining for session_id in _session_ids(command)],
    )
    outdated = {
        enrollment_id
        for enrollment_id, precomputed in batch.precomputed.items()
        if versions.get(enrollment_id) != precomputed.version
    }
    current = [
        enrollment
        for enrollment_id, enrollment in batch.handed_over.items()
        if versions.get(enrollment_id) == enrollment.row.version
    ]
    looked_up = len(batch.precomputed) + len(batch.handed_over)
    changed = len(outdated) + len(batch.handed_over) - len(current)
    batch.discard(outdated)
    unit = UnitOfWork(
        connection, dependencies.new_id, dependencies.now(), dependencies.identifier, dependencies.learner_digest
    )
    if outdated or remaining:
        unit.load(current, batch.remaining())
        overtaken = batch.precomputed.keys() & unit.enrollment_ids
        if overtaken:
            # what remains is about the same enrollments: it must come after what was before it, so nothing is ahead
            outdated |= overtaken
            batch.discard(overtaken)
            unit.load([], batch.remaining(), launching=False)
    executor = _BatchExecutor(connection, dependencies, unit, batch.precomputed)
    for queued in batch.commands:
        if queued.result is None:
            queued.result = executor.execute(queued.command)
    changes = unit.changes()
    for precomputed in batch.precomputed.values():
        changes.add(precomputed.changes)
        executor.rows.extend(precomputed.rows)
    _store(connection, dependencies, changes, executor)
    course_completion.outdate_siblings(connection, changes.new_activity_lists)
    return BatchResult(unit.open_enrollments(), outdated, looked_up, changed, executor.rows)


def _store(
    connection: Connection, dependencies: CommitDependencies, changes: ChangeSet, executor: _BatchExecutor
) -> None:
    rows = executor.rows
    statements = outbox.adding(connection, rows.statements, dependencies.mappings.statement_targets, rows.forms)
    webhooks = webhook_deliveries.adding(rows.webhooks)
    write(connection, [*changes.writes(), journal.appending(connection, rows.entries), *statements, webhooks])
    built = executor.documents
    documents.store(connection, [document.update for document in built.values()], lambda row: built[row.id].targets)


def _session_ids(command: Command) -> list[str]:
    """Return the ids of the sessions that a command may be about."""
    if command.session_id is None:
        return []
    if isinstance(command, StoreCommit) and command.scos:
        return [command.session_id, session_of(command.session_id, command.scos[0])]
    return [command.session_id]


class _BatchExecutor:
    """Executes commands one after another on what the unit of work has loaded, and gathers what is to be stored."""

    def __init__(
        self,
        connection: Connection,
        dependencies: CommitDependencies,
        unit: UnitOfWork,
        precomputed: Mapping[int, Precomputed],
    ) -> None:
        self._connection = connection
        self._dependencies = dependencies
        self._unit = unit
        self._precomputed = precomputed
        self.rows = CommitRows()
        self.documents: dict[str, BuiltDocument] = {}

    def execute(self, command: Command) -> CommandResult | BridgeError:
        """Return the result of a command, or the error of it alone."""
        try:
            if isinstance(command, StoreCommit):
                return self._store_commit(command)
            if isinstance(command, OpenSession):
                return self._open_session(command)
            if isinstance(command, CloseIdleSession):
                return self._close_idle_session(command)
            return self._build_documents(command)
        except BridgeError as error:
            return error

    def _store_commit(self, command: StoreCommit) -> bytes:
        session = self._session_for(command)
        if session.row.source == SessionSource.IMPORT and (command.launch is None or command.launch.past is None):
            # the learner is still there: what was imported goes on
            session.row.source = SessionSource.SERVER.value
        if ends_others(self._dependencies, session):
            for other in self._unit.overlapping_sessions(session):
                self._end(other, overlapped=True)
        received = command.received
        prior = self._unit.prior_commits(session, received) if needs_duplicate_lookup(session.state, received) else ()
        followed = _is_followed(session.attempt)
        if followed:
            self._unit.load_best_of_others(session.attempt)
        response = store_commit(
            self._dependencies,
            session,
            command,
            prior,
            lambda number: self._unit.first_response(session, number),
            self._completes_course,
            self.rows,
        )
        if followed:
            self._unit.share_best(session.attempt)
        number, first_response = session.row.commits, self.rows.entries[-1].response
        if first_response is not None:
            session.fresh.append(
                PriorCommit(number, received.digest, received.commit.sequence, received.idempotency_key)
            )
            session.responses[number] = first_response
        return response

    def _session_for(self, command: StoreCommit) -> CachedSession:
        """Return the session that a commit is of, opened where it is unknown.

        Raises:
            SessionUnknown: it is unknown, and the command has no launch to open it with.
        """
        session_id, launch = command.session_id, command.launch
        session: CachedSession | None = None
        if session_id is not None:
            session = self._unit.find_session(session_id, command.lms_id, launch)
            if session is not None and command.scos:
                session_id, launch = self._unit.route(session_id, command.scos[0])
                session = self._unit.find_session(session_id, None, launch)
        elif launch is not None:
            session = self._unit.current_session(launch) or self._unit.repeated_session(launch, command.received)
        if session is not None:
            return session
        if launch is None:
            raise SessionUnknown.named(str(command.session_id))
        return self._unit.open_session(launch, session_id, self._dependencies.resume)

    def _open_session(self, command: OpenSession) -> OpenedSession:
        launch = command.launch
        session = self._unit.find_session(command.session_id, launch.lms_id, launch) if command.session_id else None
        if session is None:
            session = self._unit.open_session(launch, command.session_id, self._dependencies.resume, launching=True)
        attempt = session.attempt
        version = launch.scorm_version or shown_version(attempt.row, attempt.state)
        return OpenedSession(
            session.row.session_id,
            launched_attempt(attempt.row, session.row.entry),
            enrollment_summary(attempt.row.enrollment),
            render(attempt.state.snapshot, version, launch_values(session.row, attempt.state, session.state)),
        )

    def _close_idle_session(self, command: CloseIdleSession) -> bool:
        session = self._unit.find_session(command.session_id, None, None)
        if session is None or session.row.ended is not None:
            return False
        if (session.row.last_commit_at or session.row.started_at) >= command.idle_since:
            return False
        self._end(session)
        return True

    def _end(self, session: CachedSession, *, overlapped: bool = False) -> None:
        """End a session as of its last commit."""
        row, attempt = session.row, session.attempt
        active = self._dependencies.active_mapping(attempt.row.enrollment.lms_id)
        enrollment = enrollment_state(attempt.row.enrollment)
        transition = end_idle_session(
            active.mapping,
            session.context(),
            attempt.state,
            session.state,
            overlapped=overlapped,
            enrollment=enrollment,
        )
        transition = with_course(active, session, transition, self._completes_course)
        adopt_states(session, transition, enrollment)
        subscriptions = self._dependencies.webhooks.of_lms(attempt.row.enrollment.lms_id)
        before = None if subscriptions is None else standing(attempt.row)
        if transition.statements:
            number = self._unit.last_number(session)
            self.rows.add_statements(active, session, statement_rows(active, session, transition, number))
        summary_columns.update_session(session, row.last_commit_at or row.started_at)
        attempt.row.changed = True
        if session.state.commits:
            summary_columns.update_attempt(attempt)
            schedule_documents(active, session, self._dependencies.now())
            if session.state.for_credit:
                summary_columns.update_statuses(attempt.row, transition.changes)
            if _is_followed(attempt):
                self._unit.load_best_of_others(attempt)
                self._unit.share_best(attempt)
            summary_columns.update_best(attempt)
            if subscriptions is not None and before is not None:
                self.rows.webhooks += commit_events(
                    subscriptions, before, attempt.row, transition.at, self._dependencies.new_id
                )

    def _completes_course(self, owner: Enrollment) -> bool:
        """Return whether all other activities of a learner's course are completed, and this is told for the first time.

        Those of this batch count as it leaves them.
        """
        statuses = {
            enrollment_id: precomputed.changes.completion_status(enrollment_id)
            for enrollment_id, precomputed in self._precomputed.items()
        }
        statuses |= self._unit.completion_statuses(owner)
        key = owner.lms_id, owner.learner_id, course_of(owner)
        ahead = (precomputed.changes.activity_list(key) for precomputed in self._precomputed.values())
        lists = [*filter(None, ahead), *self._unit.activity_lists(owner)]
        return course_completion.complete(self._connection, owner, statuses, lists, self._dependencies.now())

    def _build_documents(self, command: BuildDocuments) -> int:
        session = self._unit.find_session(command.session_id, None, None)
        due = None if session is None else session.attempt.row.documents_due
        if session is None or due is None or due > command.due:
            return 0
        attempt = session.attempt.row
        active = self._dependencies.active_mapping(attempt.enrollment.lms_id)
        built = documents_of(active, session, self._unit.begun_attempts(attempt.enrollment))
        for document in built:
            self.documents[document.update.row.id] = document.following(self.documents.get(document.update.row.id))
        attempt.documents_due = None
        attempt.changed = True
        return len(built)


def _is_followed(attempt: CachedAttempt) -> bool:
    """Return whether another attempt of the enrollment has followed this one."""
    return attempt.row.number < attempt.row.enrollment.latest_attempt
