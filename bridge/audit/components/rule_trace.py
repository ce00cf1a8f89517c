"""Which rules fired at a commit and which did not, and why: found by replaying its enrollment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from bridge.audit.components.json_view import compact_json
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.enrollment_history import UnreadableCommitError
from bridge.mapping_library.explain import explain_commit
from mappings.analysis.explain import ChangeExplanation, Explanation, RuleExplanation
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
    """What a rule did. `variables` are the inputs of its condition as JSON, empty where they may not be seen."""

    rule: str
    when: str
    is_fired: bool
    state: str
    why: str
    condition: str | None
    variables: str
    statement: str | None


class ChangeView(NamedTuple):
    """A change as rules see it; before, after and what it is about are JSON."""

    meaning: str
    before: str
    after: str
    about: str


class TraceSection(NamedTuple):
    """What the rules did at a commit, or when its session was closed after it; `changes` are only for auditors.

    Each list has the first `MAX_ROWS`; `left_out` counts the others.
    """

    title: str
    fired: list[RuleView]
    silent: list[RuleView]
    changes: list[ChangeView]
    left_out: int


class RuleTrace(NamedTuple):
    """What the rules did. `fault` says why that cannot be shown, `commits` how many must be replayed for it."""

    sections: Sequence[TraceSection]
    commits: int
    fault: str = ""
    is_replayed: bool = True


def trace_rules(
    connection: Connection, session_id: str, number: int, *, is_requested: bool, sees_cmi: bool
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
    sections = [_section("Rules", explained.explanation, sees_cmi=sees_cmi)]
    if explained.closing is not None:
        sections.append(_section("Rules when the session was closed", explained.closing, sees_cmi=sees_cmi))
    return RuleTrace(sections, commits)


def _section(title: str, explanation: Explanation, *, sees_cmi: bool) -> TraceSection:
    views = [_rule(rule, sees_cmi=sees_cmi) for rule in explanation.rules]
    fired = [view for view in views if view.is_fired]
    silent = [view for view in views if not view.is_fired]
    changes = explanation.changes if sees_cmi else ()
    left_out = sum(max(0, len(rows) - MAX_ROWS) for rows in (fired, silent, changes))
    return TraceSection(
        title, fired[:MAX_ROWS], silent[:MAX_ROWS], [_change(change) for change in changes[:MAX_ROWS]], left_out
    )


def _rule(rule: RuleExplanation, *, sees_cmi: bool) -> RuleView:
    variables = compact_json(rule.variables, MAX_VALUE_CHARS) if sees_cmi and rule.variables else ""
    is_fired = rule.reason == RuleOutcome.FIRED
    state = _STATES[rule.reason]
    return RuleView(rule.rule, rule.when, is_fired, state, rule.why, rule.condition, variables, rule.statement)


def _change(change: ChangeExplanation) -> ChangeView:
    before, after, about = (
        compact_json(value, MAX_VALUE_CHARS) for value in (change.before, change.after, change.about)
    )
    return ChangeView(change.meaning, before, after, about)
