"""Statements as sentences."""

from __future__ import annotations

import json

import pytest

from bridge.audit.components.statement_view import Sentence, sentence, time_spent


def told(**parts: object) -> Sentence:
    return sentence(json.dumps(parts), sees_names=True, sees_cmi=True)


def test_all_parts_are_told_in_words() -> None:
    found = told(
        actor={"name": "Ada", "account": {"name": "u1", "homePage": "https://lms.example.org"}},
        verb={"id": "http://adlnet.gov/expapi/verbs/passed", "display": {"de": "bestand", "en-US": "passed"}},
        object={"id": "https://x.example.org/1", "definition": {"name": {"und": "Drill"}}},
        result={
            "completion": True,
            "success": False,
            "score": {"scaled": 0.5},
            "duration": "PT1H3.5S",
            "response": "a",
        },
    )
    assert found == Sentence("Ada", "passed", "Drill", ("completed", "no success", "score 50 %", "1 h 3.5 s"), "a")


@pytest.mark.parametrize("odd", [None, 1, "x", [], {"x": 1}])
def test_parts_of_other_kinds_are_left_out(odd: object) -> None:
    found = told(actor=odd, verb=odd, object=odd, result=odd)
    assert found == Sentence("a learner", "", "", (), None)


def test_a_raw_score_is_told_where_no_scaled_one_is() -> None:
    assert told(result={"score": {"raw": 3, "max": 4}}).results == ("score 3 of 4",)
    assert told(result={"score": {"raw": 3}}).results == ("score 3",)


@pytest.mark.parametrize(
    ("duration", "said"), [("PT0S", "0 s"), ("PT12M3S", "12 min 3 s"), ("PT1H2M3.25S", "1 h 2 min 3.25 s")]
)
def test_a_duration_is_said_with_units(duration: str, said: str) -> None:
    assert time_spent(duration) == said


def test_a_learner_known_by_an_address_is_named_by_it_to_those_who_may_see_names() -> None:
    body = json.dumps({"actor": {"mbox": "mailto:ada@example.org"}})
    assert sentence(body, sees_names=True, sees_cmi=True).actor == "ada@example.org"
    assert sentence(body, sees_names=False, sees_cmi=True).actor == "a learner"
    hashed = json.dumps({"actor": {"mbox_sha1sum": "0" * 40}})
    assert sentence(hashed, sees_names=True, sees_cmi=True).actor == "a learner"
