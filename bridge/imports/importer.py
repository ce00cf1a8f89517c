"""Imports attempts in small transactions, each through the code that stores live commits, and counts what came of it.

Nothing is imported twice: what is stored already is known by its session's id and its digest. So an import that was
stopped, or killed at any moment, goes on when it is begun again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from bridge.commits.batch_executor import execute_batch
from bridge.commits.commands import BuildDocuments, Command, StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.service import MAX_CONFLICTS, is_conflict
from bridge.commits.write_queue import BatchResult, CommandBatch, QueuedCommand
from bridge.errors import BridgeError
from bridge.imports.history import PastAttempt, SessionCommands, SkippedRows, Source, attempt_id_of, session_commands
from storage.engine import reading, writing
from storage.imported import AttemptKey, stored_attempts, stored_sessions

BATCH_COMMITS = 64
"""Commits of a transaction at most, more only where a single enrollment has more."""
MAX_TRANSACTION = 256
"""Commands of a transaction where a single enrollment has more."""
MAX_EXAMPLES = 3
"""Statements that are shown of a dry run."""


@dataclass
class ImportReport:
    """What came of an import, or would come of it.

    Attributes:
        rows: of the source that were read.
        attempts: that were imported, at least some of their commits.
        commits: that were stored.
        present: commits that were stored before.
        statements: how many were made, by verb.
        skipped: rows that were not imported, by reason.
        refused: commits that were not stored, as live ones would have been refused, by reason.
        warnings: of values that could not be used, by code.
        examples: the first statements, as JSON.
    """

    rows: int = 0
    attempts: int = 0
    commits: int = 0
    present: int = 0
    statements: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class ImportOutcome(StrEnum):
    """What became of an attempt."""

    IMPORTED = "imported"
    """All of its commits are stored by now."""
    PARTIAL = "partial"
    """Some of its commits were refused."""
    REFUSED = "refused"
    """All of its commits that were not stored before were refused."""
    PRESENT = "present"
    """It was imported before."""
    SKIPPED = "skipped"
    """It cannot be imported."""


class ImportLine(NamedTuple):
    """What became of an attempt: how many of its commits were stored and how many refused, and why."""

    key: str
    outcome: ImportOutcome
    commits: int = 0
    refused: int = 0
    reason: str = ""


class _NewCommits(NamedTuple):
    """The commits of an attempt that are to be stored."""

    attempt: PastAttempt
    commands: list[StoreCommit]


class Importer:
    """Imports a source's attempts for an LMS.

    Args:
        engine: the database.
        dependencies: what commits are applied with; the targets of its mappings are those that the import goes to.
        transaction_seconds: how long a transaction may take, about: live commits wait for it. None for no limit.
        dry_run: nothing is stored.
    """

    def __init__(
        self,
        engine: Engine,
        dependencies: CommitDependencies,
        *,
        transaction_seconds: float | None = None,
        dry_run: bool = False,
    ) -> None:
        self._engine = engine
        self._dependencies = dependencies
        self._is_dry = dry_run
        self._transaction_seconds = transaction_seconds
        self._seconds = 0.0
        self._batch_commits = BATCH_COMMITS if transaction_seconds is None else 1
        self.report = ImportReport()

    def run(
        self,
        source: Source,
        lms_id: int,
        *,
        on_lines: Callable[[Sequence[ImportLine], int], None],
        pause: Callable[[float], None],
    ) -> None:
        """Import everything.

        `on_lines` is told what became of attempts, and of how many rows; `pause` is told after each transaction how
        many seconds it took, and may wait.

        Raises:
            SourceError: the source cannot be read.
            sqlalchemy.exc.DBAPIError: the database does not answer; what was stored stays.
        """
        for batch in _batches(source.read(lms_id), lambda: self._batch_commits):
            lines = [self._skip(entry) for entry in batch if isinstance(entry, SkippedRows)]
            attempts = [entry for entry in batch if isinstance(entry, PastAttempt)]
            self._seconds = 0.0
            lines += self._import(source.name, attempts)
            rows = sum(entry.rows for entry in batch)
            self.report.rows += rows
            on_lines(lines, rows)
            if self._seconds:
                self._fit()
                pause(self._seconds)

    def _fit(self) -> None:
        """Let the next transaction have as many commits as fit into its time, by what the last one took."""
        if self._transaction_seconds is not None:
            fitting = int(self._batch_commits * self._transaction_seconds / self._seconds)
            self._batch_commits = max(1, min(BATCH_COMMITS, fitting, 2 * self._batch_commits))

    def _skip(self, entry: SkippedRows) -> ImportLine:
        self.report.skipped[entry.reason] += entry.rows
        return ImportLine(entry.key, ImportOutcome.SKIPPED, reason=entry.reason)

    def _import(self, source: str, attempts: Sequence[PastAttempt]) -> list[ImportLine]:
        lines: list[ImportLine] = []
        prepared: list[tuple[PastAttempt, list[SessionCommands]]] = []
        for attempt in attempts:
            try:
                prepared.append((attempt, session_commands(source, attempt)))
            except BridgeError as error:
                lines.append(self._skip(SkippedRows(attempt.key, error.detail, attempt.rows)))
        with reading(self._engine) as connection:
            stored = stored_sessions(
                connection, [prepared_session.session_id for _, its in prepared for prepared_session in its]
            )
            stored_keys = stored_attempts(connection, filter(None, (_key(attempt) for attempt, _ in prepared)))
        commands: list[Command] = []
        batches: list[_NewCommits] = []
        for attempt, sessions in prepared:
            other = stored_keys.get(_key(attempt) or _NO_KEY)
            if other not in {None, attempt_id_of(source, attempt.launch.lms_id, attempt)} and not (
                stored.keys() & {prepared_session.session_id for prepared_session in sessions}
            ):
                reason = "the learner has an attempt of this number already, which was not imported from here"
                lines.append(self._skip(SkippedRows(attempt.key, reason, attempt.rows)))
                continue
            new = [
                command
                for prepared_session in sessions
                for command in prepared_session.commands
                if (session := stored.get(prepared_session.session_id)) is None
                or not session.has(command.received.digest, command.received.received_at)
            ]
            self.report.present += sum(len(prepared_session.commands) for prepared_session in sessions) - len(new)
            if not new:
                lines.append(ImportLine(attempt.key, ImportOutcome.PRESENT))
                continue
            for prepared_session in sessions:
                of_session = [command for command in new if command.session_id == prepared_session.session_id]
                if of_session:
                    commands += [*of_session, BuildDocuments(prepared_session.session_id, self._dependencies.now() + 1)]
            batches.append(_NewCommits(attempt, new))
        refusals = self._store(commands) if commands else {}
        return lines + [self._describe(commits, refusals) for commits in batches]

    def _describe(self, new: _NewCommits, refusals: Mapping[int, str]) -> ImportLine:
        reasons = [reason for command in new.commands if (reason := refusals.get(id(command))) is not None]
        stored = len(new.commands) - len(reasons)
        if stored:
            self.report.attempts += 1
        outcome = ImportOutcome.IMPORTED
        if reasons:
            outcome = ImportOutcome.PARTIAL if stored else ImportOutcome.REFUSED
        return ImportLine(new.attempt.key, outcome, stored, len(reasons), "; ".join(dict.fromkeys(reasons)))

    def _store(self, commands: Sequence[Command]) -> dict[int, str]:
        """Store commits; return why some of them were refused, by the `id` of their command."""
        refusals: dict[int, str] = {}
        # a dry run must see all of an enrollment in one transaction, as none of it stays
        size = len(commands) if self._is_dry else MAX_TRANSACTION
        for start in range(0, len(commands), size):
            refusals |= self._transact(commands[start : start + size])
        return refusals

    def _transact(self, commands: Sequence[Command]) -> dict[int, str]:
        for number in range(1, MAX_CONFLICTS + 1):
            batch = CommandBatch([QueuedCommand(command) for command in commands])
            try:
                with writing(self._engine) as connection:
                    # not the time that is waited for others' transactions: only this one's
                    started = time.monotonic()
                    result = execute_batch(connection, self._dependencies, batch)
                    if self._is_dry:
                        connection.rollback()
            except DBAPIError as error:
                # a live commit of the same learner was first
                if number == MAX_CONFLICTS or not is_conflict(error):
                    raise
            else:
                self._seconds += time.monotonic() - started
                return self._count(batch, result)
        raise AssertionError("the last try has returned or raised")

    def _count(self, batch: CommandBatch, result: BatchResult) -> dict[int, str]:
        report = self.report
        refusals: dict[int, str] = {}
        for queued in batch.commands:
            if not isinstance(queued.command, StoreCommit):
                continue
            if isinstance(queued.result, BridgeError):
                report.refused[queued.result.detail] += 1
                refusals[id(queued.command)] = queued.result.detail
            else:
                report.commits += 1
                report.warnings.update(warning.code for warning in queued.command.received.parsed_cmi.warnings)
        report.statements.update(row.verb for row in result.rows.statements)
        report.examples += [row.body for row in result.rows.statements[: MAX_EXAMPLES - len(report.examples)]]
        return refusals


_NO_KEY = AttemptKey(0, "", "", "", 0)


def _key(attempt: PastAttempt) -> AttemptKey | None:
    launch = attempt.launch
    return None if launch.attempt_number is None else AttemptKey(*launch.key, launch.attempt_number)


def _batches(
    entries: Iterable[PastAttempt | SkippedRows], limit: Callable[[], int]
) -> Iterator[list[PastAttempt | SkippedRows]]:
    """Yield entries, some at a time, all of an enrollment together; `limit` says how many commits the next may have."""
    batch: list[PastAttempt | SkippedRows] = []
    size = 0
    for _, its in groupby(entries, key=lambda entry: entry.launch.key if isinstance(entry, PastAttempt) else None):
        for entry in its:
            batch.append(entry)
            size += sum(len(session.commits) for session in entry.sessions) if isinstance(entry, PastAttempt) else 1
        if size >= limit():
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
