"""What differs between two mapping documents: rule by rule, then line by line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal

import msgspec

from mappings.definition.describe import InWords, Line, RuleInWords, in_words
from mappings.definition.model import MappingDefinition

Kind = Literal["same", "added", "dropped", "changed", "skipped"]

AROUND = 3
"""Lines that are the same and shown before and after those that are not."""


class Field(msgspec.Struct, frozen=True):
    """One thing that a rule or the document says otherwise."""

    name: str
    before: str
    after: str


class RuleDifference(msgspec.Struct, frozen=True):
    """A rule that was added, dropped or changed; `fields` has what."""

    name: str
    kind: Kind
    fields: tuple[Field, ...] = ()


class Row(msgspec.Struct, frozen=True):
    """Two lines side by side, with their numbers from 1; where one of them is none, its number is 0.

    A `skipped` row stands for lines that are the same, its numbers are of the first of them.
    """

    kind: Kind
    left: int = 0
    before: str = ""
    right: int = 0
    after: str = ""


_RULE = {
    "trigger": "when",
    "only_if": "only if",
    "verb_id": "verb",
    "verb": "verb's name",
    "object": "object",
    "object_id": "object's id",
    "result": "result",
    "context": "context",
    "often": "how often",
}


def rule_differences(before: MappingDefinition, after: MappingDefinition) -> list[RuleDifference]:
    """Return the rules that differ: the new document's in its order, then those that were dropped."""
    old, new = ({rule.name: rule for rule in in_words(one).rules} for one in (before, after))
    found = []
    for name, rule in new.items():
        if name not in old:
            found.append(RuleDifference(name, "added", tuple(_fields(None, rule))))
        elif rule != old[name]:
            found.append(RuleDifference(name, "changed", tuple(_fields(old[name], rule))))
    dropped = [
        RuleDifference(name, "dropped", tuple(_fields(rule, None))) for name, rule in old.items() if name not in new
    ]
    return found + dropped


def other_differences(before: MappingDefinition, after: MappingDefinition) -> list[Field]:
    """Return what differs of all that is no rule."""
    old, new = (dict(_others(in_words(one))) for one in (before, after))
    names = list(dict.fromkeys([*new, *old]))
    told = [Field(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]
    both = {rule.name for rule in before.rules} & {rule.name for rule in after.rules}
    order = [", ".join(rule.name for rule in one.rules if rule.name in both) for one in (before, after)]
    if order[0] != order[1]:
        told.append(Field("order of the rules", *order))
    return told


def side_by_side(before: str, after: str) -> list[Row]:
    """Return two texts line by line beside each other, long stretches that are the same left out."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[Row] = []
    for kind, left, left_end, right, right_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            same = [
                Row("same", left + at + 1, old[left + at], right + at + 1, new[right + at])
                for at in range(left_end - left)
            ]
            rows += _shortened(same, at_start=left == 0, at_end=left_end == len(old) and right_end == len(new))
            continue
        for at in range(max(left_end - left, right_end - right)):
            has_old, has_new = left + at < left_end, right + at < right_end
            rows.append(
                Row(
                    "changed" if has_old and has_new else "dropped" if has_old else "added",
                    left + at + 1 if has_old else 0,
                    old[left + at] if has_old else "",
                    right + at + 1 if has_new else 0,
                    new[right + at] if has_new else "",
                )
            )
    return rows


def _shortened(same: list[Row], *, at_start: bool, at_end: bool) -> list[Row]:
    head, tail = 0 if at_start else AROUND, 0 if at_end else AROUND
    if len(same) <= head + tail + 1:
        return same
    skipped = same[head : len(same) - tail]
    note = f"{len(skipped)} lines are the same"
    gap = Row("skipped", skipped[0].left, note, skipped[0].right, note)
    return [*same[:head], gap, *same[len(same) - tail :]]


def _fields(before: RuleInWords | None, after: RuleInWords | None) -> Iterator[Field]:
    for name, shown in _RULE.items():
        old, new = ("" if rule is None else _text(getattr(rule, name)) for rule in (before, after))
        if old != new:
            yield Field(shown, old, new)


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else "; ".join(value)


def _others(told: InWords) -> Iterator[tuple[str, str]]:
    sections: dict[str, tuple[Line, ...]] = {
        "actor": told.who,
        "activity": told.what,
        "context": told.where,
        "document": told.documents,
    }
    for section, lines in sections.items():
        for line in lines:
            yield f"{section}: {line.name}", line.value
