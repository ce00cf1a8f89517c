"""Empty values: what the content said, and what a player was merely not loaded with."""

from __future__ import annotations

import pytest

from tests.mappings.builders import NOON, SECOND, Play, delta, numbered, scorm_12, scorm_2004, spelled_out


@pytest.mark.parametrize("element", ["core.lesson_location", "suspend_data", "comments", "student_data.mastery_score"])
def test_a_client_that_says_what_it_set_empties_an_element(element: str) -> None:
    play = Play()
    play.send(delta({element: "7"}))
    held = play.known
    play.send(delta({element: ""}), at=NOON + SECOND)

    assert play.known != held
    assert not {"7", 7} & {
        getattr(play.known, name) for name in ("location", "suspend_data", "comments", "mastery_score")
    }


def test_a_snapshot_empties_only_what_its_session_had() -> None:
    """The second session's player was not loaded with the bookmark of the first, and sets suspend data itself."""
    first = Play()
    first.send(scorm_12({"core.lesson_location": "p1", "suspend_data": "a", "core.exit": "suspend"}), terminated=True)
    second = first.next_session()
    second.send(scorm_12({"suspend_data": "b"}), at=NOON + SECOND)
    assert (second.known.location, second.known.suspend_data) == ("p1", "b")

    second.send(scorm_12(), at=NOON + 2 * SECOND)
    assert (second.known.location, second.known.suspend_data) == ("p1", None)


def test_a_snapshot_of_a_first_session_empties_what_was_set() -> None:
    play = Play()
    play.send(scorm_2004({"location": "p1", "suspend_data": "a"}))
    play.send(scorm_2004(), at=NOON + SECOND)

    assert (play.known.location, play.known.suspend_data) == (None, None)


def test_a_score_that_is_emptied_is_none() -> None:
    play = Play()
    play.send(delta({"core.score.raw": "80"}))
    play.send(delta({"core.score.raw": ""}), at=NOON + SECOND)

    assert (play.attempt.score, play.known.score_raw) == (None, None)


def test_a_response_that_is_emptied_never_stands_beside_a_new_result() -> None:
    item = {"id": "Q1", "type": "choice", "student_response": "a", "result": "wrong"}
    play = Play()
    play.send(delta({"interactions": numbered(item)}))
    done = play.send(
        delta({"interactions": numbered({"id": "Q1", "student_response": "", "result": "correct"})}), at=NOON + SECOND
    )

    assert done.changes == ()
    assert spelled_out(play.known.interactions)["0"]["student_response"] == ""


def test_an_empty_value_of_an_overtaken_commit_empties_nothing_that_was_set_since() -> None:
    play = Play()
    play.send(delta({"core.lesson_location": "p5"}), sequence=3)
    play.send(delta({"core.lesson_location": ""}), sequence=2)

    assert play.known.location == "p5"
