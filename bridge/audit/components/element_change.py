"""What a change is about, as content sees it: the CMI element with its values, and its lines in the commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from bridge.audit.components.json_view import compact_json, truncate_text
from mappings.analysis.explain import ChangeExplanation
from mappings.attempt.changes import Trigger

MAX_VALUE_CHARS = 500
"""Characters of a value."""
MAX_VALUES = 20
"""Values of a condition."""

_ELEMENTS: dict[Trigger, tuple[str, str]] = {
    Trigger.SCORE_CHANGED: ("cmi.score", "cmi.core.score"),
    Trigger.PROGRESS_CHANGED: ("cmi.progress_measure", "cmi.progress_measure"),
    Trigger.LOCATION_CHANGED: ("cmi.location", "cmi.core.lesson_location"),
    Trigger.COMPLETION_COMPLETED: ("cmi.completion_status", "cmi.core.lesson_status"),
    Trigger.SUCCESS_PASSED: ("cmi.success_status", "cmi.core.lesson_status"),
    Trigger.SUCCESS_FAILED: ("cmi.success_status", "cmi.core.lesson_status"),
    Trigger.INTERACTION_ANSWERED: ("cmi.interactions", "cmi.interactions"),
    Trigger.OBJECTIVE_SCORED: ("cmi.objectives.n.score", "cmi.objectives.n.score"),
    Trigger.OBJECTIVE_PROGRESSED: ("cmi.objectives.n.progress_measure", "cmi.objectives.n.progress_measure"),
    Trigger.OBJECTIVE_COMPLETED: ("cmi.objectives.n.completion_status", "cmi.objectives.n.status"),
    Trigger.OBJECTIVE_PASSED: ("cmi.objectives.n.success_status", "cmi.objectives.n.status"),
    Trigger.OBJECTIVE_FAILED: ("cmi.objectives.n.success_status", "cmi.objectives.n.status"),
    Trigger.COMMENT_MADE: ("cmi.comments_from_learner", "cmi.comments"),
    Trigger.SESSION_SUSPENDED: ("cmi.exit", "cmi.core.exit"),
    Trigger.SESSION_TERMINATED: ("cmi.exit", "cmi.core.exit"),
}
"""The element of SCORM 2004 and that of 1.2 which each trigger is about; the others are about none."""
_UNKNOWN = frozenset({
    Trigger.COMPLETION_COMPLETED, Trigger.SUCCESS_PASSED, Trigger.SUCCESS_FAILED, Trigger.OBJECTIVE_COMPLETED,
    Trigger.OBJECTIVE_PASSED, Trigger.OBJECTIVE_FAILED,
})  # fmt: skip
"""Whose element is `unknown` where it was never set."""
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class ElementChange(NamedTuple):
    """A change of a CMI element. `before` and `after` are texts, empty where there is no value.

    `item` is the id of the interaction or objective, empty where it is of none; `element` is empty for the turns of an
    attempt that no element tells of.
    """

    meaning: str
    trigger: str
    element: str
    item: str
    before: str
    after: str


class ConditionValue(NamedTuple):
    """A name in a condition, and what it stood for, as JSON."""

    name: str
    value: str


class MarkedLine(NamedTuple):
    """A line of a commit as it is shown; `is_marked` where one of its changes is told in it."""

    number: int
    text: str
    is_marked: bool


def element_change(change: ChangeExplanation, scorm_version: str | None) -> ElementChange:
    """Return what a change of an attempt of a version of SCORM is about."""
    pair = _ELEMENTS.get(change.trigger)
    element = "" if pair is None else pair[scorm_version == "1.2"]
    unknown = "unknown" if change.trigger in _UNKNOWN else ""
    after = "suspend" if change.trigger is Trigger.SESSION_SUSPENDED else _text(change.after)
    item = str((change.about or {}).get("id") or "")
    return ElementChange(
        change.meaning, change.trigger.value, element, truncate_text(item), _text(change.before) or unknown, after
    )


def condition_values(condition: str | None, variables: dict[str, Any] | None) -> list[ConditionValue]:
    """Return what the names in a condition stood for, in the order they stand there."""
    values: dict[str, ConditionValue] = {}
    # what is quoted is a text and no name
    for name in _NAME.findall(re.sub(r"\"[^\"]*\"|'[^']*'", "", condition or "")):
        is_known, value = _lookup(variables or {}, name)
        if is_known:
            values.setdefault(name, ConditionValue(name, compact_json(value, MAX_VALUE_CHARS) or "null"))
    return list(values.values())[:MAX_VALUES]


def mark_lines(text: str, changes: Sequence[ElementChange]) -> tuple[list[MarkedLine], dict[ElementChange, int]]:
    """Return the lines of a commit as shown, and the first line that tells of each change, where one does."""
    lines = text.splitlines()
    first: dict[ElementChange, int] = {}
    marked: set[int] = set()
    for change in changes:
        pattern = _pattern(text, change)
        if pattern is None:
            continue
        numbers = [number for number, line in enumerate(lines, 1) if pattern.search(line)]
        if numbers:
            first[change] = numbers[0]
            marked.update(numbers)
    return [MarkedLine(number, line, number in marked) for number, line in enumerate(lines, 1)], first


def _pattern(text: str, change: ElementChange) -> re.Pattern[str] | None:
    """Return what the lines of a change have: the element's last name, however the format spells what is before it."""
    if not change.element:
        return None
    if change.item:
        # flat formats number items, and tell the id in one line of several
        match = re.search(rf"(interactions|objectives)\W+(\d+)\W+id\W+{re.escape(change.item)}(?!\w)", text)
        if match is None:
            return re.compile(rf"(?<!\w){re.escape(change.item)}(?!\w)")
        return re.compile(rf"(?<!\w){match[1]}\W+{match[2]}(?!\w)")
    name = change.element.rpartition(".")[2]
    names = "(?:score_?)?(?:raw|scaled|min|max)" if name == "score" else re.escape(name)
    # a key of JSON, of a form, of XML or of lines, or the first argument of a call
    return re.compile(rf"(?:(?<![\w-])|(?<=__)){names}[\"'\]]*\s*(?:[:=,>]|$)")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        parts = (f"{name} {compact_json(part)}" for name, part in value.items() if part is not None)
        return truncate_text(", ".join(parts), MAX_VALUE_CHARS)
    if isinstance(value, list):
        return truncate_text(", ".join(_text(part) for part in value if part is not None), MAX_VALUE_CHARS)
    return truncate_text(value if isinstance(value, str) else compact_json(value), MAX_VALUE_CHARS)


def _lookup(variables: dict[str, Any], name: str) -> tuple[bool, Any]:
    if name in variables:
        return True, variables[name]
    value: Any = variables
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return False, None
        value = value[part]
    return True, value
