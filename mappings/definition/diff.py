"""What differs between two mapping documents: rule by rule, then line by line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from enum import StrEnum

import msgspec

from mappings.definition.describe import DescriptionLine, MappingDescription, RuleDescription, describe
from mappings.definition.model import MappingDefinition


class DifferenceKind(StrEnum):
    """How something differs between two mappings."""

    SAME = "same"
    """It is in both."""
    ADDED = "added"
    """It is in the later one alone."""
    DROPPED = "dropped"
    """It is in the earlier one alone."""
    CHANGED = "changed"
    """It is in both, and differs."""
    SKIPPED = "skipped"
    """It stands for lines that are the same and not shown."""


CONTEXT_LINES = 3
"""Lines that are the same and shown before and after those that are not."""


class FieldDifference(msgspec.Struct, frozen=True):
    """One thing that a rule or the document says otherwise."""

    name: str
    before: str
    after: str


class RuleDifference(msgspec.Struct, frozen=True):
    """A rule that was added, dropped or changed; `fields` has what."""

    name: str
    kind: DifferenceKind
    fields: tuple[FieldDifference, ...] = ()


class DiffRow(msgspec.Struct, frozen=True):
    """Two lines side by side, with their numbers from 1; where one of them is none, its number is 0.

    A `skipped` row stands for lines that are the same, its numbers are of the first of them.
    """

    kind: DifferenceKind
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


def diff_rules(before: MappingDefinition, after: MappingDefinition) -> list[RuleDifference]:
    """Return the rules that differ: the new document's in its order, then those that were dropped."""
    old, new = ({rule.name: rule for rule in describe(definition).rules} for definition in (before, after))
    differences = []
    for name, rule in new.items():
        if name not in old:
            differences.append(RuleDifference(name, DifferenceKind.ADDED, tuple(_fields(None, rule))))
        elif rule != old[name]:
            differences.append(RuleDifference(name, DifferenceKind.CHANGED, tuple(_fields(old[name], rule))))
    dropped = ((name, rule) for name, rule in old.items() if name not in new)
    differences += [RuleDifference(name, DifferenceKind.DROPPED, tuple(_fields(rule, None))) for name, rule in dropped]
    return differences


def diff_settings(before: MappingDefinition, after: MappingDefinition) -> list[FieldDifference]:
    """Return what differs of all that is no rule."""
    old, new = (dict(_others(describe(definition))) for definition in (before, after))
    names = list(dict.fromkeys([*new, *old]))
    differences = [
        FieldDifference(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)
    ]
    both = {rule.name for rule in before.rules} & {rule.name for rule in after.rules}
    order = [", ".join(rule.name for rule in definition.rules if rule.name in both) for definition in (before, after)]
    if order[0] != order[1]:
        differences.append(FieldDifference("order of the rules", *order))
    return differences


def diff_lines(before: str, after: str) -> list[DiffRow]:
    """Return two texts line by line beside each other, long stretches that are the same left out."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[DiffRow] = []
    for kind, left, left_end, right, right_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            same = [
                DiffRow(DifferenceKind.SAME, left + at + 1, old[left + at], right + at + 1, new[right + at])
                for at in range(left_end - left)
            ]
            rows += _shortened(same, at_start=left == 0, at_end=left_end == len(old) and right_end == len(new))
            continue
        for at in range(max(left_end - left, right_end - right)):
            has_old, has_new = left + at < left_end, right + at < right_end
            either = DifferenceKind.DROPPED if has_old else DifferenceKind.ADDED
            rows.append(
                DiffRow(
                    DifferenceKind.CHANGED if has_old and has_new else either,
                    left + at + 1 if has_old else 0,
                    old[left + at] if has_old else "",
                    right + at + 1 if has_new else 0,
                    new[right + at] if has_new else "",
                )
            )
    return rows


def _shortened(same: list[DiffRow], *, at_start: bool, at_end: bool) -> list[DiffRow]:
    head, tail = 0 if at_start else CONTEXT_LINES, 0 if at_end else CONTEXT_LINES
    if len(same) <= head + tail + 1:
        return same
    skipped = same[head : len(same) - tail]
    note = f"{len(skipped)} lines are the same"
    gap = DiffRow(DifferenceKind.SKIPPED, skipped[0].left, note, skipped[0].right, note)
    return [*same[:head], gap, *same[len(same) - tail :]]


def _fields(before: RuleDescription | None, after: RuleDescription | None) -> Iterator[FieldDifference]:
    for name, shown in _RULE.items():
        old, new = ("" if rule is None else _text(getattr(rule, name)) for rule in (before, after))
        if old != new:
            yield FieldDifference(shown, old, new)


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else "; ".join(value)


def _others(description: MappingDescription) -> Iterator[tuple[str, str]]:
    sections: dict[str, tuple[DescriptionLine, ...]] = {
        "actor": description.who,
        "activity": description.what,
        "context": description.where,
        "document": description.documents,
    }
    for section, lines in sections.items():
        for line in lines:
            yield f"{section}: {line.name}", line.value
