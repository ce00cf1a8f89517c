"""Mapping documents ready for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from mappings.attempt.changes import Trigger
from mappings.document.errors import DocumentError, Fault
from mappings.document.facts import Facts
from mappings.document.model import Document, Rule
from mappings.document.outlines import Outline, Outlines
from mappings.document.skeletons import Skeletons
from mappings.document.templates import OPTIONAL
from mappings.gate import Gate


class CompiledMapping(msgspec.Struct, frozen=True):
    """A mapping document ready for use."""

    document: Document
    rules: Mapping[Trigger, Sequence[Rule]]
    outline: Callable[[Facts], Outline]
    gate: Gate


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
        for absent in (frozenset[str](), OPTIONAL):
            try:
                skeletons.of_rule(rule, absent)
            except (TypeError, ValueError) as error:  # what tincan raises for values it does not take
                faults.append(Fault(f"rules[{index}]", 0, f"makes no statement: {error}"))
                break
    if faults:
        raise DocumentError(source, faults)
    return CompiledMapping(document, rules, Outlines(document, skeletons).of, Gate())
