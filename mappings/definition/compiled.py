"""Mapping documents ready for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from mappings.attempt.changes import Trigger
from mappings.definition.bound_templates import Outline, Outlines
from mappings.definition.errors import DocumentError, Fault
from mappings.definition.model import Document, Rule
from mappings.definition.placeholders import OF_COMMITS, OPTIONAL
from mappings.definition.statement_context import Facts
from mappings.definition.statement_templates import ITEM_IRI, MBOX, Skeletons
from mappings.xapi.statement_validator import Gate


class CompiledMapping(msgspec.Struct, frozen=True):
    """A mapping document ready for use.

    `of_commits` are the places it has whose text can change with every commit, by their holes' names, and `unknown`
    those of them that may be empty or no numbers; `tracks_sessions` tells whether it asks how a session's end was told,
    or what success the session had.
    """

    document: Document
    rules: Mapping[Trigger, Sequence[Rule]]
    outline: Callable[[Facts], Outline]
    gate: Gate
    of_commits: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    tracks_sessions: bool = False


def compile_document(document: Document, source: str) -> CompiledMapping:
    """Compile a document.

    Raises:
        DocumentError: tincan takes no statement of some rule.
    """
    rules: dict[Trigger, list[Rule]] = {}
    faults: list[Fault] = []
    skeletons = Skeletons(document)
    for index, rule in enumerate(document.rules):
        rules.setdefault(rule.when, []).append(rule)
        for absent in (frozenset[str](), OPTIONAL | skeletons.may_be_absent | {MBOX, ITEM_IRI}):
            try:
                skeletons.of_rule(rule, absent)
            except (TypeError, ValueError) as error:  # what tincan raises for values it does not take
                faults.append(Fault(f"rules[{index}]", 0, f"makes no statement: {error}"))
                break
    if faults:
        raise DocumentError(source, faults)
    of_commits = frozenset(one.hole for one in skeletons.places if one.variable in OF_COMMITS)
    unknown = of_commits & skeletons.may_be_absent
    tracks = "session.part" in of_commits or any(
        rule.condition is not None and any(map(rule.condition.asks_for, ("session.ended", "session.success")))
        for rule in document.rules
    )
    return CompiledMapping(document, rules, Outlines(document, skeletons).of, Gate(), of_commits, unknown, tracks)
