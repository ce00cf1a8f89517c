"""Conditions of rules: they hold, they do not, they cannot be decided; what is no condition is a fault of the file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import Change, Trigger
from mappings.cmi.interactions import interaction
from mappings.cmi.objectives import Objective
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import CompletionStatus, Snapshot, SuccessStatus
from mappings.definition import DefinitionError, load_definition
from mappings.definition.conditions import VARIABLES, compile_condition
from mappings.generation.statements import generate_statements
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import FOR_CREDIT, SHIPPED, change_of, compiled, facts

proven = settings(deadline=None, max_examples=150, derandomize=True, database=None)

KNOWN = Snapshot(
    scorm_version="2004",
    completion_status=CompletionStatus.COMPLETED,
    success_status=SuccessStatus.PASSED,
    score_raw=85.5,
    progress_measure=0.5,
)


def with_condition(condition: str, when: str = "score.changed", text: str = SHIPPED) -> str:
    """Return the shipped document with one more rule at its end, which has a condition."""
    return text + (
        f'\n[[rules]]\nname = "conditional"\nwhen = "{when}"\nverb = "scored"\nobject = "sco"\nonce = "change"\n'
        f"if = '''{condition}'''\n"
    )


def speaks(condition: str, snapshot: Snapshot = KNOWN, change: Change | str = "score.changed", **changes: Any) -> bool:
    """Return whether a rule with a condition makes a statement."""
    change = change_of(change) if isinstance(change, str) else change
    attempt = AttemptState(snapshot=snapshot, score=score(snapshot), total_time=360_000)
    mapping = compiled(with_condition(condition, change.trigger))
    generated = generate_statements(mapping, facts(**changes), attempt, SessionState(time_spent=6_050), [change], NOON)
    return "conditional" in [statement.rule for statement in generated.statements]


NEUTRAL = interaction({"id": "Q", "learner_response": "a", "result": "neutral"})


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        'completion == "completed"',
        'success == "passed" && completion != "unknown"',
        "score.raw > 85",
        "score.raw >= 85.5",
        "score.scaled > 0.8",
        "has(score.raw) && !has(score.min)",
        "progress == 0.5",
        "attempt.number == 2",
        "attempt.total_time == 3600.0",
        "session.time > 60",
        'learner.id == "u42"',
        'learner.id.startsWith("u")',
        'activity.id in ["235", "236"]',
        'course.id.matches("^[0-9]+$")',
        '["235", "236"].exists(own, own == activity.id)',
    ],
)
def test_a_rule_speaks_where_its_condition_holds(condition: str) -> None:
    assert speaks(condition, Snapshot(**{**_fields(KNOWN), "score_max": 100, "scorm_version": "1.2"}))


def _fields(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in snapshot.__struct_fields__}


@pytest.mark.parametrize(
    "condition",
    [
        "false",
        'completion == "incomplete"',
        "score.raw < 50",
        "!has(score.raw)",
        "attempt.number > 2",
        "session.time > 61",
        'learner.id == "u43"',
        "progress > 0.5",
    ],
)
def test_a_rule_is_silent_where_its_condition_does_not_hold(condition: str) -> None:
    assert not speaks(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "score.scaled >= 0.0",
        "score.raw < 50",
        "!(score.raw >= 50)",
        "progress < 2.0",
        "item.success",
        'item.id == "Q 1"',
        "completion",
        "attempt.number",
        "attempt.number / (attempt.number - 2) > 0",
        "attempt.number % (attempt.number - 2) == 0",
        "attempt.number * 9223372036854775807 > 0",
        "score.nothing == 1",
    ],
)
def test_a_condition_that_cannot_be_decided_does_not_hold(condition: str) -> None:
    assert not speaks(condition, Snapshot())


@pytest.mark.parametrize(
    ("change", "condition", "holds"),
    [
        ("interaction.answered", 'item.id == "Q 1" && item.type == "choice"', True),
        ("interaction.answered", 'item.response == "a[,]b"', True),
        ("interaction.answered", "item.success", False),
        ("interaction.answered", "item.success == false", True),
        ("objective.passed", 'item.id == "O 1" && item.success', True),
        ("objective.passed", 'item.type == "choice"', False),
        ("comment.made", 'item.id == "0"', False),
        (Change(Trigger.SCORE_CHANGED, Score(raw=1), Score(raw=2)), "change.after.raw > change.before.raw", True),
        (Change(Trigger.SCORE_CHANGED, None, Score(raw=2)), "change.before == null", True),
        (Change(Trigger.PROGRESS_CHANGED, 0.5, 1), "change.after == 1", True),
        (
            Change(
                Trigger.INTERACTION_ANSWERED,
                about=interaction({"id": "Q", "learner_response": "a", "result": "neutral"}),
            ),
            "item.success",
            False,
        ),
        (
            Change(Trigger.OBJECTIVE_FAILED, about=Objective("O", success_status=SuccessStatus.FAILED)),
            "!item.success",
            True,
        ),
    ],
    ids=str,
)
def test_a_condition_can_ask_for_what_changed(change: Change | str, condition: str, *, holds: bool) -> None:
    assert speaks(condition, change=change) == holds


def test_a_rule_that_was_silent_can_still_speak() -> None:
    """`once` counts statements, not occasions."""
    mapping = compiled(
        SHIPPED.replace(f'when = "success.passed"\n{FOR_CREDIT}', 'when = "success.passed"\nif = "score.raw > 50"\n')
    )
    attempt, rules = AttemptState(), []
    for raw in (40, 60, 70):
        snapshot = Snapshot(score_raw=raw, success_status=SuccessStatus.PASSED)
        generated = generate_statements(
            mapping,
            facts(),
            AttemptState(snapshot=snapshot, score=score(snapshot), firing_counts=attempt.firing_counts),
            SessionState(),
            [Change(Trigger.SUCCESS_PASSED)],
            NOON,
        )
        rules.append([statement.rule for statement in generated.statements])
        attempt = generated.attempt

    assert rules == [[], ["passed"], []]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("score.raw >", "is not a CEL expression"),
        ("a b", "is not a CEL expression"),
        ("'", "is not a CEL expression"),
        ("grade > 5", "uses grade, which there is not; there are completion, "),
        ("grade > 5 || rank < 3", "uses grade, rank, which there is not"),
        ("nosuch(score.raw)", "cannot be evaluated: "),
        ('learner.id.matches("[")', "cannot be evaluated: "),
    ],
)
def test_what_is_no_condition_is_a_fault_with_its_place(condition: str, message: str) -> None:
    text = with_condition(condition)
    with pytest.raises(DefinitionError) as caught:
        load_definition(text, "test.toml")
    (fault,) = caught.value.faults

    assert (fault.place, fault.line) == (f"rules[{SHIPPED.count('[[rules]]')}].if", text.count("\n"))
    assert fault.message.startswith(message)


@pytest.mark.parametrize("value", ['""', '" "', "true", "7", "[]", "{}"])
def test_a_condition_must_be_a_text(value: str) -> None:
    with pytest.raises(DefinitionError, match=r"rules\[0\]\.if: must "):
        load_definition(SHIPPED.replace('name = "initialized"', f'name = "initialized"\nif = {value}'), "test.toml")


@pytest.mark.parametrize("condition", ["1 / 0 > 1", "attempt.number / 0 == 1", "9223372036854775807 + 1 > 0"])
def test_arithmetic_that_has_no_result_makes_no_document_fail(condition: str) -> None:
    assert not speaks(condition)


@given(st.text(max_size=20) | st.text("score.raw><=1/0()[]'\"!&|+-*% ", max_size=20))
@proven
def test_no_text_makes_compiling_fail_otherwise_than_with_its_fault(text: str) -> None:
    try:
        condition = compile_condition(text)
    except ValueError:
        return

    assert condition.holds({}) in (True, False)


def test_every_variable_can_be_used() -> None:
    for name in VARIABLES:
        assert compile_condition(f"{name} == null").text == f"{name} == null"
