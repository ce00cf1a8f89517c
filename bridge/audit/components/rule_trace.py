"""Which rules fired at a commit and which did not, and why: found by replaying its enrollment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from bridge.audit.components.element_change import ConditionValue, ElementChange, condition_values, element_change
from bridge.audit.components.json_view import compact_json
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.enrollment_history import UnreadableCommitError
from bridge.mapping_library.explain import explain_commit
from mappings.analysis.explain import Explanation, RuleExplanation
from mappings.definition.errors import DefinitionError
from mappings.generation.statements import RuleOutcome
from storage.queries import timeline

MAX_UNREQUESTED_COMMITS = 300
"""Commits of an enrollment that are replayed without being asked to: a hundred take some 20 milliseconds."""

MAX_UNREQUESTED_BYTES = 1024 * 1024
"""Of their bodies, the same."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of an enrollment's commits that are replayed for a page at all."""
MAX_ROWS = 100
"""Rules, and changes, that a page shows."""
MAX_VALUE_CHARS = 2_000
"""Characters of a value."""

_STATES: dict[str, str] = {
    RuleOutcome.FIRED: "fired",
    RuleOutcome.ONCE: "already made",
    RuleOutcome.CONDITION: "condition not met",
    RuleOutcome.NO_CHANGE: "no change",
    RuleOutcome.HELD_BACK: "deferred",
}


class RuleView(NamedTuple):
    """What a rule did, at which change.

    `values` are what the names in its condition stood for, `variables` all inputs of it as JSON. Both are empty, and
    there is no change, where they may not be seen.
    """

    rule: str
    when: str
    is_fired: bool
    state: str
    why: str
    condition: str | None
    variables: str
    statement: str | None
    change: ElementChange | None
    values: list[ConditionValue]


class TraceSection(NamedTuple):
    """What the rules did at a commit, or when its session was closed after it; `changes` are only for auditors.

    Each list has the first `MAX_ROWS`; `left_out` counts the others.
    """

    title: str
    fired: list[RuleView]
    silent: list[RuleView]
    changes: list[ElementChange]
    left_out: int


class RuleTrace(NamedTuple):
    """What the rules did. `fault` says why that cannot be shown, `commits` how many must be replayed for it."""

    sections: Sequence[TraceSection]
    commits: int
    fault: str = ""
    is_replayed: bool = True

    @property
    def changes(self) -> list[ElementChange]:
        """Return the changes of all sections."""
        return [change for section in self.sections for change in section.changes]

    def rule_of(self, statement_id: str) -> RuleView | None:
        """Return what made a statement, None where that is not among the rules shown."""
        rules = (rule for section in self.sections for rule in section.fired)
        return next((rule for rule in rules if rule.statement == statement_id), None)


def trace_rules(
    connection: Connection,
    session_id: str,
    number: int,
    scorm_version: str | None,
    *,
    is_requested: bool,
    sees_cmi: bool,
) -> RuleTrace:
    """Explain a commit by the mapping version it was processed with; long enrollments only where `is_requested`."""
    commits, size = timeline.enrollment_journal(connection, session_id)
    if size > MAX_BYTES:
        return RuleTrace((), commits, "The commits of this enrollment are too large to be replayed for a page.")
    if (commits > MAX_UNREQUESTED_COMMITS or size > MAX_UNREQUESTED_BYTES) and not is_requested:
        return RuleTrace((), commits, is_replayed=False)
    try:
        explained = explain_commit(connection, session_id, number)
    except (UnreadableCommitError, DefinitionError, LibraryError) as error:
        return RuleTrace((), commits, str(error) if sees_cmi else "This release cannot read the journal.")
    if explained is None or explained.explanation.duplicate_of is not None:
        return RuleTrace((), commits)
    sections = [_section("Rules", explained.explanation, scorm_version, sees_cmi=sees_cmi)]
    if explained.closing is not None:
        title = "Rules when the session was closed"
        sections.append(_section(title, explained.closing, scorm_version, sees_cmi=sees_cmi))
    return RuleTrace(sections, commits)


def _section(title: str, explanation: Explanation, scorm_version: str | None, *, sees_cmi: bool) -> TraceSection:
    changes = [element_change(change, scorm_version) for change in explanation.changes] if sees_cmi else []
    views = [_rule(rule, changes, sees_cmi=sees_cmi) for rule in explanation.rules]
    fired = [view for view in views if view.is_fired]
    silent = [view for view in views if not view.is_fired]
    left_out = sum(max(0, len(rows) - MAX_ROWS) for rows in (fired, silent, changes))
    return TraceSection(title, fired[:MAX_ROWS], silent[:MAX_ROWS], changes[:MAX_ROWS], left_out)


def _rule(rule: RuleExplanation, changes: Sequence[ElementChange], *, sees_cmi: bool) -> RuleView:
    return RuleView(
        rule.rule,
        rule.when,
        rule.reason == RuleOutcome.FIRED,
        _STATES[rule.reason],
        rule.why,
        rule.condition,
        compact_json(rule.variables, MAX_VALUE_CHARS) if sees_cmi and rule.variables else "",
        rule.statement,
        changes[rule.change] if sees_cmi and rule.change is not None else None,
        condition_values(rule.condition, rule.variables) if sees_cmi else [],
    )
