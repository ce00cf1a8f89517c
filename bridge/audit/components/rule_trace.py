"""Which rules fired at a commit and which did not, and why: told by going through its enrollment once more."""

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
from storage.queries import timeline

AT_ONCE = 300
"""Commits of an enrollment that are gone through without being asked to: a hundred take some 20 milliseconds."""

BYTES_AT_ONCE = 1024 * 1024
"""Of their bodies, the same."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of an enrollment's commits that are gone through for a page at all."""
ROWS = 100
"""Rules, and changes, that a page shows."""
MAX_VALUE_LENGTH = 2_000
"""Characters of a value."""

_WORDS = {
    "fired": "fired",
    "once": "made before",
    "condition": "condition not met",
    "no-change": "nothing to tell",
    "held-back": "told later",
}


class RuleShown(NamedTuple):
    """What became of a rule. `variables` is what its condition was asked with, as JSON; empty where not to be seen."""

    rule: str
    when: str
    state: str
    why: str
    condition: str | None
    variables: str
    statement: str | None


class ChangeShown(NamedTuple):
    """A change as rules see it; before, after and what it is about as JSON."""

    meaning: str
    before: str
    after: str
    about: str


class Shown(NamedTuple):
    """What became of the rules at a commit, or when its session was closed after it; `changes` only for auditors.

    Of each kind there are the first ones; `left_out` counts the others.
    """

    title: str
    fired: list[RuleShown]
    silent: list[RuleShown]
    changes: list[ChangeShown]
    left_out: int


class Rules(NamedTuple):
    """What became of the rules. `fault` tells why that cannot be said, `commits` how many must be gone through."""

    shown: Sequence[Shown]
    commits: int
    fault: str = ""
    is_asked_for: bool = True


def rules(connection: Connection, session_id: str, number: int, *, asked: bool, sees_cmi: bool) -> Rules:
    """Explain a commit by the mapping that told it. Enrollments with many commits are gone through where `asked`."""
    commits, size = timeline.enrollment_journal(connection, session_id)
    if size > MAX_BYTES:
        return Rules((), commits, "The enrollment's commits are too large to be gone through for a page.")
    if (commits > AT_ONCE or size > BYTES_AT_ONCE) and not asked:
        return Rules((), commits, is_asked_for=False)
    try:
        found = explain_commit(connection, session_id, number)
    except (UnreadableCommitError, DefinitionError, LibraryError) as error:
        return Rules((), commits, str(error) if sees_cmi else "The journal cannot be read by this release.")
    if found is None or found.explanation.duplicate_of is not None:
        return Rules((), commits)
    shown = [_shown("Rules", found.explanation, sees_cmi=sees_cmi)]
    if found.closing is not None:
        shown.append(_shown("Rules when the session was closed", found.closing, sees_cmi=sees_cmi))
    return Rules(shown, commits)


def _shown(title: str, told: Explanation, *, sees_cmi: bool) -> Shown:
    each = [_rule(one, sees_cmi=sees_cmi) for one in told.rules]
    fired, silent = ([one for one in each if (one.state == "fired") is which] for which in (True, False))
    altered = told.changes if sees_cmi else ()
    left_out = sum(max(0, len(rows) - ROWS) for rows in (fired, silent, altered))
    return Shown(title, fired[:ROWS], silent[:ROWS], [_change(one) for one in altered[:ROWS]], left_out)


def _rule(told: RuleExplanation, *, sees_cmi: bool) -> RuleShown:
    variables = compact_json(told.variables, MAX_VALUE_LENGTH) if sees_cmi and told.variables else ""
    state = _WORDS[told.reason]
    return RuleShown(told.rule, told.when, state, told.why, told.condition, variables, told.statement)


def _change(told: ChangeExplanation) -> ChangeShown:
    before, after, about = (compact_json(value, MAX_VALUE_LENGTH) for value in (told.before, told.after, told.about))
    return ChangeShown(told.meaning, before, after, about)
