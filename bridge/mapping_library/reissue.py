"""Re-issues the statements of stored commits by another mapping version, where people ask for it.

Statements that the version makes differently are voided and made again, those that it does not make are voided, and
further ones are added; all behind the attempt's other statements, in small transactions that leave room for commits. A
run can be interrupted and repeated: what is done already is recognized.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now, random_id
from bridge.commit_model.state_codec import decode_attempt_state, decode_session_state
from bridge.commit_model.target_forms import context_of, target_statements
from bridge.mapping_library.activation import LibraryError, compile_stored
from bridge.mapping_library.enrollment_history import RemovedCommitError, enrollment_histories
from bridge.mapping_library.multi_replay import MultiReplay
from bridge.mapping_library.reloader import build_active_mapping
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.settings import TargetSettings
from mappings.analysis.impact import Impact
from mappings.analysis.reissue import RULE, ReissueStep, StoredStatement, plan_reissue, voiding
from mappings.definition import CompiledMapping
from mappings.definition.diff import DifferenceKind
from mappings.generation.statements import Statement
from storage import attempts, journal_replay, leases, mapping_versions, outbox
from storage.attempts import Attempt, Session
from storage.change_set import ChangeSet
from storage.engine import Transact, reading, transactions
from storage.journal_replay import JournalSpan, StatementRecord, StoredHistory
from storage.outbox import StatementRow
from storage.prepared import write
from storage.target_statements import TargetStatement
from storage.target_statements import load as load_forms

BATCH_SIZE = 20
"""Enrollments in one transaction."""

LEASE_TTL = 60_000
"""Milliseconds after which a run that was killed counts as over; every transaction renews the lease."""
_LEASE = "mappings/reissue"

Progress = Callable[[int, int], None]
"""Called with the number of enrollments that are done, and of all."""
_encode = msgspec.json.Encoder().encode


class ReissueInProgressError(LibraryError):
    """Another run is in progress, by a page or a command, in whichever process."""


def validate_span(span: JournalSpan) -> None:
    """Validate the span of commits whose statements are re-issued.

    Raises:
        LibraryError: it selects everything there is, or nothing.
    """
    if span == JournalSpan():
        raise LibraryError("Select statements first: by LMS, learner, activity or time.")
    if span.until is not None and span.until <= span.since:
        raise LibraryError("The selected time ends before it begins.")


class _ReissueStep(NamedTuple):
    """A change, and the commit it belongs to; voiding statements are sent to those who received the voided one."""

    step: ReissueStep
    session_id: str
    number: int
    targets: tuple[str, ...]


class _Plan(NamedTuple):
    """The changes of some enrollments, as they were then: counted, and by attempts' ids."""

    histories: dict[int, StoredHistory]
    changes: list[tuple[int, Impact, dict[int, list[_ReissueStep]]]]


class Reissue:
    """A re-issue of the statements of a span's commits by a stored version.

    Raises:
        DefinitionError: the version has faults.
        UnreadableCommitError: this release cannot decode a commit; what came before it is done.
    """

    def __init__(
        self,
        engine: Engine,
        version_id: int,
        span: JournalSpan,
        targets: Sequence[TargetSettings],
        transact: Transact | None = None,
    ) -> None:
        """`transact` runs the transactions, where commits are stored by the same process."""
        self._engine = engine
        self._transact = transact or transactions(engine)
        self._span = span
        self._mappings: dict[int, CompiledMapping] = {}
        with reading(engine) as connection:
            self._version = build_active_mapping(version_id, self._mapping(connection, version_id), targets)
            self._hashes = [version.content_hash for version in mapping_versions.versions(connection)]

    def preview(self, progress: Progress) -> Impact:
        """Return what would be changed, and change nothing."""
        result = Impact()
        for ids in self._chunks(progress):
            with reading(self._engine) as connection:
                for _, part, _ in self._plan_changes(connection, ids):
                    result.add(part)
        return result

    def run(self, context: AuditContext, now: Now, progress: Progress) -> Impact:
        """Re-issue; each transaction is recorded in the audit log, with its own time and who and why of `context`.

        Raises:
            ReissueInProgressError: another run is at work, and nothing more is done.
        """
        result, owner = Impact(), random_id()
        try:
            for ids in self._chunks(progress):
                self._acquire_lease(owner)
                # planned beside commits, and planned again where one has changed an enrollment meanwhile
                with reading(self._engine) as connection:
                    plan_reissue = self._plan(connection, ids)

                def store(connection: Connection, ids: list[int] = ids, plan_reissue: _Plan = plan_reissue) -> Impact:
                    versions = attempts.lock(connection, ids, [])
                    if versions != {
                        enrollment_id: history.enrollment.version
                        for enrollment_id, history in plan_reissue.histories.items()
                    }:
                        plan_reissue = self._plan(connection, ids)
                    part, number = self._store(connection, plan_reissue, now())
                    if number:
                        subject = {"mapping_version": self._version.id, **self._span._asdict()}
                        text = msgspec.json.encode(subject).decode()
                        entry = dataclasses.replace(context, at=now())
                        record(connection, entry, AuditAction.REISSUE, text, count=number)
                    return part

                result.add(self._transact(store))
        finally:
            with suppress(DBAPIError):  # it expires by itself
                self._transact(lambda connection: leases.give_back(connection, owner=owner))
        return result

    def _acquire_lease(self, owner: str) -> None:
        # two versions at once would each undo a part of the other; one version twice would do no harm
        shares = self._transact(
            lambda connection: leases.share_out(connection, owner=owner, names=[_LEASE], lasts=LEASE_TTL)
        )
        if _LEASE not in shares.held:
            raise ReissueInProgressError("Another re-issue is running; the audit log shows whose. Try again later.")

    def _plan(self, connection: Connection, ids: list[int]) -> _Plan:
        by_id = {history.enrollment.id: history for history in journal_replay.histories(connection, ids)}
        return _Plan(by_id, [*self._plan_changes(connection, ids)])

    def _store(self, connection: Connection, plan_reissue: _Plan, now: int) -> tuple[Impact, int]:
        result, changed, number = Impact(), ChangeSet(), 0
        added: list[tuple[StatementRow, tuple[str, ...]]] = []
        forms: list[TargetStatement] = []
        for enrollment_id, part, steps in plan_reissue.changes:
            result.add(part)
            for attempt_id, attempt_steps in steps.items():
                number += len(attempt_steps)
                history = plan_reissue.histories[enrollment_id]
                rows = self._append(history, attempt_id, attempt_steps, now, changed)
                added += rows
                forms += self._forms(history, [row for row, _ in rows])
                forms += _voiding_forms(connection, attempt_id, attempt_steps, [row for row, _ in rows], now)
        receivers = {row.id: targets for row, targets in added}
        statements = outbox.adding(connection, [row for row, _ in added], lambda row: receivers[row.id], forms)
        write(connection, [*changed.writes(), *statements])
        return result, number

    def _append(
        self, history: StoredHistory, attempt_id: int, steps: Sequence[_ReissueStep], now: int, changed: ChangeSet
    ) -> list[tuple[StatementRow, tuple[str, ...]]]:
        """Return the statements to add behind an attempt's others, with their targets, and update its state."""
        attempt = next(row for row in history.attempts if row.id == attempt_id)
        position = decode_attempt_state(attempt.state).statements
        rows: list[tuple[StatementRow, tuple[str, ...]]] = []
        for step, session_id, number, targets in steps:
            added: list[tuple[Statement, tuple[str, ...]]] = []
            if step.stored is not None and step.stored.problem is None:
                added.append((voiding(step.stored, now), targets))
            if step.replacement is not None:
                added.append((step.replacement, self._version.targets[step.replacement.rule]))
            for statement, receivers in added:
                position += 1
                row = StatementRow(
                    attempt_id, position, statement.id, session_id, number, self._version.id, statement.rule,
                    statement.verb, now, statement.problem, statement.body,
                )  # fmt: skip
                rows.append((row, receivers))
        _update_states(attempt, history.sessions, steps, position)
        changed.attempt(attempt)
        for session in history.sessions:
            if session.changed:
                changed.session(session)
        changed.enrollment(history.enrollment)
        return rows

    def _forms(self, history: StoredHistory, rows: Sequence[StatementRow]) -> Iterator[TargetStatement]:
        """Yield the statements that the version makes of an attempt in the forms of targets."""
        if not self._version.forms:
            return
        sessions = {session.session_id: session for session in history.sessions}
        for row in rows:
            if row.rule != RULE:
                session = sessions[row.session_id]
                yield from target_statements(self._version, context_of(session), session.attempt.started_at, [row])

    def _chunks(self, progress: Progress) -> Iterator[list[int]]:
        with reading(self._engine) as connection:
            total = journal_replay.count(connection, self._span)
        after, done = 0, 0
        while True:
            progress(min(done, total), total)
            with reading(self._engine) as connection:
                ids = journal_replay.enrollment_ids(connection, self._span, after=after, limit=BATCH_SIZE)
            if not ids:
                return
            yield ids
            after, done = ids[-1], done + len(ids)

    def _plan_changes(
        self, connection: Connection, ids: list[int]
    ) -> Iterator[tuple[int, Impact, dict[int, list[_ReissueStep]]]]:
        """Yield the changes of each enrollment, counted, and by the ids of its attempts' rows."""
        stored = journal_replay.statements(connection, ids)
        with closing(enrollment_histories(connection, ids)) as enrollments:
            for enrollment in enrollments:
                lines = stored[enrollment.enrollment_id]
                versions = {self._version.id} | {line.mapping_version_id for line in lines}
                mappings = {version_id: self._mapping(connection, version_id) for version_id in versions}
                try:
                    replay = MultiReplay(enrollment, mappings, self._version.id, self._span)
                except RemovedCommitError:
                    # what came of its commits can be told no more: it stays as it is
                    yield enrollment.enrollment_id, Impact(skipped=1), {}
                    continue
                part = Impact(enrollments=1, commits=len(replay.commits))
                steps = {
                    attempt_id: self._plan_attempt(replay, attempt_id, lines, part)
                    for attempt_id in replay.attempt_ids()
                }
                yield (
                    enrollment.enrollment_id,
                    part,
                    {attempt_id: attempt_steps for attempt_id, attempt_steps in steps.items() if attempt_steps},
                )

    def _plan_attempt(
        self, replay: MultiReplay, attempt_id: int, stored: Sequence[StatementRecord], part: Impact
    ) -> list[_ReissueStep]:
        lines = {
            line.id: line
            for line in stored
            if line.attempt_id == attempt_id and (line.session_id, line.commit_number) in replay.commits
        }
        generated = {replayed.statement.id: replayed for replayed in replay.statements.get(attempt_id, [])}
        steps: list[_ReissueStep] = []
        for step in plan_reissue(
            [_stored_statement(line) for line in lines.values()],
            [replayed.statement for replayed in generated.values()],
            current_bodies=replay.bodies,
            content_hash=self._version.mapping.definition.content_hash,
            hashes=self._hashes,
        ):
            line = None if step.stored is None else lines[step.stored.id]
            if step.of is not None:
                session_id, number = generated[step.of.id][1:]
                rule = step.of.rule
            else:
                assert line is not None  # noqa: S101 -- what is not made was stored
                session_id, number, rule = line.session_id, line.commit_number, line.rule
            if step.kind is DifferenceKind.SAME:
                part.count(DifferenceKind.SAME, rule)
                continue
            bodies = (None if line is None else line.body, None if step.replacement is None else step.replacement.body)
            part.differs(step.kind, rule, (session_id, number), *bodies)
            steps.append(_ReissueStep(step, session_id, number, () if line is None else line.targets))
        return steps

    def _mapping(self, connection: Connection, version_id: int) -> CompiledMapping:
        if version_id not in self._mappings:
            self._mappings[version_id] = compile_stored(connection, version_id)
        return self._mappings[version_id]


def _stored_statement(line: StatementRecord) -> StoredStatement:
    return StoredStatement(line.id, line.position, line.rule, line.mapping_version_id, line.problem, line.body)


def _voiding_forms(
    connection: Connection, attempt_id: int, steps: Sequence[_ReissueStep], rows: Sequence[StatementRow], now: int
) -> Iterator[TargetStatement]:
    """Yield what voids statements for targets that got these in a form of their own: with that one's actor."""
    voided = [step.step.stored for step in steps if step.step.stored is not None]
    forms = load_forms(connection, [(attempt_id, stored.position) for stored in voided]) if voided else {}
    if not forms:
        return
    by_id = {row.id: row for row in rows}
    for stored in voided:
        for form in forms.get((attempt_id, stored.position), ()):
            statement = voiding(replace(stored, body=form.body), now)
            row = by_id.get(statement.id)
            if row is not None:
                yield TargetStatement(attempt_id, row.position, form.target, form.form, statement.body)


def _update_states(attempt: Attempt, sessions: Sequence[Session], steps: Sequence[_ReissueStep], position: int) -> None:
    """Update the states with what was added, so that a rule that fires once does not fire again."""
    state = decode_attempt_state(attempt.state)
    fired, by_id = dict(state.firing_counts), {session.session_id: session for session in sessions}
    for step, session_id, _, _ in steps:
        if step.kind is not DifferenceKind.ADDED or step.of is None:
            continue
        name, _, occurrence = step.of.key.rpartition("\n")
        its_session, phase, number = occurrence.partition("/")
        if its_session in {"attempt", session_id}:
            fired[name] = fired.get(name, 0) + 1
        if its_session == session_id:
            row = by_id[session_id]
            session_state = decode_session_state(row.state)
            row.state = _encode(
                replace(session_state, fired_rules=(*session_state.fired_rules, name + phase + number))
            ).decode()
            row.changed = True
    attempt.state = _encode(replace(state, firing_counts=fired, statements=position)).decode()
