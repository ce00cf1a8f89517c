"""What learners wrote is told once, and nothing that they did not write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mappings.attempt.update import AttemptUpdate
from mappings.cmi.comments import Comment, new_comments
from mappings.cmi.snapshot import EMPTY, Snapshot
from mappings.cmi.tree import Tree
from tests.mappings.builders import Play, delta, numbered, scorm_12, scorm_2004


def comment_texts(done: AttemptUpdate) -> list[str]:
    """Return the texts of the comments that a commit told."""
    told = [change.about for change in done.changes if change.trigger == "comment.made"]
    return [comment.text for comment in told if isinstance(comment, Comment)]


def texts(*trees: Tree, **options: Any) -> list[list[str]]:
    """Return the comments that each of a session's commits told."""
    play = Play()
    return [comment_texts(play.send(tree, **options)) for tree in trees]


def old(text: str) -> Tree:
    """Return a SCORM 1.2 snapshot with a comment."""
    return scorm_12({"comments": text})


def new(*items: Mapping[str, str | None]) -> Tree:
    """Return a SCORM 2004 snapshot with comments."""
    return scorm_2004({"comments_from_learner": numbered(*items)})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (["Too fast"], ["Too fast"]),
        (["Too fast", "Too fast"], ["Too fast", None]),
        (["Too fast", "Too fast. Too loud"], ["Too fast", ". Too loud"]),
        (["<1>a</1>", "<1>a</1><2>b</2>", "<1>a</1><2>b</2><3>c</3>"], ["<1>a</1>", "<2>b</2>", "<3>c</3>"]),
        (["a\n", "a\nb\n", "a\nb\n\nc"], ["a", "b", "c"]),
        (["Too fast", "Too loud"], ["Too fast", "Too loud"]),
        (["Too fast", "Too"], ["Too fast", "Too"]),
        (["Too fast", "", "Too fast"], ["Too fast", None, "Too fast"]),
        (["", " ", "\n"], [None, None, None]),
        (["a", "a  \n"], ["a", None]),
    ],
    ids=str,
)
def test_scorm_12s_growing_text_is_told_by_what_was_added_and_another_text_whole(
    sent: list[str], expected: list[str | None]
) -> None:
    assert texts(*map(old, sent)) == [[] if text is None else [text] for text in expected]


def test_scorm_2004s_comments_are_told_one_by_one() -> None:
    first, second = {"comment": "Too fast", "location": "p1", "timestamp": "2026-01-31T12:00:00"}, {"comment": "Dull"}

    assert texts(new(first), new(first), new(first, second)) == [["Too fast"], [], ["Dull"]]


def test_a_comments_place_and_time_are_kept() -> None:
    item = {"comment": "Too fast", "location": "p1", "timestamp": "2026-01-31T12:00:00"}
    (comment,) = new_comments(EMPTY, Snapshot(comments_from_learner={"3": item}))

    assert comment == Comment("3", "Too fast", {"location": "p1", "timestamp": "2026-01-31T12:00:00"})


def test_a_comment_that_was_written_again_is_told_whole() -> None:
    assert texts(new({"comment": "Dull"}), new({"comment": "Dull indeed"})) == [["Dull"], ["Dull indeed"]]


@pytest.mark.parametrize(
    "item", [{}, {"comment": ""}, {"comment": " \n"}, {"comment": None}, {"comment": {"a": "b"}}, {"location": "p1"}]
)
def test_an_empty_comment_is_never_told(item: dict[str, Any]) -> None:
    assert texts(new(item), new(item, {"comment": "Dull"})) == [[], ["Dull"]]


def test_a_comments_place_that_comes_later_does_not_tell_it_again() -> None:
    assert texts(new({"comment": "Dull"}), new({"comment": "Dull", "location": "p1"})) == [["Dull"], []]


def test_what_the_lms_remarked_is_no_comment_of_the_learners() -> None:
    assert texts(
        scorm_2004({"comments_from_lms": numbered({"comment": "Good"})}),
        scorm_12({"comments_from_lms": "Good", "comments": ""}),
    ) == [[], []]


def test_a_resumed_session_tells_its_own_comments_and_not_the_earlier_ones() -> None:
    first = Play()
    first.send(scorm_12({"comments": "Dull", "core.exit": "suspend"}), terminated=True)
    second = first.next_session()

    assert [comment_texts(second.send(tree)) for tree in (old(""), old("Dull"), old("Better now"))] == [
        [],
        [],
        ["Better now"],
    ]


def test_an_older_text_is_not_told_again() -> None:
    play = Play()
    play.send(delta({"comments": "Dull. Very"}), sequence=3)

    assert comment_texts(play.send(delta({"comments": "Dull"}), sequence=2)) == []
    assert play.known.comments == "Dull. Very"


def test_a_missing_comment_of_an_older_commit_is_told_once() -> None:
    play = Play()
    play.send(new(), sequence=3)

    assert [comment_texts(play.send(new({"comment": "Dull"}), sequence=count)) for count in (2, 1)] == [["Dull"], []]
