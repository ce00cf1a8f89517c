"""Fills a target with the statements and documents from before it was there: the same ids, the same bytes, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from bridge.clock import Now
from bridge.commit_model.target_forms import context_of
from bridge.mapping_library.activation import compile_stored
from bridge.routing import form_conflicts, mapping_forms, targets_by_document, targets_by_rule
from bridge.settings import TargetSettings
from mappings.analysis.reissue import RULE as VOIDING_RULE
from mappings.generation.target_forms import MappingForm
from mappings.xapi.voiding import voided_id
from storage import attempts, backfill, journal_replay, mapping_versions
from storage.backfill import BackfillSpan, MissingStatement
from storage.engine import reading, writing
from storage.target_statements import TargetStatement

BATCH_ATTEMPTS = 20
"""Attempts of a transaction: some hundred statements, as commits may wait for it."""


@dataclass
class BackfillReport:
    """What was queued, or would be.

    Attributes:
        attempts: that had something to queue.
        statements: by rule.
        documents: attempts whose documents are built anew.
        withheld: statements that the target must not get: an older version of the mapping tells more of learners.
    """

    attempts: int = 0
    statements: Counter[str] = field(default_factory=Counter)
    documents: int = 0
    withheld: int = 0


class BackfillPart(NamedTuple):
    """Attempts that were looked at, how many statements of them the target lacked, and when the newest was made."""

    ids: Sequence[int]
    statements: int
    newest: int | None


@dataclass(frozen=True)
class _Version:
    """What a version of a mapping means for the target: the rules whose statements it gets, and in which form."""

    rules: frozenset[str]
    has_documents: bool
    form: MappingForm | None
    contradicts: bool


class Backfill:
    """Queues what a target lacks. It may be stopped at any moment, and begun again."""

    def __init__(self, engine: Engine, target: TargetSettings, span: BackfillSpan, now: Now) -> None:
        self._engine = engine
        self._target = target
        self._span = span
        self._now = now
        self._versions: dict[int, _Version] = {}
        self.report = BackfillReport()

    def count(self) -> int:
        """Return how many attempts are looked at."""
        with reading(self._engine) as connection:
            return backfill.count_attempts(connection, self._span)

    def run(self, *, dry_run: bool, progress: Callable[[int], None], pause: Callable[[int], None]) -> None:
        """Queue everything; in a dry run, only count it.

        `progress` is told how many attempts were looked at, `pause` how many statements a transaction has queued.

        Raises:
            sqlalchemy.exc.DBAPIError: the database does not answer; what was queued stays.
        """
        last = 0
        while True:
            with reading(self._engine) if dry_run else writing(self._engine) as connection:
                part = self.look_at(connection, last) if dry_run else self.queue_part(connection, last)
            if part is None:
                return
            progress(len(part.ids))
            pause(part.statements)
            last = part.ids[-1]

    def look_at(self, connection: Connection, last: int) -> BackfillPart | None:
        """Return what the target lacks of some attempts behind `last`; None where there are none."""
        ids = backfill.attempt_ids(connection, self._span, after=last, limit=BATCH_ATTEMPTS)
        return self._part(ids, self._wanted(connection, ids)) if ids else None

    def queue_part(self, connection: Connection, last: int) -> BackfillPart | None:
        """Queue what the target lacks of some attempts behind `last`; return it, None where there are none."""
        ids = backfill.attempt_ids(connection, self._span, after=last, limit=BATCH_ATTEMPTS)
        return self._queue(connection, ids) if ids else None

    def queue(self, ids: Sequence[int]) -> int:
        """Queue what the target lacks of attempts, in one transaction; return how many statements that is."""
        with writing(self._engine) as connection:
            return self._queue(connection, ids).statements

    def wants(self, connection: Connection, version_id: int, rule: str, body: str) -> bool:
        """Return whether the target gets a statement that a mapping version's rule made before it was there.

        It does not where that version tells more of learners than the target must get. What voids another statement
        goes to whom that one goes.
        """
        origin = self._origin(connection, version_id, rule, body)
        return (
            origin is not None and self._is_wanted(connection, *origin) and not self._contradicts(connection, *origin)
        )

    def _origin(self, connection: Connection, version_id: int, rule: str, body: str) -> tuple[int, str] | None:
        """Return the version and the rule by which a statement is for the target: of a voiding one, the other's."""
        return backfill.rule_of(connection, voided_id(body)) if rule == VOIDING_RULE else (version_id, rule)

    def _is_wanted(self, connection: Connection, version_id: int, rule: str) -> bool:
        return rule in self._version(connection, version_id).rules

    def _contradicts(self, connection: Connection, version_id: int, _rule: str) -> bool:
        return self._version(connection, version_id).contradicts

    def _queue(self, connection: Connection, ids: Sequence[int]) -> BackfillPart:
        # a commit must not add to these attempts meanwhile: what it makes comes behind what is missing
        attempts.lock(connection, attempts.enrollments_of(connection, ids), [])
        wanted = self._wanted(connection, ids)
        if wanted:
            backfill.queue(connection, self._target.name, wanted, self._forms(connection, wanted))
        if self._span.rule is None and self._gets_documents(connection):
            # a bridge that did not know the target yet may have built those of an earlier backfill for the others alone
            outdated = {row.attempt_id for row in wanted}
            outdated |= backfill.lacking_documents(connection, self._target.name, ids)
            if outdated:
                self.report.documents += backfill.rebuild_documents(connection, outdated, self._now())
        return self._part(ids, wanted)

    def _gets_documents(self, connection: Connection) -> bool:
        """Return whether documents are for the target by any version that is active: by these they are built."""
        active = {*mapping_versions.active(connection).values()}
        return any(self._version(connection, version_id).has_documents for version_id in active)

    def _wanted(self, connection: Connection, ids: Sequence[int]) -> list[MissingStatement]:
        allowed: list[MissingStatement] = []
        for row in backfill.missing(connection, self._target.name, ids, self._span):
            origin = self._origin(connection, row.mapping_version_id, row.rule, row.body)
            if origin is None or not self._is_wanted(connection, *origin):
                continue
            if self._contradicts(connection, *origin):
                self.report.withheld += 1
            else:
                allowed.append(row)
        return allowed

    def _part(self, ids: Sequence[int], wanted: Sequence[MissingStatement]) -> BackfillPart:
        self.report.attempts += len({row.attempt_id for row in wanted})
        self.report.statements.update(row.rule for row in wanted)
        return BackfillPart(ids, len(wanted), max((row.created_at for row in wanted), default=None))

    def _forms(self, connection: Connection, statements: Sequence[MissingStatement]) -> list[TargetStatement]:
        if all(self._version(connection, row.mapping_version_id).form is None for row in statements):
            return []
        histories = journal_replay.histories(connection, sorted({row.enrollment_id for row in statements}))
        sessions = {session.session_id: session for history in histories for session in history.sessions}
        rows: list[TargetStatement] = []
        for row in statements:
            form = self._version(connection, row.mapping_version_id).form
            if form is not None:
                session = sessions[row.session_id]
                own = form.of_attempt(context_of(session), session.attempt.started_at)
                rows.append(
                    TargetStatement(
                        row.attempt_id, row.position, self._target.name, own.description, own.statement(row.body)
                    )
                )
        return rows

    def _version(self, connection: Connection, version_id: int) -> _Version:
        known = self._versions.get(version_id)
        if known is None:
            mapping, targets = compile_stored(connection, version_id), [self._target]
            names = {rule for rule, receivers in targets_by_rule(mapping, targets).items() if receivers}
            form = next((form for form, _ in mapping_forms(mapping, targets)), None)
            has_documents = bool(targets_by_document(mapping, targets))
            known = _Version(frozenset(names), has_documents, form, bool(form_conflicts(mapping, targets)))
            self._versions[version_id] = known
        return known
