"""Re-issuing: statements of the past told anew by another version, where people ask for it.

What the version tells otherwise is voided and told anew, what it does not tell is voided, what it tells besides is
added; all behind the attempt's other statements, in small transactions that leave room for commits. It can be broken
off and begun again: what is done already is found done.
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
from bridge.mapping_library.activation import LibraryError, compile_stored
from bridge.mapping_library.enrollment_history import enrollment_histories
from bridge.mapping_library.multi_replay import MultiReplay
from bridge.mapping_library.reloader import ready
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.settings import TargetSettings
from mappings.analysis.impact import Impact
from mappings.analysis.reissue import Kept, Step, plan, voiding
from mappings.definition import CompiledMapping
from mappings.generation.statements import Statement
from storage import attempts, journal_replay, leases, mapping_versions, outbox
from storage.attempts import Attempt, Session
from storage.change_set import ChangeSet
from storage.engine import Transact, reading, transactions
from storage.journal_replay import JournalSpan, StoredHistory, StoredStatement
from storage.outbox import StatementRow
from storage.prepared import write

BATCH_SIZE = 20
"""Enrollments in one transaction."""

LASTS = 60_000
"""Milliseconds after which a run that was killed counts as over; one that goes on says so with every transaction."""
_LEASE = "mappings/reissue"

Progress = Callable[[int, int], None]
"""Told how many enrollments are done, and of how many."""
_encode = msgspec.json.Encoder().encode


class UnderWayError(LibraryError):
    """Somebody re-issues at this moment, by a page or a command, in whichever process."""


def check_span(span: JournalSpan) -> None:
    """Make sure that people chose what is told anew.

    Raises:
        LibraryError: they chose everything there is, or nothing.
    """
    if span == JournalSpan():
        raise LibraryError("Choose which statements: an LMS, a learner, an activity or a time.")
    if span.until is not None and span.until <= span.since:
        raise LibraryError("The time that was chosen ends before it begins.")


class _Deed(NamedTuple):
    """A step that does something, and the commit it is about; what is voided goes to those who got it."""

    step: Step
    session_id: str
    number: int
    targets: tuple[str, ...]


class _Prepared(NamedTuple):
    """What is to be done to some enrollments, by their ids as they were then: counted, and by attempts' ids."""

    histories: dict[int, StoredHistory]
    work: list[tuple[int, Impact, dict[int, list[_Deed]]]]


class Reissue:
    """Re-issues the statements of a span's commits by a version that is stored.

    Raises:
        DocumentError: the version has faults.
        UnreadableError: this release cannot read a commit; what came before it is done.
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
            self._version = ready(version_id, self._mapping(connection, version_id), targets)
            self._hashes = [one.content_hash for one in mapping_versions.versions(connection)]

    def preview(self, progress: Progress) -> Impact:
        """Tell what would be done, and do nothing."""
        found = Impact()
        for ids in self._chunks(progress):
            with reading(self._engine) as connection:
                for _, part, _ in self._work_out(connection, ids):
                    found.add(part)
        return found

    def run(self, context: AuditContext, now: Now, progress: Progress) -> Impact:
        """Re-issue; each transaction is recorded in the audit log, with its own time and who and why of `context`.

        Raises:
            UnderWayError: another run is at work, and nothing more is done.
        """
        found, owner = Impact(), random_id()
        try:
            for ids in self._chunks(progress):
                self._keep_others_out(owner)
                # worked out beside commits, and stored only where none has changed an enrollment meanwhile
                with reading(self._engine) as connection:
                    prepared = self._prepare(connection, ids)

                def store(connection: Connection, ids: list[int] = ids, prepared: _Prepared = prepared) -> Impact:
                    versions = attempts.lock(connection, ids, [])
                    if versions != {one: history.enrollment.version for one, history in prepared.histories.items()}:
                        prepared = self._prepare(connection, ids)
                    part, number = self._store(connection, prepared, now())
                    if number:
                        subject = {"mapping_version": self._version.id, **self._span._asdict()}
                        text = msgspec.json.encode(subject).decode()
                        entry = dataclasses.replace(context, at=now())
                        record(connection, entry, AuditAction.REISSUE, text, count=number)
                    return part

                found.add(self._transact(store))
        finally:
            with suppress(DBAPIError):  # it runs out by itself
                self._transact(lambda connection: leases.give_back(connection, owner=owner))
        return found

    def _keep_others_out(self, owner: str) -> None:
        # two versions at once would each undo a part of the other; what is done twice by one is done once all the same
        shares = self._transact(
            lambda connection: leases.share_out(connection, owner=owner, names=[_LEASE], lasts=LASTS)
        )
        if _LEASE not in shares.held:
            raise UnderWayError("Somebody re-issues statements at this moment; the trail tells who. Try again later.")

    def _prepare(self, connection: Connection, ids: list[int]) -> _Prepared:
        its = {one.enrollment.id: one for one in journal_replay.histories(connection, ids)}
        return _Prepared(its, [*self._work_out(connection, ids)])

    def _store(self, connection: Connection, prepared: _Prepared, now: int) -> tuple[Impact, int]:
        found, changed, number = Impact(), ChangeSet(), 0
        added: list[tuple[StatementRow, tuple[str, ...]]] = []
        its = prepared.histories
        for enrollment_id, part, deeds in prepared.work:
            found.add(part)
            for attempt_id, own in deeds.items():
                number += len(own)
                added += self._append(its[enrollment_id], attempt_id, own, now, changed)
        receivers = {row.id: targets for row, targets in added}
        statements = outbox.adding([row for row, _ in added], lambda row: receivers[row.id])
        write(connection, [*changed.writes(), *statements])
        return found, number

    def _append(
        self, history: StoredHistory, attempt_id: int, deeds: Sequence[_Deed], now: int, changed: ChangeSet
    ) -> list[tuple[StatementRow, tuple[str, ...]]]:
        """Give the statements to add behind an attempt's others, with their targets, and note them in its state."""
        attempt = next(one for one in history.attempts if one.id == attempt_id)
        position = decode_attempt_state(attempt.state).statements
        found: list[tuple[StatementRow, tuple[str, ...]]] = []
        for step, session_id, number, targets in deeds:
            told: list[tuple[Statement, tuple[str, ...]]] = []
            if step.stored is not None and step.stored.problem is None:
                told.append((voiding(step.stored, now), targets))
            if step.made is not None:
                told.append((step.made, self._version.targets[step.made.rule]))
            for one, receivers in told:
                position += 1
                row = StatementRow(
                    attempt_id, position, one.id, session_id, number, self._version.id, one.rule, one.verb, now,
                    one.problem, one.body,
                )  # fmt: skip
                found.append((row, receivers))
        _remember(attempt, history.sessions, deeds, position)
        changed.attempt(attempt)
        for session in history.sessions:
            if session.changed:
                changed.session(session)
        changed.enrollment(history.enrollment)
        return found

    def _chunks(self, progress: Progress) -> Iterator[list[int]]:
        with reading(self._engine) as connection:
            total = journal_replay.count(connection, self._span)
        after, done = 0, 0
        while True:
            progress(min(done, total), total)
            with reading(self._engine) as connection:
                ids = journal_replay.enrollment_ids(connection, self._span, after=after, most=BATCH_SIZE)
            if not ids:
                return
            yield ids
            after, done = ids[-1], done + len(ids)

    def _work_out(self, connection: Connection, ids: list[int]) -> Iterator[tuple[int, Impact, dict[int, list[_Deed]]]]:
        """Give of each enrollment what is to be done, counted, and by the ids of its attempts' rows."""
        stored = journal_replay.statements(connection, ids)
        with closing(enrollment_histories(connection, ids)) as told:
            for story in told:
                its = stored[story.enrollment_id]
                versions = {self._version.id} | {one.mapping_version_id for one in its}
                mappings = {one: self._mapping(connection, one) for one in versions}
                retelling = MultiReplay(story, mappings, self._version.id, self._span)
                part = Impact(enrollments=1, commits=len(retelling.within))
                deeds = {
                    attempt_id: self._of_attempt(retelling, attempt_id, its, part)
                    for attempt_id in retelling.attempt_ids()
                }
                yield story.enrollment_id, part, {own: some for own, some in deeds.items() if some}

    def _of_attempt(
        self, retelling: MultiReplay, attempt_id: int, stored: Sequence[StoredStatement], part: Impact
    ) -> list[_Deed]:
        own = [one for one in stored if one.attempt_id == attempt_id]
        lines = {one.id: one for one in own if (one.session_id, one.commit_number) in retelling.within}
        made = {one.statement.id: one for one in retelling.made.get(attempt_id, [])}
        deeds: list[_Deed] = []
        for step in plan(
            [_kept(one) for one in lines.values()],
            [one.statement for one in made.values()],
            told=retelling.bodies,
            content_hash=self._version.mapping.definition.content_hash,
            hashes=self._hashes,
        ):
            line = None if step.stored is None else lines[step.stored.id]
            if step.of is not None:
                session_id, number = made[step.of.id][1:]
                rule = step.of.rule
            else:
                assert line is not None  # noqa: S101 -- what is not made was stored
                session_id, number, rule = line.session_id, line.commit_number, line.rule
            if step.kind == "same":
                part.count("same", rule)
                continue
            bodies = (None if line is None else line.body, None if step.made is None else step.made.body)
            part.differs(step.kind, rule, (session_id, number), *bodies)
            deeds.append(_Deed(step, session_id, number, () if line is None else line.targets))
        return deeds

    def _mapping(self, connection: Connection, version_id: int) -> CompiledMapping:
        if version_id not in self._mappings:
            self._mappings[version_id] = compile_stored(connection, version_id)
        return self._mappings[version_id]


def _kept(one: StoredStatement) -> Kept:
    return Kept(one.id, one.position, one.rule, one.mapping_version_id, one.problem, one.body)


def _remember(attempt: Attempt, sessions: Sequence[Session], deeds: Sequence[_Deed], position: int) -> None:
    """Let states know of what was added, so that a rule that speaks once does not speak again."""
    state = decode_attempt_state(attempt.state)
    fired, by_id = dict(state.firing_counts), {one.session_id: one for one in sessions}
    for step, session_id, _, _ in deeds:
        if step.kind != "added" or step.of is None:
            continue
        name, _, occurrence = step.of.key.rpartition("\n")
        its_session, phase, number = occurrence.partition("/")
        if its_session in {"attempt", session_id}:
            fired[name] = fired.get(name, 0) + 1
        if its_session == session_id:
            row = by_id[session_id]
            own = decode_session_state(row.state)
            row.state = _encode(replace(own, fired_rules=(*own.fired_rules, name + phase + number))).decode()
            row.changed = True
    attempt.state = _encode(replace(state, firing_counts=fired, statements=position)).decode()
