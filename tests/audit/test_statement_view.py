"""Statements in words."""

from __future__ import annotations

import json

import pytest

from bridge.audit.components.statement_view import StatementDescription, format_duration, summarize


def summary_of(**parts: object) -> StatementDescription:
    """Return the summary of a statement with these parts, as auditors see it."""
    return summarize(json.dumps(parts), sees_names=True, sees_cmi=True)


def test_all_parts_of_a_statement_are_in_its_summary() -> None:
    summary = summary_of(
        actor={"name": "Ada", "account": {"name": "u1", "homePage": "https://lms.example.org"}},
        verb={"id": "http://adlnet.gov/expapi/verbs/passed", "display": {"de": "bestand", "en-US": "passed"}},
        object={"id": "https://x.example.org/1", "definition": {"name": {"und": "Drill"}}},
        result={
            "completion": True,
            "success": False,
            "score": {"scaled": 0.5, "raw": 3, "max": 6},
            "duration": "PT1H3.5S",
            "response": "a",
        },
    )

    assert summary == StatementDescription(
        actor="Ada",
        verb="passed",
        object="Drill",
        object_id="https://x.example.org/1",
        results=("completed", "failed", "score 50 % (3 of 6)", "1 h 3.5 s"),
        response="a",
    )


@pytest.mark.parametrize("odd", [None, 1, "x", [], {"x": 1}])
def test_parts_of_unexpected_types_are_left_out(odd: object) -> None:
    assert summary_of(actor=odd, verb=odd, object=odd, result=odd) == StatementDescription(actor="a learner")


@pytest.mark.parametrize("body", ["", "nothing", "[]", "[" * 100_000, b"\xff"])
def test_what_is_no_statement_has_an_empty_summary(body: str | bytes) -> None:
    assert summarize(body, sees_names=True, sees_cmi=True) == StatementDescription(actor="a learner")


@pytest.mark.parametrize(
    ("score", "text"),
    [
        ({"raw": 3, "max": 4}, "score 3 of 4"),
        ({"raw": 3}, "score 3"),
        ({"scaled": 0.125}, "score 12.5 %"),
        ({"scaled": -0.5, "raw": -1}, "score -50 % (-1)"),
    ],
)
def test_a_score_is_shown_as_far_as_its_parts_are_known(score: object, text: str) -> None:
    assert summary_of(result={"score": score}).results == (text,)


@pytest.mark.parametrize(
    ("duration", "text"), [("PT0S", "0 s"), ("PT12M3S", "12 min 3 s"), ("PT1H2M3.25S", "1 h 2 min 3.25 s")]
)
def test_a_duration_is_shown_with_units(duration: str, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        ({"mbox": "mailto:ada@example.org"}, "ada@example.org"),
        ({"openid": "https://ada.example.org"}, "https://ada.example.org"),
        ({"mbox_sha1sum": "0" * 40}, "0" * 40),
    ],
)
def test_an_actor_without_an_account_is_named_only_to_those_who_may_see_names(actor: object, name: str) -> None:
    body = json.dumps({"actor": actor})

    assert summarize(body, sees_names=True, sees_cmi=True).actor == name
    assert summarize(body, sees_names=False, sees_cmi=True).actor == "a learner"


def test_the_object_of_a_voiding_statement_is_the_statement_that_it_voids() -> None:
    summary = summary_of(object={"objectType": "StatementRef", "id": "s1"})

    assert (summary.object, summary.object_id) == ("statement s1", "s1")


@pytest.mark.parametrize(("success", "text"), [(True, "correct"), (False, "incorrect")])
def test_an_answer_to_an_interaction_is_correct_or_incorrect(*, success: bool, text: str) -> None:
    target = {"id": "https://x.example.org/1", "definition": {"interactionType": "fill-in"}}

    assert summary_of(object=target, result={"success": success}).results == (text,)
