"""Flat names and trees, items and scalars: the shapes that wire formats hand over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.cmi.tree import MAX_DEPTH, Tree, item, items, scalar, unflatten
from tests.mappings.builders import flatten

proven = settings(deadline=None, max_examples=150, derandomize=True, database=None)


def test_dotted_names_become_a_tree() -> None:
    flat = {"cmi.core.score.raw": "85", "cmi.core.exit": "", "cmi.interactions.0.id": "Q1"}

    assert unflatten(flat) == {
        "cmi": {"core": {"score": {"raw": "85"}, "exit": ""}, "interactions": {"0": {"id": "Q1"}}}
    }


@pytest.mark.parametrize("nothing", [None, {}, "[object Object]"])
def test_empty_collections_are_left_out_of_the_tree(nothing: str | dict[str, Any] | None) -> None:
    """`{}` stands in flattened bodies, its careless text in `params` ones."""
    assert unflatten({"cmi.interactions.1.objectives": nothing, "cmi.exit": "suspend"}) == {"cmi": {"exit": "suspend"}}


def test_a_later_name_wins_over_an_earlier_one() -> None:
    """Open edX sends its batch in the order of the calls, a name perhaps twice."""
    assert unflatten([("cmi.location", "2"), ("cmi.location", "3")]) == {"cmi": {"location": "3"}}


def test_a_later_name_wins_over_a_contradiction() -> None:
    assert unflatten([("cmi.core", "x"), ("cmi.core.exit", "suspend")]) == {"cmi": {"core": {"exit": "suspend"}}}
    assert unflatten([("cmi.core.exit", "suspend"), ("cmi.core", "x")]) == {"cmi": {"core": "x"}}


def test_an_empty_value_never_erases_a_group() -> None:
    assert unflatten([("cmi.core.score.raw", "85"), ("cmi.core.score", "")]) == unflatten(
        [("cmi.core.score.raw", "85")]
    )


def test_an_empty_later_value_wins_over_an_earlier_one() -> None:
    """It is what the content set last."""
    assert unflatten([("cmi.core.exit", "suspend"), ("cmi.core.exit", "")]) == {"cmi": {"core": {"exit": ""}}}


def test_what_is_deeper_than_any_element_stays_one_name() -> None:
    above = "a." * MAX_DEPTH
    tree = unflatten({f"{above}b": "x", f"{above}c.{'d.' * 10_000}e": "y"})
    assert flatten(tree) == {f"{above}b": "x", f"{above}c.{'d.' * 10_000}e": "y"}
    for _ in range(MAX_DEPTH):
        tree = tree["a"]
    assert [*tree] == ["b", f"c.{'d.' * 10_000}e"]


@given(
    st.recursive(
        st.text(max_size=3).filter(lambda text: text != "[object Object]"),
        lambda below: st.dictionaries(st.text("ab01_", min_size=1, max_size=3), below, min_size=1, max_size=3),
        max_leaves=8,
    ).filter(lambda tree: isinstance(tree, dict))
)
@proven
def test_a_flattened_tree_nests_back(tree: Tree) -> None:
    assert unflatten(flatten(tree)) == tree


@pytest.mark.parametrize(
    ("collection", "numbered"),
    [
        ({"0": "a", "1": "b"}, {"0": "a", "1": "b"}),
        (["a", "b"], {"0": "a", "1": "b"}),
        ({"0": "a", "_count": "1", "-1": "c", "1.5": "d", "٣": "e", "1234567": "f"}, {"0": "a"}),
        ("[object Object]", {}),
        (None, {}),
        ([], {}),
        (5, {}),
    ],
)
def test_a_collection_is_its_numbered_items(collection: object, numbered: dict[str, str]) -> None:
    assert items(collection) == numbered


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        (5, "5"),
        (0, "0"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ({}, None),
        ([1], None),
    ],
)
def test_a_scalar_is_text_or_not_set(value: object, text: str | None) -> None:
    assert scalar(value) == text


def test_an_item_keeps_text_its_score_and_its_own_collections() -> None:
    sent = {
        "id": "Q1",
        "weighting": 1.5,
        "result": None,
        "score": {"raw": 5, "max": {}},
        "objectives": [{"id": "o1"}],
        "correct_responses": {"0": {"pattern": "a", "deeper": {"no": "x"}}, "_count": "1", "1": "no group"},
    }

    assert item(sent) == {
        "id": "Q1",
        "weighting": "1.5",
        "score": {"raw": "5"},
        "objectives": {"0": {"id": "o1"}},
        "correct_responses": {"0": {"pattern": "a"}},
    }


@pytest.mark.parametrize("sent", [["5"], [{"raw": "5"}]])
def test_an_items_score_that_is_a_list_is_no_score(sent: list[str | dict[str, str]]) -> None:
    assert "raw" not in item({"score": sent})["score"]


@pytest.mark.parametrize("sent", ["x", None, 5, ["a"]])
def test_what_is_no_item_is_an_empty_one(sent: int | str | list[str] | None) -> None:
    assert item(sent) == {}
