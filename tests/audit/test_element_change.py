"""What a change is about: its element, its values, and the lines of the commit that tell of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.audit.components.element_change import ElementChange, condition_values, element_change, mark_lines
from mappings.analysis.explain import ChangeExplanation
from mappings.attempt.changes import Trigger


def changed(trigger: Trigger, before: Any, after: Any, version: str = "2004", **about: Any) -> ElementChange:
    return element_change(ChangeExplanation(trigger, trigger.meaning, before, after, about or None), version)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changed(Trigger.SUCCESS_FAILED, None, "failed"), ("cmi.success_status", "", "unknown", "failed")),
        (
            changed(Trigger.SUCCESS_PASSED, "failed", "passed", "1.2"),
            ("cmi.core.lesson_status", "", "failed", "passed"),
        ),
        (
            changed(Trigger.SCORE_CHANGED, {"raw": 4, "max": None}, {"raw": 5.5, "max": 10}),
            ("cmi.score", "", "raw 4", "raw 5.5, max 10"),
        ),
        (changed(Trigger.PROGRESS_CHANGED, None, 0.5), ("cmi.progress_measure", "", "", "0.5")),
        (changed(Trigger.SESSION_SUSPENDED, None, None), ("cmi.exit", "", "", "suspend")),
        (
            changed(Trigger.OBJECTIVE_PASSED, None, "passed", kind="objective", id="o1"),
            ("cmi.objectives.n.success_status", "o1", "unknown", "passed"),
        ),
        (changed(Trigger.ATTEMPT_STARTED, None, None), ("", "", "", "")),
    ],
)
def test_a_change_names_its_element_with_the_values_before_and_after(
    change: ElementChange, expected: tuple[str, str, str, str]
) -> None:
    assert (change.element, change.item, change.before, change.after) == expected


def test_every_trigger_is_said_in_words() -> None:
    for trigger in Trigger:
        assert changed(trigger, None, None).meaning == trigger.meaning


STATUS = changed(Trigger.SUCCESS_FAILED, None, "failed")
OLD_STATUS = changed(Trigger.SUCCESS_FAILED, None, "failed", "1.2")
ANSWER = changed(Trigger.INTERACTION_ANSWERED, None, None, kind="interaction", id="q-2")


@pytest.mark.parametrize(
    ("text", "change", "numbers"),
    [
        ('{\n"cmi.success_status": "failed",\n"cmi.exit": ""}', STATUS, [2]),
        ('{"core": {\n"lesson_status": "failed"\n}}', OLD_STATUS, [2]),
        ("cmi__core__lesson_status=failed&a=b", OLD_STATUS, [1]),
        ("[core]\nlesson_status = failed", OLD_STATUS, [2]),
        ('SetValue(\n"cmi.core.lesson_status", "failed")', OLD_STATUS, [2]),
        ("<lesson_status>failed</lesson_status>", OLD_STATUS, [1]),
        ('"my_success_status": 1\n"the-success_status": 2\n"x": "success_status of old"', STATUS, []),
        ('"score": {\n"raw": 5,\n"max": 10}', changed(Trigger.SCORE_CHANGED, None, {"raw": 5}), [2, 3]),
        (
            '"cmi.interactions.0.id": "q-1"\n"cmi.interactions.1.id": "q-2"\n"cmi.interactions.1.result": "x"\n"q-20"',
            ANSWER,
            [2, 3],
        ),
        ('"id": "q-2",\n"id": "q-20"', ANSWER, [1]),
        ("nothing of it", changed(Trigger.ATTEMPT_STARTED, None, None), []),
    ],
)
def test_the_lines_of_a_commit_that_tell_of_a_change_are_marked_in_any_format(
    text: str, change: ElementChange, numbers: list[int]
) -> None:
    lines, first = mark_lines(text, [change])

    assert [line.number for line in lines if line.is_marked] == numbers
    assert "\n".join(line.text for line in lines) == text
    assert first == ({change: numbers[0]} if numbers else {})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("score.scaled < 0.5 && session.mode == 'normal'", {"score.scaled": 0.4, "session.mode": "browse"}),
        ('session.mode == "score.scaled"', {"session.mode": "browse"}),
        ("success == null", {"success": None}),
        ("nothing.known > 1", {}),
        (None, {}),
    ],
)
def test_the_names_in_a_condition_are_shown_with_what_they_stood_for(
    condition: str | None, expected: dict[str, Any]
) -> None:
    variables = {"score": {"scaled": 0.4}, "session": {"mode": "browse"}, "success": None}
    values = condition_values(condition, variables)

    assert {value.name: json.loads(value.value) for value in values} == expected
