"""What the gate passes at first sight is what the checks in words pass too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import Change, Trigger
from mappings.cmi.interactions import interaction
from mappings.definition import compile_definition, load_definition
from mappings.definition.compiled import CompiledMapping
from mappings.generation.statements import generate_statements
from mappings.xapi.fast_checks import is_sound_activity, is_sound_result
from mappings.xapi.statement_validator import StatementValidator
from mappings.xapi.validation import Edition, check_activity, check_result, check_statement
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import ANSWER, DOCUMENTS, ODD_IDS, SHIPPED, change_of, compiled, facts

proven = settings(deadline=None, max_examples=500, derandomize=True, database=None)

_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, "1", "", [], {}, 2, -1.5, 0.5, "PT1H", "PT", "P1W", "urn:x", "http://", "a b"]
)
_NUMBERS = st.sampled_from([-2, -1, 0, 0.5, 1, 50, 100, 1e300])
_SCORES = st.dictionaries(st.sampled_from(["scaled", "raw", "min", "max"]), _NUMBERS | _ODD)
_KEYS = st.sampled_from(["urn:x", "https://example.org/x", "http://", "x", "https://example.org/%zz", ""])
results = st.fixed_dictionaries(
    {},
    optional={
        "score": _SCORES | _ODD,
        "success": st.booleans() | _ODD,
        "completion": st.booleans() | _ODD,
        "response": st.text() | _ODD,
        "duration": st.sampled_from(["PT1H5M", "P4W", "PT0.5H1M", "-PT1H"]) | _ODD,
        "extensions": st.dictionaries(_KEYS, _ODD) | _ODD,
        "other": _ODD,
    },
)


@given(results | _ODD)
@proven
def test_a_result_is_sound_at_first_sight_only_where_nothing_is_wrong_with_it(result: object) -> None:
    assert not is_sound_result(msgspec.json.encode(result)) or not list(check_result(result, "result"))


_WORDS = st.dictionaries(st.sampled_from(["en-US", "de", "x y", ""]), st.sampled_from(["Engines", ""]) | _ODD)
activities = st.fixed_dictionaries(
    {},
    optional={
        "id": _KEYS | _ODD,
        "objectType": st.sampled_from(["Activity", "Agent"]) | _ODD,
        "definition": _ODD
        | st.fixed_dictionaries(
            {},
            optional={
                "type": _KEYS | _ODD,
                "name": _WORDS | _ODD,
                "description": _WORDS,
                "interactionType": st.sampled_from(["choice", "other", "Choice"]) | _ODD,
                "correctResponsesPattern": st.lists(st.sampled_from(["a", ""]) | _ODD) | _ODD,
                "choices": _ODD,
            },
        ),
    },
)


@given(activities | _ODD)
@proven
def test_an_activity_is_sound_at_first_sight_only_where_nothing_is_wrong_with_it(activity: object) -> None:
    assert not is_sound_activity(msgspec.json.encode(activity)) or not list(check_activity(activity, "object"))


def test_a_usual_interaction_is_sound_at_first_sight() -> None:
    definition = {
        "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
        "description": {"en-US": "Which?"},
        "interactionType": "choice",
        "correctResponsesPattern": ["a[,]b"],
    }
    activity = {
        "objectType": "Activity",
        "id": "https://lms.example.org/1/interactions/q%201",
        "definition": definition,
    }

    assert is_sound_activity(msgspec.json.encode(activity))


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"completion": True, "success": False, "duration": "PT5M30.25S", "response": "a[,]b"},
        {"score": {"scaled": 0.85, "raw": 85, "min": 0, "max": 100}},
        {"score": {"scaled": -1}, "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 50}},
        {"extensions": {"https://lms.example.org/xapi/extensions/cmi": {"weighting": "1"}}},
    ],
)
def test_usual_results_are_sound_at_first_sight(result: dict[str, Any]) -> None:
    assert is_sound_result(msgspec.json.encode(result))


_OF_A_KIND = {
    "home_page": ["https://lms.example.org/", "https://lms.example.org/a%20b", "https://", "https://x/50%", "lms"],
    "activity_id": ["235", "https://x.example/50%", "https://x.example/a", "urn:x", "http://", *ODD_IDS[:12]],
    "activity_type": ["", "https://x.example/type", "https://x.example/%zz", "type"],
    "course_id": ["", "7", "https://x.example/%", "urn:c:7"],
    "learner_id": ["u42", "50%", "a b"],
}


def _problem(mapping: CompiledMapping, who: dict[str, str]) -> tuple[str | None, list[str]]:
    (generated,) = generate_statements(
        mapping, facts(**who), AttemptState(), SessionState(number=1), [change_of("completion.completed")], NOON
    ).statements
    statement = msgspec.json.decode(generated.body)
    whole = [fault for edition in Edition for fault in check_statement(statement, "statement", edition)]
    return generated.problem, whole


@given(
    st.lists(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _OF_A_KIND.items()}), max_size=6)
)
@proven
@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.slow
def test_a_statement_passes_after_others_of_its_rule_only_where_it_would_pass_alone(
    name: str, several: list[dict[str, str]]
) -> None:
    mapping = compile_definition(load_definition(DOCUMENTS[name], name), name)
    assert _problem(mapping, {})[0] is None
    for who in several:
        problem, whole = _problem(mapping, who)
        assert (problem is None) == (whole == []), who


@pytest.mark.parametrize(
    ("old", "new", "who"),
    [
        ('registration = "{registration}"', 'registration = "{learner.id}"', {"learner_id": "u42"}),
        ('"{activity.iri}{attempt.query}"', '"{activity.id}:{attempt.id}"', {"activity_id": "2 35"}),
        ('"{lms.base}/xapi/extensions/cmi"', '"{lms.base}/%4{activity.id}"', {"activity_id": "x"}),
        (
            '"{activity.type|http://adlnet.gov/expapi/activities/lesson}"',
            '"http://{activity.id}"',
            {"activity_id": "?"},
        ),
    ],
)
def test_a_document_that_puts_ids_where_not_any_text_will_do_has_each_session_judged(
    old: str, new: str, who: dict[str, str]
) -> None:
    assert old in SHIPPED
    sound = {"learner_id": "11111111-1111-4111-8111-111111111111", "activity_id": "a1"}
    mapping = compile_definition(load_definition(SHIPPED.replace(old, new), "test.toml"), "test.toml")
    assert _problem(mapping, sound) == (None, [])
    problem, whole = _problem(mapping, who)
    assert (problem is None) == (whole == [])


def test_a_context_with_a_fault_is_refused_each_time_and_a_sound_one_beside_it_is_not() -> None:
    validator = StatementValidator()
    change = Change(Trigger.INTERACTION_ANSWERED, about=interaction(ANSWER))
    (generated,) = generate_statements(
        compiled(), facts(), AttemptState(), SessionState(number=1), [change], NOON
    ).statements
    sound = generated.body.encode()
    faulty = sound.replace(b'"id":"https://w3id.org/xapi/scorm"', b'"id":"no IRI"')
    assert faulty != sound

    problems = [validator.problem(body, b"", "rule", item=True) for body in (sound, faulty, sound, faulty)]
    assert [problem is None for problem in problems] == [True, False, True, False]
