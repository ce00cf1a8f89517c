"""Why rules spoke and why they did not: told by the rules as they are applied."""

from __future__ import annotations

from mappings.analysis.explain import REASONS, explain
from mappings.analysis.preview import FIRST_ATTEMPT, FIRST_SESSION, preview
from mappings.apply import apply_commit
from mappings.attempt import update_attempt
from mappings.definition.model import ONCE
from mappings.generation.statements import generate_statements
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

    def __init__(self):
        self.at, self.states = NOON, {}

    def send(self, changes, **commit):
        self.at += 60_000
        found = preview(MAPPING, received_commit(delta(changes), at=self.at, **commit), context=facts(), **self.states)
        self.states = {"attempt": found.attempt, "session": found.session}
        return found.explanation


def _rules(explanation, rule):
    return [one for one in explanation.rules if one.rule == rule]


def test_every_rule_is_told_of_and_the_statements_are_those_that_are_made():
    arrived = received_commit(
        delta({"core.lesson_status": "passed", "interactions": {"0": ANSWER, "1": ANSWER | {"id": "Q2"}}})
    )
    found = preview(MAPPING, arrived, context=facts())
    told = found.explanation
    done = update_attempt(FIRST_ATTEMPT, FIRST_SESSION, arrived)
    made = generate_statements(MAPPING, facts(), done.attempt, done.session, done.changes, done.at)

    assert {one.rule for one in told.rules} == {one.name for one in MAPPING.definition.rules}
    assert told.statements == made.statements
    assert (found.attempt, found.session) == (made.attempt, made.session)
    assert {one.statement for one in told.rules} - {None} == {one.id for one in made.statements}
    assert len(_rules(told, "responded")) == 2
    assert [str(one.id) for one in found.statements] == [one.id for one in made.statements]


def test_a_rule_that_fired_names_its_change_and_its_statement():
    told = Session().send({"core.score.raw": "95", "core.score.max": "100"})
    (mastered,) = _rules(told, "mastered")
    change = told.changes[mastered.change]

    assert (mastered.reason, mastered.why) == ("fired", REASONS["fired"])
    assert (change.trigger, change.before, change.after) == (
        "score.changed", None, {"scaled": 0.95, "raw": 95, "max": 100},
    )  # fmt: skip
    assert mastered.statement == told.statements[-1].id


def test_a_condition_that_did_not_hold_is_told_with_what_it_was_asked():
    told = Session().send({"core.score.raw": "40", "core.score.max": "100"})
    (mastered,) = _rules(told, "mastered")

    assert (mastered.reason, mastered.condition) == ("condition", "score.scaled >= 0.9")
    assert mastered.variables["score"] == {"scaled": 0.4, "raw": 40, "max": 100}
    assert mastered.statement is None


def test_what_speaks_once_is_told_to_have_spoken():
    session = Session()
    session.send({"core.score.raw": "95", "core.score.max": "100"})
    told = session.send({"core.score.raw": "96"})
    (mastered,) = _rules(told, "mastered")

    assert mastered.reason == "once"
    assert ONCE["attempt"] in mastered.why


def test_what_did_not_happen_is_told_in_the_words_of_the_trigger():
    told = Session().send({"core.lesson_location": "p1"})
    (passed,) = _rules(told, "passed")

    assert (passed.reason, passed.change) == ("no-change", None)
    assert "the attempt became passed" in passed.why


def test_a_score_that_may_still_be_written_is_held_back_and_told_later():
    session = Session()
    first = session.send({"core.score.raw": "40"}, settled=False)
    second = session.send({"core.score.max": "50"}, settled=False)
    then = session.send({"core.lesson_location": "p1"}, settled=False)

    assert [one.reason for told in (first, second) for one in _rules(told, "scored")] == ["held-back"] * 2
    assert [one.reason for one in _rules(then, "scored")] == ["fired"]


def test_an_answer_that_may_still_be_written_is_held_back():
    told = Session().send({"interactions": {"0": ANSWER}}, settled=False)

    assert [one.reason for one in _rules(told, "responded")] == ["held-back"]


def test_a_commit_that_says_nothing_has_no_statements_and_no_changes():
    session = Session()
    session.send({})
    told = session.send({})

    assert (told.disposition, told.changes, told.statements) == ("applied", (), ())
    assert {one.reason for one in told.rules} == {"no-change"}


def test_a_change_about_an_item_names_it():
    told = Session().send({"interactions": {"0": ANSWER}})
    change = next(one for one in told.changes if one.trigger == "interaction.answered")

    assert (change.about["kind"], change.about["id"]) == ("interaction", "Q 1")


def test_explaining_changes_nothing_of_what_is_made():
    arrived = received_commit(delta({"core.lesson_status": "failed", "core.score.raw": "1"}))
    evaluations = []
    explained = apply_commit(MAPPING, facts(), FIRST_ATTEMPT, FIRST_SESSION, arrived, evaluations=evaluations)

    assert explained == apply_commit(MAPPING, facts(), FIRST_ATTEMPT, FIRST_SESSION, arrived)
    assert explain(MAPPING, explained, evaluations).statements == explained.statements
