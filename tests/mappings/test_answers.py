"""Telling answers: each once, none before it is complete, and each session's as its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.idle_end import end_idle
from mappings.attempt.state import Ending
from mappings.attempt.update import AttemptUpdate
from mappings.cmi.interactions import Interaction
from mappings.cmi.tree import Tree
from tests.mappings.builders import DAY, MINUTE, NOON, Build, Play, delta, numbered, scorm_12, scorm_2004, spelled_out

FIRST = {"id": "Q1", "type": "choice", "student_response": "a", "result": "wrong", "latency": "00:00:05"}
SECOND = {"id": "Q2", "type": "true-false", "student_response": "t", "result": "correct", "latency": "00:00:06"}
THIRD = {"id": "Q3", "type": "numeric", "student_response": "4", "result": "0.5", "latency": "00:00:07"}
REVISED = FIRST | {"student_response": "b", "result": "correct"}


Answer = tuple[str, str | None, bool | float | None]
"""An answer's id, response, and success or score."""


def built(build: Build, *interactions: dict[str, Any], **changes: str) -> Tree:
    """Return a full snapshot with these interactions."""
    return build({"interactions": numbered(*interactions)} | changes)


def whole(*interactions: dict[str, Any], **changes: str) -> Tree:
    """Return a full SCORM 1.2 snapshot with these interactions."""
    return built(scorm_12, *interactions, **changes)


def only(**elements: str) -> Tree:
    """Return a tree of single elements of interactions, by `<index>_<element>`."""
    return delta({f"interactions.{name.replace('_', '.', 1)}": value for name, value in elements.items()})


def answers(done: AttemptUpdate) -> list[Answer]:
    """Return what a commit told of answers: id, response, success or score."""
    told: list[Answer] = []
    for change in done.changes:
        if change.trigger == "interaction.answered":
            assert isinstance(change.about, Interaction), change
            success, raw = change.about.success, change.about.raw
            told.append((change.about.id, change.about.response, success if raw is None else raw))
    return told


Q1, Q1_REVISED, Q2, Q3 = ("Q1", "a", False), ("Q1", "b", True), ("Q2", "true", True), ("Q3", "4", 0.5)


def stored(play: Play) -> Play:
    """Return a play whose attempt and session went to the database and came back."""
    play.attempt = msgspec.json.decode(msgspec.json.encode(play.attempt), type=AttemptState)
    play.session = msgspec.json.decode(msgspec.json.encode(play.session), type=SessionState)
    return play


def all_told(play: Play) -> list[Answer]:
    """Return the answers of all commits of a play."""
    return [answer for done in play.folds for answer in answers(done)]


def suspended(*interactions: dict[str, Any], **options: Any) -> Play:
    """Return a play of the second session of an attempt whose first one gave these answers."""
    first = Play()
    first.send(whole(*interactions), full=True)
    first.send(whole(*interactions, **{"core.exit": "suspend"}), full=True, terminated=True)
    return first.next_session()


def test_a_snapshot_that_repeats_all_interactions_tells_each_once() -> None:
    play = Play()
    sent = [whole(FIRST), whole(FIRST, SECOND), whole(FIRST, SECOND, THIRD), whole(FIRST, SECOND, THIRD, location="9")]

    assert [answers(play.send(tree, full=True)) for tree in sent] == [[Q1], [Q2], [Q3], []]


def test_several_answers_of_one_commit_are_told_in_their_order() -> None:
    assert answers(Play().send(whole(FIRST, SECOND, THIRD), full=True)) == [Q1, Q2, Q3]


def test_an_answer_that_was_given_again_at_a_new_index_is_told_again() -> None:
    """As Rustici's driver does in SCORM 1.2 (wire format 3.4)."""
    play = Play()
    sent = [whole(FIRST), whole(FIRST, SECOND), whole(FIRST, SECOND, REVISED), whole(FIRST, SECOND, REVISED, FIRST)]

    assert [answers(play.send(tree, full=True)) for tree in sent] == [[Q1], [Q2], [Q1_REVISED], [Q1]]


def test_another_response_at_the_same_index_is_told_again() -> None:
    play = Play()
    sent = [whole(FIRST, SECOND), whole(REVISED, SECOND), whole(FIRST, SECOND), whole(FIRST, SECOND)]

    assert [answers(play.send(tree, full=True)) for tree in sent] == [[Q1, Q2], [Q1_REVISED], [Q1], []]


def test_another_result_at_the_same_index_is_told_again() -> None:
    play = Play()
    play.send(whole(FIRST), full=True)

    assert answers(play.send(whole(FIRST | {"result": "correct"}), full=True)) == [("Q1", "a", True)]


@pytest.mark.parametrize("element", ["weighting", "latency", "time", "description"])
def test_what_is_added_to_a_told_answer_does_not_tell_it_again(element: str) -> None:
    play = Play()
    play.send(whole(FIRST), full=True)

    assert answers(play.send(whole(FIRST | {element: "1"}), full=True)) == []


@pytest.mark.parametrize("half", [{"id": "Q1"}, {"id": "Q1", "type": "choice"}, {"type": "choice", "result": "wrong"}])
def test_a_half_written_interaction_is_told_once_it_is_an_answer(half: dict[str, str]) -> None:
    play = Play()

    assert answers(play.send(whole(half), full=True)) == []
    assert answers(play.send(whole(FIRST), full=True)) == [Q1]


def test_an_unfinished_interaction_holds_up_no_other() -> None:
    assert answers(Play().send(whole({"id": "Q1", "type": "choice"}, SECOND), full=True)) == [Q2]


def test_moodles_differences_tell_each_answer_once() -> None:
    play = Play()
    sent = [
        only(**{f"0_{key}": value for key, value in FIRST.items()}),
        delta({"core.lesson_location": "2"}),
        only(**{f"1_{key}": value for key, value in SECOND.items()}),
        only(**{"0_student_response": "b", "0_result": "correct"}),
    ]

    assert [answers(play.send(tree)) for tree in sent] == [[Q1], [], [Q2], [Q1_REVISED]]


def one_by_one(
    play: Play, index: int, item: dict[str, str], *, back_from_storage: bool = False, **options: Any
) -> list[list[Answer]]:
    """Send an interaction element by element and return what each commit told."""
    batches = []
    for name, value in item.items():
        batches.append(answers(play.send(only(**{f"{index}_{name}": value}), settled=False, **options)))
        if back_from_storage:
            stored(play)
    return batches


@pytest.mark.parametrize("back_from_storage", [False, True])
def test_an_interaction_sent_element_by_element_is_told_when_the_next_one_begins(*, back_from_storage: bool) -> None:
    play = Play()
    silent: list[list[Answer]] = [[]] * len(FIRST)

    assert one_by_one(play, 0, FIRST, back_from_storage=back_from_storage) == silent
    assert one_by_one(play, 1, SECOND, back_from_storage=back_from_storage) == [[Q1], [], [], [], []]
    assert one_by_one(play, 2, THIRD, back_from_storage=back_from_storage) == [[Q2], [], [], [], []]


def test_an_interaction_sent_element_by_element_is_told_at_a_settled_commit() -> None:
    play = Play()
    one_by_one(play, 0, FIRST)

    assert answers(play.send(delta({"core.lesson_location": "2"}))) == [Q1]
    assert answers(play.send(delta({"core.lesson_location": "3"}))) == []
    assert one_by_one(play, 1, SECOND) == [[]] * len(SECOND)


@pytest.mark.parametrize("settled", [True, False])
def test_an_interaction_sent_element_by_element_is_told_at_the_end(*, settled: bool) -> None:
    play = Play()
    one_by_one(play, 0, FIRST)

    assert answers(play.send(delta({"core.exit": "suspend"}), terminated=True, settled=settled)) == [Q1]


@pytest.mark.parametrize("interactions", [1, 2])
def test_an_interaction_sent_element_by_element_is_told_when_its_session_is_given_up(interactions: int) -> None:
    play = Play()
    one_by_one(play, 0, FIRST)
    if interactions == 2:
        one_by_one(play, 1, SECOND)
    stored(play)

    assert answers(end_idle(play.attempt, play.session, Ending.ABANDONED)) == [[Q1], [Q2]][interactions - 1]


def test_other_elements_in_between_do_not_tell_it_early() -> None:
    play = Play()
    play.send(only(**{"0_id": "Q1", "0_type": "choice", "0_student_response": "a"}), settled=False)

    assert answers(play.send(delta({"core.lesson_location": "2"}), settled=False)) == []
    assert answers(play.send(only(**{"0_result": "wrong"}), settled=False)) == []
    assert answers(play.send(only(**{"1_id": "Q2"}), settled=False)) == [Q1]


def test_an_earlier_interaction_revised_element_by_element_is_told_when_it_is_complete() -> None:
    """SCORM 2004 lets content go back to an interaction."""
    play = Play()
    one_by_one(play, 0, FIRST)
    one_by_one(play, 1, SECOND)

    assert answers(play.send(only(**{"0_student_response": "b"}), settled=False)) == [Q2]
    assert answers(play.send(only(**{"0_result": "correct"}), settled=False)) == []
    assert answers(play.send(delta({"core.lesson_location": "2"}))) == [Q1_REVISED]


def test_a_batch_of_elements_tells_all_but_the_interaction_it_ends_in() -> None:
    play = Play()
    batch = only(**{f"0_{key}": value for key, value in FIRST.items()} | {"1_id": "Q2", "1_type": "true-false"})

    assert answers(play.send(batch, settled=False)) == [Q1]
    assert answers(play.send(only(**{"1_student_response": "t", "1_result": "correct"}), settled=False)) == []
    assert answers(play.send(delta({}), terminated=True)) == [Q2]


@pytest.mark.parametrize("build", [scorm_12, scorm_2004])
def test_a_resumed_session_that_counts_from_nought_tells_its_answers(build: Build) -> None:
    play = suspended(FIRST, SECOND)

    assert answers(play.send(built(build, THIRD), full=True)) == [Q3]
    assert answers(play.send(built(build, THIRD, REVISED), full=True)) == [Q1_REVISED]


def test_a_resumed_session_does_not_mix_its_elements_with_the_earlier_ones() -> None:
    play = suspended(FIRST | {"description": "Which?", "weighting": "3"}, SECOND)
    play.send(whole({"id": "Q9", "type": "choice"}), full=True)
    assert spelled_out(play.known.interactions)["0"] == {"id": "Q9", "type": "choice"}
    play.send(whole({"id": "Q9", "type": "choice", "student_response": "b"}), full=True)

    (interaction,) = [change.about for done in play.folds for change in done.changes if change.about is not None]
    assert isinstance(interaction, Interaction)
    assert (interaction.id, interaction.response, interaction.success, interaction.description) == ("Q9", "b", None, "")
    assert "weighting" not in interaction.cmi


def test_the_same_answer_in_a_resumed_session_is_told_again_where_the_content_forgot_the_first() -> None:
    """It answered the same question alike, in another time: only a loaded interaction is equal in everything."""
    play = suspended(FIRST)

    assert answers(play.send(whole(FIRST | {"latency": "00:00:09"}), full=True)) == [Q1]


def test_a_resumed_session_that_sends_element_by_element_counts_from_nought_too() -> None:
    play = suspended(FIRST, SECOND, THIRD)

    assert one_by_one(play, 0, REVISED) == [[]] * len(REVISED)
    assert one_by_one(play, 1, SECOND | {"latency": "00:00:09"})[0] == [Q1_REVISED]
    assert answers(play.send(delta({}), terminated=True)) == [Q2]


def test_a_resumed_session_of_single_elements_after_one_that_never_ended_tells_its_answers() -> None:
    """Such as Open edX's player, which never tells an end."""
    first = Play()
    one_by_one(first, 0, FIRST)
    one_by_one(first, 1, SECOND)
    second = stored(first).next_session()

    collected = [answer for commit in one_by_one(second, 0, FIRST | {"latency": "00:00:09"}) for answer in commit]
    collected += answers(second.send(delta({"core.lesson_location": "2"})))

    assert sorted(collected) == [Q1, Q2]


@pytest.mark.parametrize("build", [scorm_12, scorm_2004])
def test_a_resumed_session_that_loaded_the_earlier_interactions_does_not_tell_them_again(build: Build) -> None:
    play = suspended(FIRST, SECOND)

    assert answers(play.send(built(build, FIRST, SECOND), full=True)) == []
    assert answers(play.send(built(build, FIRST, SECOND, THIRD), full=True)) == [Q3]


@pytest.mark.parametrize(
    "unset",
    [
        {"description": "", "timestamp": "", "weighting": ""},
        {"objectives": {}, "correct_responses": {}},
        {"objectives": [], "description": None},
    ],
    ids=str,
)
def test_loaded_interactions_may_come_back_with_all_that_is_not_set(unset: dict[str, Any]) -> None:
    play = suspended(FIRST, SECOND)

    assert answers(play.send(whole(FIRST | unset, SECOND | unset), full=True)) == []


def test_loaded_interactions_with_numbers_for_text_are_not_told_again() -> None:
    sent = {"id": 7, "type": "numeric", "student_response": 4, "result": 1}
    play = suspended(sent)

    assert answers(play.send(whole(sent), full=True)) == []


def test_a_loaded_interaction_that_is_revised_in_differences_is_told_whole() -> None:
    """Moodle's SCORM 2004 sends what differs from what it was launched with: no id, as that was loaded."""
    play = suspended(FIRST, SECOND)

    assert answers(play.send(only(**{"0_student_response": "b", "0_result": "correct"}))) == [Q1_REVISED]


def test_a_loaded_interaction_that_is_revised_in_a_snapshot_is_told() -> None:
    play = suspended(FIRST, SECOND)

    assert answers(play.send(whole(REVISED, SECOND), full=True)) == [Q1_REVISED]


def test_a_third_session_counts_from_nought_like_the_second() -> None:
    second = suspended(FIRST, SECOND)
    second.send(whole(THIRD, **{"core.exit": "suspend"}), full=True, terminated=True)
    third = stored(second).next_session()

    assert answers(third.send(whole(REVISED), full=True)) == [Q1_REVISED]
    assert answers(third.send(whole(REVISED, THIRD), full=True)) == [Q3]


def test_a_stale_commit_adds_missing_answers_once() -> None:
    play = Play()
    play.send(whole(FIRST, THIRD), sequence=3)
    sent = [(whole(FIRST), 1), (whole(FIRST, SECOND, SECOND), 2), (whole(FIRST, SECOND, SECOND), 2)]

    assert [answers(play.send(tree, sequence=count)) for tree, count in sent] == [[], [Q2], []]
    assert spelled_out(play.known.interactions)["1"] == THIRD


@pytest.mark.parametrize("first_of_three", [True, False])
def test_a_late_commit_of_an_earlier_session_adds_missing_answers_once(*, first_of_three: bool) -> None:
    """An offline player delivers days later."""
    play = Play()
    play.send(whole(FIRST, **{"core.exit": "suspend"}), sequence=2, terminated=True)
    if not first_of_three:
        play = play.next_session()
        play.send(whole(FIRST, **{"core.exit": "suspend"}), sequence=2, terminated=True)
    following = play.next_session()
    following.send(whole(THIRD), sequence=1, at=NOON + MINUTE)
    play.attempt = following.attempt
    done = play.send(whole(FIRST, SECOND), sequence=1, at=NOON + DAY)
    following.attempt = play.attempt

    assert (done.disposition, answers(done)) == ("late", [Q2])
    assert spelled_out(following.known.interactions)["0"] == THIRD
    assert answers(following.send(whole(THIRD), sequence=2, at=NOON + DAY)) == []


def test_a_late_commit_of_an_earlier_session_does_not_complete_the_next_ones_interactions() -> None:
    first = Play()
    first.send(whole(**{"core.exit": "suspend"}), sequence=2, terminated=True)
    second = first.next_session()
    second.send(whole({"id": "Q3", "type": "numeric"}), sequence=1)
    first.attempt = second.attempt
    first.send(whole(FIRST), sequence=1, at=NOON + DAY)

    assert spelled_out(first.known.interactions)["0"] == {"id": "Q3", "type": "numeric"}


def test_two_hundred_interactions_of_which_one_is_new_tell_one() -> None:
    many = [FIRST | {"id": f"Q{count}"} for count in range(200)]
    play = Play()
    play.send(whole(*many), full=True)

    assert answers(play.send(whole(*many, SECOND), full=True)) == [Q2]
    assert play.attempt != AttemptState()
    assert len(all_told(play)) == 201
