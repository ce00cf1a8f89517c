"""Mapping documents as people read them: when what happens, which statement with which parts; and what differs."""

from __future__ import annotations

import difflib

import msgspec

from mappings.attempt.changes import TRIGGERS
from mappings.definition.describe import name_of, template
from mappings.definition.model import ONCE, RESULT_PARTS, MappingDefinition, Rule


class Line(msgspec.Struct, frozen=True):
    """One rule in words. `condition` is CEL, empty where there is none; `parts` are those of result and context."""

    rule: str
    when: str
    meaning: str
    condition: str
    verb: str
    verb_id: str
    about: str
    parts: tuple[str, ...]
    once: str


class Differences(msgspec.Struct, frozen=True):
    """What differs from one document to another: rules by name, and the lines of the texts as a unified diff."""

    added: tuple[str, ...]
    dropped: tuple[str, ...]
    changed: tuple[str, ...]
    text: tuple[str, ...]


def lines(document: MappingDefinition) -> list[Line]:
    """Give a document's rules in its order."""
    return [_line(document, rule) for rule in document.rules]


def differences(old: MappingDefinition, new: MappingDefinition) -> Differences:
    """Tell what differs. A rule has changed where it, its verb or an activity it names has."""
    before, after = _rules(old), _rules(new)
    text = difflib.unified_diff(
        old.text.splitlines(),
        new.text.splitlines(),
        f"{old.name} {old.content_hash[:12]}",
        f"{new.name} {new.content_hash[:12]}",
        lineterm="",
    )
    return Differences(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name in before and before[name] != after[name]),
        tuple(text),
    )


def _line(document: MappingDefinition, rule: Rule) -> Line:
    verb = document.verbs[rule.verb]
    return Line(
        rule.name,
        rule.when,
        TRIGGERS[rule.when],
        "" if rule.condition is None else rule.condition.text,
        name_of(verb.display, document.language),
        verb.id,
        rule.object,
        (
            *(RESULT_PARTS[part].partition(":")[0] for part in rule.result),
            *(f"context.extensions: {template(key)}" for key, _ in rule.extensions),
        ),
        ONCE[rule.once],
    )


def _rules(document: MappingDefinition) -> dict[str, object]:
    named = {rule.name: (rule.object, *rule.parent, *rule.category) for rule in document.rules}
    return {
        rule.name: (
            msgspec.structs.replace(rule, condition=None),
            "" if rule.condition is None else rule.condition.text,
            document.verbs[rule.verb],
            [document.activities[name] for name in named[rule.name]],
        )
        for rule in document.rules
    }
