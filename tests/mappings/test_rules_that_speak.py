"""Which rules speak, how often, and what their conditions can ask for."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import Change, Trigger
from mappings.attempt.enrollment import EnrollmentState
from mappings.cmi.snapshot import CompletionStatus, Snapshot, SuccessStatus
from mappings.definition.conditions import MAX_ANSWERS, compile_condition
from mappings.generation.statements import generate_statements
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import (
    ATTEMPT,
    DOCUMENTS,
    ENROLLMENT,
    FOR_CREDIT,
    SESSION,
    SHIPPED,
    change_of,
    compiled,
    facts,
    reached,
    tell,
)
from tests.mappings.test_documents import changed

OTHER = "44444444-4444-4444-8444-444444444444"
ONCE = SHIPPED.replace(
    f'when = "completion.completed"\n{FOR_CREDIT}verb = "completed"\nobject = "sco"\nresult = ["completion"]\n'
    'once = "attempt"',
    f'when = "completion.completed"\n{FOR_CREDIT}verb = "completed"\nobject = "sco"\nresult = ["completion"]\n'
    'once = "enrollment"',
)


def test_a_rule_of_once_an_enrollment_speaks_once_in_all_attempts() -> None:
    assert ONCE != SHIPPED
    mapping, enrollment, rule_names = compiled(ONCE), EnrollmentState(), []
    for number, uid in enumerate((ATTEMPT, ENROLLMENT, OTHER), 1):
        session = SessionState(credit="no-credit" if number == 1 else None)
        done = generate_statements(
            mapping,
            facts(attempt_id=uid, attempt_number=number),
            AttemptState(),
            session,
            [Change(Trigger.COMPLETION_COMPLETED), Change(Trigger.COMPLETION_COMPLETED)],
            NOON,
            enrollment=enrollment,
        )
        enrollment = done.enrollment
        rule_names.append([statement.rule for statement in done.statements])
    assert rule_names == [[], ["completed"], []]
    assert enrollment == EnrollmentState(("completed",))


def test_of_items_each_is_told_once_an_enrollment() -> None:
    text = SHIPPED.replace('when = "objective.passed"', 'when = "objective.passed"\n#').replace(
        'result = ["success", "score"]\nonce = "attempt"', 'result = ["success", "score"]\nonce = "enrollment"'
    )
    mapping = compiled(text)
    change = [tell("objective.passed", mapping=mapping) for _ in range(2)]

    assert change[0] == change[1]  # each time of a new enrollment


@pytest.mark.parametrize(
    ("mode", "credit", "speaks"),
    [
        (None, None, True),
        ("normal", "credit", True),
        ("normal", "no-credit", False),
        ("review", "credit", False),
        ("browse", None, False),
    ],
)
def test_the_shipped_rules_tell_no_completion_success_or_score_of_what_does_not_count(
    mode: str | None, credit: str | None, *, speaks: bool
) -> None:
    snapshot = Snapshot(
        completion_status=CompletionStatus.COMPLETED, success_status=SuccessStatus.PASSED, score_scaled=0.9
    )
    triggers = [
        "objective.scored", "objective.completed", "objective.passed", "objective.failed", "score.changed",
        "completion.completed", "success.passed", "success.failed", "session.terminated",
    ]  # fmt: skip
    done = generate_statements(
        compiled(),
        facts(),
        reached(snapshot),
        SessionState(mode=mode, credit=credit, time_spent=100),
        [*map(change_of, triggers)],
        NOON,
    )
    bodies = {statement.rule: json.loads(statement.body) for statement in done.statements}

    if speaks:
        assert list(bodies) == [
            "objective-scored", "objective-completed", "objective-passed", "objective-failed", "scored", "completed",
            "passed", "failed", "terminated",
        ]  # fmt: skip
        assert bodies["terminated"]["result"].keys() == {"completion", "success", "score", "duration"}
    else:
        assert list(bodies) == ["terminated-without-credit"]
        assert bodies["terminated-without-credit"]["result"] == {"duration": "PT5M30.25S"}


def test_a_condition_of_few_answers_is_worked_out_once_for_each_and_remembers_a_bounded_number() -> None:
    condition = compile_condition('session.mode == "normal" && !enrollment.passed')

    for number in range(MAX_ANSWERS * 2):
        assert not condition.holds_for((f"m{number}", "credit", "", "unknown", "server", False, False))
    assert condition.holds_for(("normal", "credit", "", "unknown", "server", False, False))
    assert not condition.holds_for(("normal", "credit", "", "unknown", "server", False, True))
    assert len(condition.answers) == MAX_ANSWERS


@pytest.mark.parametrize(
    ("text", "is_settled"),
    [
        ('session.mode == "normal" && session.credit == "credit"', True),
        ('session.ended == "" && session.success == "failed" && !enrollment.passed', True),
        ('"session.time" == session.mode', True),
        ("session.time > 1.0", False),
        ('session["mode"] == "x"', False),
        ("session == session", False),
        ('score.raw > 1 && session.mode == "normal"', False),
        (r"""r"\" == session.mode || session.time > 1.0 || "" == "" """, False),
        ("true", False),
    ],
)
def test_only_a_condition_that_asks_for_words_alone_has_few_answers(text: str, *, is_settled: bool) -> None:
    assert compile_condition(text).is_settled == is_settled


def test_a_condition_can_ask_for_attributes() -> None:
    text = SHIPPED.replace(
        'when = "attempt.started"\n', 'when = "attempt.started"\nif = "learner.attributes.department == \'Sales\'"\n'
    )
    mapping = compiled(text)

    assert tell("attempt.started", mapping=mapping) == []
    assert len(tell("attempt.started", mapping=mapping, learner_attributes='{"department":"Sales"}')) == 1


def test_statements_of_a_session_are_told_with_the_facts_of_now() -> None:
    text = changed("category = []", 'category = []\nextensions = {"x:d" = "{learner.attributes.d}"}')
    mapping = compiled(text)
    values = []
    for value in ("1", "2"):
        done = generate_statements(
            mapping,
            replace(facts(), learner_attributes=json.dumps({"d": value})),
            AttemptState(),
            SessionState(),
            [Change(Trigger.COMPLETION_COMPLETED)],
            NOON,
        )
        values.append(json.loads(done.statements[0].body)["context"]["extensions"]["x:d"])

    assert values == ["1", "2"]


def test_the_smallest_document_tells_the_attempts_number() -> None:
    (statement,) = tell("completion.completed", mapping=compiled(DOCUMENTS["minimal"]), attempt_number=3)

    assert statement["context"]["extensions"] == {"https://lms.example.org/xapi/extensions/attempt": 3}


def test_a_session_that_goes_on_after_its_end_was_told_is_another_one_to_rules_and_statements() -> None:
    mapping = compiled(DOCUMENTS["cmi5"])
    attempt, session, statements = AttemptState(), SessionState(), []
    for changes in (
        ["attempt.started", "session.abandoned"],
        ["completion.completed"],
        ["session.resumed", "completion.completed"],
        ["session.terminated"],
        ["session.terminated"],
        ["session.resumed", "session.suspended"],
    ):
        done = generate_statements(mapping, facts(), attempt, session, [*map(change_of, changes)], NOON)
        attempt, session = done.attempt, done.session
        statements += [json.loads(statement.body) for statement in done.statements]
    ids = [
        sent["context"]["extensions"]["https://w3id.org/xapi/cmi5/context/extensions/sessionid"] for sent in statements
    ]

    assert [sent["verb"]["display"]["en-US"] for sent in statements] == [
        *("initialized", "abandoned"),
        *("initialized", "completed", "terminated"),
        *("initialized", "terminated"),
    ]
    assert ids == [SESSION] * 2 + [f"{SESSION}-2"] * 3 + [f"{SESSION}-3"] * 2
    assert len({sent["id"] for sent in statements}) == len(statements)
