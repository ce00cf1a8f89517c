"""Interactions of all ten types in both versions of SCORM, and what real content makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.cmi.comments import Comment, new_comments
from mappings.cmi.interactions import MAX_LIST_ITEMS, TYPES, Interaction, answer, interaction
from mappings.cmi.objectives import Objective, objectives
from mappings.cmi.snapshot import ScormVersion, Snapshot
from mappings.cmi.tree import item as clean
from tests.mappings.builders import numbered

proven = settings(deadline=None, max_examples=150, derandomize=True, database=None)


def read(sent: dict[str, Any]) -> Interaction:
    """Return an interaction that is an answer."""
    reading = interaction(sent)
    assert reading is not None
    return reading


def old(kind: str, response: str, *patterns: str, **elements: str) -> dict[str, Any]:
    """Return an interaction as SCORM 1.2 content sends it."""
    return item("student_response", kind, response, patterns, elements)


def new(kind: str, response: str, *patterns: str, **elements: str) -> dict[str, Any]:
    """Return an interaction as SCORM 2004 content sends it."""
    return item("learner_response", kind, response, patterns, elements)


def item(key: str, kind: str, response: str, patterns: tuple[str, ...], elements: dict[str, str]) -> dict[str, Any]:
    sent = {"id": "Q1", "type": kind, key: response} | elements
    return sent | {"correct_responses": numbered(*({"pattern": pattern} for pattern in patterns))} if patterns else sent


TABLE: list[tuple[dict[str, Any], str, tuple[str, ...]]] = [
    (old("true-false", "t", "f"), "true", ("false",)),
    (old("true-false", "0", "1"), "false", ("true",)),
    (old("true-false", "true", "T"), "true", ("true",)),
    (new("true-false", "true", "false"), "true", ("false",)),
    (new("true-false", "maybe", "true"), "maybe", ("true",)),
    (old("choice", "a", "b"), "a", ("b",)),
    (old("choice", "a,b", "{a,c}", "d"), "a[,]b", ("a[,]c", "d")),
    (old("choice", "{a, b}", "a"), "a[,]b", ("a",)),
    (old("choice", "10,11", "10,11"), "10[,]11", ("10[,]11",)),
    (old("choice", "first_choice,second_choice", "x"), "first_choice[,]second_choice", ("x",)),
    (old("choice", "a[,]b", "a[,]c"), "a[,]b", ("a[,]c",)),
    (new("choice", "a[,]b", "a[,]c"), "a[,]b", ("a[,]c",)),
    (new("choice", "a, or b", "b"), "a, or b", ("b",)),
    (old("fill-in", "Paris, France", "Paris"), "Paris, France", ("Paris",)),
    (old("fill-in", "{braces}", "{braces}"), "{braces}", ("{braces}",)),
    (
        new("fill-in", "{lang=en}car[,]bus", "{case_matters=true}{order_matters=false}{lang=en}car[,]bus"),
        "{lang=en}car[,]bus",
        ("{case_matters=true}{order_matters=false}{lang=en}car[,]bus",),
    ),
    (new("fill-in", "{case_matters=false}car", "{case_matters=false}car"), "car", ("{case_matters=false}car",)),
    (new("long-fill-in", "One. Two, three.\nFour", "x"), "One. Two, three.\nFour", ("x",)),
    (
        new("long-fill-in", "{case_matters=true}{lang=en}x", "{case_matters=true}{lang=en}x"),
        "{lang=en}x",
        ("{case_matters=true}{lang=en}x",),
    ),
    (old("matching", "1.a,2.b", "{1.b,2.a}"), "1[.]a[,]2[.]b", ("1[.]b[,]2[.]a",)),
    (old("matching", "{1.a, 2.b}", "1.a"), "1[.]a[,]2[.]b", ("1[.]a",)),
    (new("matching", "s1[.]t1[,]s2[.]t2", "s1[.]t2"), "s1[.]t1[,]s2[.]t2", ("s1[.]t2",)),
    (old("performance", "pressed", "pressed,held"), "[.]pressed", ("[.]pressed,held",)),
    (
        new("performance", "s1[.]on[,]s2[.]4", "{order_matters=false}s1[.]on[,]s2[.]3[:]5"),
        "s1[.]on[,]s2[.]4",
        ("{order_matters=false}s1[.]on[,]s2[.]3[:]5",),
    ),
    (
        new("performance", "{order_matters=true}on", "{order_matters=true}on"),
        "[.]on",
        ("{order_matters=true}[.]on",),
    ),
    (old("sequencing", "c,a,b", "a,b,c"), "c[,]a[,]b", ("a[,]b[,]c",)),
    (new("sequencing", "c[,]a", "a[,]c"), "c[,]a", ("a[,]c",)),
    (old("likert", "3"), "3", ()),
    (new("likert", "strongly_agree"), "strongly_agree", ()),
    (old("numeric", "4.5", "4:5"), "4.5", ("4[:]5",)),
    (old("numeric", "4", "4"), "4", ("4",)),
    (old("numeric", "-4", "-5 : -3.5"), "-4", ("-5[:]-3.5",)),
    (old("numeric", "4", ":5", "4:"), "4", ("[:]5", "4[:]")),
    (old("numeric", "12:30", "about 12:30"), "12:30", ("about 12:30",)),
    (new("numeric", "4", "4[:]5"), "4", ("4[:]5",)),
    (new("other", "any, thing. {at all}", "x[,]y"), "any, thing. {at all}", ("x[,]y",)),
]


@pytest.mark.parametrize(("sent", "response", "patterns"), TABLE, ids=lambda value: str(value)[:60])
def test_responses_and_patterns_are_written_with_xapis_delimiters(
    sent: dict[str, Any], response: str, patterns: tuple[str, ...]
) -> None:
    reading = read(sent)

    assert (reading.type, reading.response, reading.patterns) == (sent["type"], response, patterns)


def test_every_type_is_in_the_table() -> None:
    assert {sent["type"] for sent, _, _ in TABLE} == TYPES


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("Choice", "choice"),
        (" fill-in ", "fill-in"),
        ("true_false", "true-false"),
        ("hotspot", "other"),
        ("", "other"),
        ("fill in the blank", "other"),
    ],
)
def test_a_type_that_xapi_does_not_know_is_other(sent: str, kind: str) -> None:
    reading = read(old(sent, "x"))

    assert reading.type == kind
    assert reading.cmi.get("type", "") == sent


@pytest.mark.parametrize(
    ("result", "success", "raw"),
    [
        ("correct", True, None),
        ("Correct ", True, None),
        ("wrong", False, None),
        ("incorrect", False, None),
        ("unanticipated", None, None),
        ("neutral", None, None),
        ("0.75", None, 0.75),
        ("1", None, 1),
        ("-2", None, -2),
        ("85,5", None, 85.5),
        ("NaN", None, None),
        ("1e999", None, None),
        ("splendid", None, None),
        ("", None, None),
    ],
)
@pytest.mark.parametrize("build", [old, new])
def test_a_result_is_a_verdict_or_a_score(
    build: Callable[..., dict[str, Any]], result: str, *, success: bool | None, raw: float | None
) -> None:
    reading = read(build("choice", "a", result=result))

    assert (reading.success, reading.raw) == (success, raw)
    assert reading.cmi.get("result", "") == result


@pytest.mark.parametrize(
    ("latency", "duration"),
    [
        ("00:00:12.5", 1250),
        ("0000:01:00", 6000),
        ("PT12.5S", 1250),
        ("PT0S", 0),
        ("9999:99:99.99", None),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("build", [old, new])
def test_the_latency_is_the_duration(build: Callable[..., dict[str, Any]], latency: str, duration: int | None) -> None:
    assert read(build("choice", "a", latency=latency)).duration == duration


def test_scorms_own_words_are_kept() -> None:
    reading = interaction(
        old("choice", "a", weighting="2", result="wrong", time="12:30:00", latency="00:00:05")
        | {"objectives": {"0": {"id": "O1"}, "1": {"id": ""}, "2": {"id": "O2"}}}
    )

    assert reading == Interaction(
        id="Q1",
        type="choice",
        response="a",
        success=False,
        duration=500,
        objectives=("O1", "O2"),
        cmi={"id": "Q1", "type": "choice", "result": "wrong", "weighting": "2", "time": "12:30:00"},
    )


def test_scorm_2004s_own_words_are_kept() -> None:
    reading = read(new("likert", "agree", timestamp="2026-01-31T12:00:00", description="Well?", weighting="0"))

    assert reading.description == "Well?"
    assert reading.cmi == {"id": "Q1", "type": "likert", "weighting": "0", "timestamp": "2026-01-31T12:00:00"}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"id": "Q1"},
        {"id": "Q1", "type": "choice"},
        {"id": "Q1", "type": "choice", "learner_response": "", "result": ""},
        {"id": "", "type": "choice", "learner_response": "a"},
        {"type": "choice", "learner_response": "a", "result": "correct"},
        {"id": {"a": "b"}, "learner_response": "a"},
        {"id": "Q1", "learner_response": {"a": "b"}},
    ],
    ids=str,
)
def test_what_has_no_id_or_no_response_is_no_answer(sent: dict[str, Any]) -> None:
    assert interaction(sent) is None
    assert answer(sent) is None


URN = "urn:scormdriver:Test_Your_Knowledge_A_52-year-old_…"
LIKERT = "".join(f"{letter}____{number}___" for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 3))


@pytest.mark.parametrize(
    ("sent", "id_", "kind", "response", "success"),
    [
        ({"id": URN, "type": "choice", "learner_response": "a"}, URN, "choice", "a", None),
        (
            new("long-fill-in", "urn:scormdriver:The%20pain%20type"),
            "Q1",
            "long-fill-in",
            "urn:scormdriver:The%20pain%20type",
            None,
        ),
        (old("likert", LIKERT), "Q1", "likert", LIKERT, None),
        (old("choice", "10,11", result="correct"), "Q1", "choice", "10[,]11", True),
        ({"id": 7, "type": "numeric", "learner_response": 4.5, "result": 1}, "7", "numeric", "4.5", None),
        ({"id": "Q1", "learner_response": False}, "Q1", "other", "false", None),
        ({"id": "a b#c", "type": "x", "learner_response": "y", "result": "correct"}, "a b#c", "other", "y", True),
    ],
)
def test_what_real_content_sends_is_told(
    sent: dict[str, Any], id_: str, kind: str, response: str, *, success: bool | None
) -> None:
    for reading in (read(sent), read(clean(sent))):
        assert (reading.id, reading.type, reading.response, reading.success) == (id_, kind, response, success)
        assert reading.cmi["id"] == id_


@pytest.mark.parametrize("sent", [new("choice", "", result="correct"), old("choice", "", result="wrong")])
def test_a_result_before_any_response_says_nothing_of_the_learner(sent: dict[str, str]) -> None:
    """Numbas sets `incorrect` up at the launch."""
    assert interaction(sent) is None
    assert answer(sent) is None


def test_patterns_of_scorm_12_are_rewritten_with_its_responses() -> None:
    sent = {"id": "Q1", "type": "matching", "student_response": "1.a", "result": "wrong", "time": "12:30:00"}
    reading = read(sent | {"correct_responses": {"0": {"pattern": "{1.a,2.b}"}}})

    assert reading.patterns == ("1[.]a[,]2[.]b",)


_WORDS = st.sampled_from(
    [*TYPES, "correct", "wrong", "0.5", "1e999", "{case_matters=true}", "a,b", "{1.a}", "PT1S", ""]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | _WORDS
_NAMES_OF_PARTS = """id type student_response learner_response result latency weighting description objectives time
    timestamp correct_responses pattern score raw min max scaled status success_status completion_status
    progress_measure comment location 0 1"""
_KEYS = _NAMES_OF_PARTS.split()
_JSON = st.recursive(
    _LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), below, max_size=6),
    max_leaves=20,
)
_ITEMS = st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=10)
_COLLECTIONS = st.dictionaries(st.sampled_from(["0", "1", "2"]), _ITEMS, max_size=3)


@given(_ITEMS)
@proven
@pytest.mark.slow
def test_no_item_makes_reading_an_interaction_fail(sent: dict[str, Any]) -> None:
    for item_sent in (sent, clean(sent)):
        reading = interaction(item_sent)
        assert (reading is None) == (answer(item_sent) is None)
        assert reading is None or (reading.id and reading.type in TYPES), item_sent


@given(_COLLECTIONS, st.sampled_from([None, "1.2", "2004"]))
@proven
@pytest.mark.slow
def test_no_item_makes_reading_objectives_fail(sent: dict[str, Any], version: ScormVersion) -> None:
    for items in (sent, {index: clean(sent_item) for index, sent_item in sent.items()}):
        assert all(
            isinstance(objective, Objective) and id_ == objective.id
            for id_, objective in objectives(items, version).items()
        )


@given(_COLLECTIONS, _COLLECTIONS, st.none() | st.text(max_size=5), st.none() | st.text(max_size=5))
@proven
@pytest.mark.slow
def test_no_item_makes_finding_comments_fail(
    before: dict[str, Any], after: dict[str, Any], old_text: str | None, new_text: str | None
) -> None:
    comments = new_comments(
        Snapshot(comments=old_text, comments_from_learner=before),
        Snapshot(comments=new_text, comments_from_learner=after),
    )

    assert all(isinstance(comment, Comment) and comment.text for comment in comments)


@pytest.mark.timeout(30)  # a pattern that goes back over every blank takes minutes
@pytest.mark.parametrize("text", [" " * 64_000, " " * 32_000 + ":" + " " * 31_000 + "x", "1" * 64_000, ":" * 64_000])
def test_patterns_of_numbers_take_no_longer_than_their_length(text: str) -> None:
    sent = {str(number): {"pattern": f" {text} "} for number in range(30)}

    reading = interaction({"id": "i", "type": "numeric", "learner_response": "1", "correct_responses": sent})

    assert reading is not None
    assert all("[:]" not in pattern for pattern in reading.patterns)


def test_no_more_patterns_and_objectives_are_told_than_an_lrs_can_use() -> None:
    sent = {str(number): {"pattern": f"p{number}", "id": f"o{number}"} for number in range(2_000)}

    reading = interaction({"id": "i", "learner_response": "a", "correct_responses": sent, "objectives": sent})

    assert reading is not None
    assert (len(reading.patterns), len(reading.objectives)) == (MAX_LIST_ITEMS, MAX_LIST_ITEMS)
    assert reading.objectives[-1] == f"o{MAX_LIST_ITEMS - 1}"
