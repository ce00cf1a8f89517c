"""What another mapping would have made of the same commits: statements added, dropped and changed, counted by rule."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mappings.analysis.replay import AttemptHistory, JournalledCommit, Replay, ReplayedCommit
from mappings.definition.compiled import CompiledMapping
from mappings.definition.diff import DifferenceKind
from mappings.generation.statements import Statement

KINDS = (DifferenceKind.ADDED, DifferenceKind.DROPPED, DifferenceKind.CHANGED)
"""How statements differ."""
MAX_EXAMPLES = 3
"""Examples that are kept of each kind and rule."""


class RuleCounts(msgspec.Struct):
    """Statements of one rule. Those that are the `same` differ in nothing."""

    added: int = 0
    dropped: int = 0
    changed: int = 0
    same: int = 0


class ImpactExample(msgspec.Struct, frozen=True):
    """One statement that differs, as JSON; `before` is None for one that is added, `after` for one that is dropped.

    It is of the commit with this number of a session.
    """

    kind: DifferenceKind
    rule: str
    session_id: str
    number: int
    before: str | None
    after: str | None


class Impact(msgspec.Struct):
    """The differences so far, by rule; commits are those that were counted, `skipped` those that cannot be read."""

    enrollments: int = 0
    commits: int = 0
    skipped: int = 0
    rules: dict[str, RuleCounts] = msgspec.field(default_factory=dict)
    examples: list[ImpactExample] = msgspec.field(default_factory=list)

    def add(self, other: Impact) -> None:
        """Add over what was counted of other enrollments."""
        self.enrollments += other.enrollments
        self.commits += other.commits
        self.skipped += other.skipped
        for rule, counts in other.rules.items():
            totals = self.rules.setdefault(rule, RuleCounts())
            for name in (*KINDS, DifferenceKind.SAME):
                setattr(totals, name, getattr(totals, name) + getattr(counts, name))
        for example in other.examples:
            self._keep(example)

    def count(self, kind: DifferenceKind, rule: str) -> None:
        """Count a statement."""
        counts = self.rules.setdefault(rule, RuleCounts())
        setattr(counts, kind, getattr(counts, kind) + 1)

    def differs(
        self, kind: DifferenceKind, rule: str, of: tuple[str, int], before: str | None, after: str | None
    ) -> None:
        """Count a statement that differs, and show it if few like it are shown; `of`: session id and commit."""
        self.count(kind, rule)
        self._keep(ImpactExample(kind, rule, *of, before, after))

    def _keep(self, example: ImpactExample) -> None:
        alike = [shown for shown in self.examples if shown.kind == example.kind and shown.rule == example.rule]
        if len(alike) < MAX_EXAMPLES:
            self.examples.append(example)


class _GeneratedStatement(msgspec.Struct, frozen=True):
    statement: Statement
    session_id: str
    number: int


class ImpactComparison:
    """What one enrollment's commits become by either mapping. Statements have the same id where they are the same one.

    Only those of commits received at `since` or later, and before `until`, are counted; milliseconds since the epoch.
    """

    def __init__(
        self,
        old: CompiledMapping,
        new: CompiledMapping,
        attempts: Sequence[AttemptHistory],
        since: int = 0,
        until: int | None = None,
    ) -> None:
        self._old, self._new = Replay(old, attempts), Replay(new, attempts)
        self._since, self._until = since, float("inf") if until is None else until
        self._before: dict[str, _GeneratedStatement] = {}
        self._after: dict[str, _GeneratedStatement] = {}
        self.impact = Impact(enrollments=1)

    def apply(self, commit: JournalledCommit) -> None:
        """Return the next commit both ways."""
        self._compare(self._old.apply(commit), self._new.apply(commit))
        if self._since <= commit.received_commit.received_at < self._until:
            self.impact.commits += 1

    def skip(self, session_id: str) -> None:
        """Skip a commit that cannot be read."""
        self.impact.skipped += 1
        self._old.skip(session_id)
        self._new.skip(session_id)

    def finish(self) -> Impact:
        """Return the differences once all commits are told."""
        self._compare([*self._old.finish()], [*self._new.finish()])
        for key, before in self._before.items():
            after = self._after.pop(key, None)
            if after is None:
                self._differs(DifferenceKind.DROPPED, before, None)
            elif after.statement.body == before.statement.body:
                self.impact.count(DifferenceKind.SAME, after.statement.rule)
            else:
                self._differs(DifferenceKind.CHANGED, before, after)
        for after in self._after.values():
            self._differs(DifferenceKind.ADDED, None, after)
        return self.impact

    def _differs(
        self, kind: DifferenceKind, before: _GeneratedStatement | None, after: _GeneratedStatement | None
    ) -> None:
        either = after or before
        assert either is not None  # noqa: S101 -- one of the two made it
        bodies = (None if generated is None else generated.statement.body for generated in (before, after))
        self.impact.differs(kind, either.statement.rule, (either.session_id, either.number), *bodies)

    def _compare(self, old: Sequence[ReplayedCommit], new: Sequence[ReplayedCommit]) -> None:
        for before, after in zip(old, new, strict=True):
            if not self._since <= before.received_at < self._until:
                continue
            # as a rule nothing differs, and then nothing is kept
            for statement, counterpart in zip(before.statements, after.statements, strict=False):
                if statement.id == counterpart.id and statement.body == counterpart.body:
                    self.impact.count(DifferenceKind.SAME, counterpart.rule)
                else:
                    self._before[statement.id] = _GeneratedStatement(statement, before.session_id, before.number)
                    self._after[counterpart.id] = _GeneratedStatement(counterpart, after.session_id, after.number)
            shared = min(len(before.statements), len(after.statements))
            for statement in before.statements[shared:]:
                self._before[statement.id] = _GeneratedStatement(statement, before.session_id, before.number)
            for statement in after.statements[shared:]:
                self._after[statement.id] = _GeneratedStatement(statement, after.session_id, after.number)
