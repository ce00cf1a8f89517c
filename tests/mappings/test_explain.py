"""Why rules spoke and why they did not: told by the rules as they are applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.analysis.explain import REASONS, Explanation, RuleExplanation, explain
from mappings.analysis.preview import FIRST_ATTEMPT, FIRST_SESSION, preview
from mappings.apply import apply_commit
from mappings.attempt import update_attempt
from mappings.definition.model import Once
from mappings.generation.statements import RuleEvaluation, RuleOutcome, generate_statements
from tests.mappings.builders import NOON, delta, received_commit
from tests.mappings.statement_builders import ANSWER, DOCUMENTS, compiled, facts

MASTERED = """
[[rules]]
name = "mastered"
when = "score.changed"
if = "score.scaled >= 0.9"
verb = "scored"
object = "sco"
once = "attempt"
"""
MAPPING = compiled(DOCUMENTS["scorm-profile"] + MASTERED)


class Session:
    """A session whose commits are explained one after another."""

    def __init__(self) -> None:
        self.at = NOON
        self.states: dict[str, Any] = {}

    def send(self, changes: Mapping[str, Any], **commit: Any) -> Explanation:
        self.at += 60_000
        shown = preview(MAPPING, received_commit(delta(changes), at=self.at, **commit), context=facts(), **self.states)
        self.states = {"attempt": shown.attempt, "session": shown.session}
        return shown.explanation


def _rules(explanation: Explanation, rule: str) -> list[RuleExplanation]:
    return [explained for explained in explanation.rules if explained.rule == rule]


def test_every_rule_is_told_of_and_the_statements_are_those_that_are_made() -> None:
    arrived = received_commit(
        delta({"core.lesson_status": "passed", "interactions": {"0": ANSWER, "1": ANSWER | {"id": "Q2"}}})
    )
    shown = preview(MAPPING, arrived, context=facts())
    explanation = shown.explanation
    done = update_attempt(FIRST_ATTEMPT, FIRST_SESSION, arrived)
    generated = generate_statements(MAPPING, facts(), done.attempt, done.session, done.changes, done.at)

    assert {rule.rule for rule in explanation.rules} == {rule.name for rule in MAPPING.definition.rules}
    assert explanation.statements == generated.statements
    assert (shown.attempt, shown.session) == (generated.attempt, generated.session)
    assert {rule.statement for rule in explanation.rules} - {None} == {
        statement.id for statement in generated.statements
    }
    assert len(_rules(explanation, "responded")) == 2
    assert [str(statement.id) for statement in shown.statements] == [statement.id for statement in generated.statements]


def test_a_rule_that_fired_names_its_change_and_its_statement() -> None:
    explanation = Session().send({"core.score.raw": "95", "core.score.max": "100"})
    (mastered,) = _rules(explanation, "mastered")
    assert mastered.change is not None
    change = explanation.changes[mastered.change]

    assert (mastered.reason, mastered.why) == ("fired", REASONS[RuleOutcome.FIRED])
    assert (change.trigger, change.before, change.after) == (
        "score.changed", None, {"scaled": 0.95, "raw": 95, "max": 100},
    )  # fmt: skip
    assert mastered.statement == explanation.statements[-1].id


def test_a_condition_that_did_not_hold_is_told_with_what_it_was_asked() -> None:
    explanation = Session().send({"core.score.raw": "40", "core.score.max": "100"})
    (mastered,) = _rules(explanation, "mastered")

    assert (mastered.reason, mastered.condition) == ("condition", "score.scaled >= 0.9")
    assert mastered.variables is not None
    assert mastered.variables["score"] == {"scaled": 0.4, "raw": 40, "max": 100}
    assert mastered.statement is None


def test_what_speaks_once_is_told_to_have_spoken() -> None:
    session = Session()
    session.send({"core.score.raw": "95", "core.score.max": "100"})
    explanation = session.send({"core.score.raw": "96"})
    (mastered,) = _rules(explanation, "mastered")

    assert mastered.reason == "once"
    assert Once.ATTEMPT.meaning in mastered.why


def test_what_did_not_happen_is_told_in_the_words_of_the_trigger() -> None:
    explanation = Session().send({"core.lesson_location": "p1"})
    (passed,) = _rules(explanation, "passed")

    assert (passed.reason, passed.change) == ("no-change", None)
    assert "the attempt became passed" in passed.why


def test_a_score_that_may_still_be_written_is_held_back_and_told_later() -> None:
    session = Session()
    first = session.send({"core.score.raw": "40"}, settled=False)
    second = session.send({"core.score.max": "50"}, settled=False)
    then = session.send({"core.lesson_location": "p1"}, settled=False)

    assert [rule.reason for explanation in (first, second) for rule in _rules(explanation, "scored")] == [
        "held-back"
    ] * 2
    assert [rule.reason for rule in _rules(then, "scored")] == ["fired"]


def test_an_answer_that_may_still_be_written_is_held_back() -> None:
    explanation = Session().send({"interactions": {"0": ANSWER}}, settled=False)

    assert [rule.reason for rule in _rules(explanation, "responded")] == ["held-back"]


def test_a_commit_that_says_nothing_has_no_statements_and_no_changes() -> None:
    session = Session()
    session.send({})
    explanation = session.send({})

    assert (explanation.disposition, explanation.changes, explanation.statements) == ("applied", (), ())
    assert {rule.reason for rule in explanation.rules} == {"no-change"}


def test_a_change_about_an_item_names_it() -> None:
    explanation = Session().send({"interactions": {"0": ANSWER}})
    change = next(change for change in explanation.changes if change.trigger == "interaction.answered")

    assert change.about is not None
    assert (change.about["kind"], change.about["id"]) == ("interaction", "Q 1")


def test_explaining_changes_nothing_of_what_is_made() -> None:
    arrived = received_commit(delta({"core.lesson_status": "failed", "core.score.raw": "1"}))
    evaluations: list[RuleEvaluation] = []
    explained = apply_commit(MAPPING, facts(), FIRST_ATTEMPT, FIRST_SESSION, arrived, evaluations=evaluations)

    assert explained == apply_commit(MAPPING, facts(), FIRST_ATTEMPT, FIRST_SESSION, arrived)
    assert explain(MAPPING, explained, evaluations).statements == explained.statements
