"""Whole sessions folded commit by commit: the sequences that real clients send."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import Trigger
from mappings.attempt.state import Ending
from mappings.cmi.scores import Score, score
from mappings.cmi.tree import Tree
from tests.mappings.builders import DAY, MINUTE, NOON, SECOND, Play, delta, page, scorm_12, scorm_2004, triggers

HOUR = 360_000  # in centiseconds, as times are


def last(number: int, status: str = "passed", total: str = "00:00:30", **changes: str) -> Tree:
    """Return the snapshot of a last commit, which alone tells a total time."""
    return page(number, status, None, **{"core.total_time": total} | changes)


def suspended(total_time: int = HOUR) -> Play:
    """Return a play of the second session of an attempt that was suspended after an hour."""
    first = Play()
    first.send(delta({"core.lesson_location": "5", "core.exit": "suspend", "core.session_time": "01:00:00"}))
    first.send(delta({}), terminated=True)
    assert (first.attempt.total_time, first.attempt.ended) == (total_time, "suspended")
    return first.next_session()


def test_the_first_commit_of_an_attempt_starts_it() -> None:
    """Initialize itself sends nothing (wire format 1.3)."""
    play = Play()

    assert triggers(play.send(page(1))) == ["attempt.started"]
    assert triggers(play.send(page(2))) == []


def test_a_commit_and_its_near_twin_at_the_end_tell_nothing_twice() -> None:
    """Such as pipwerks' quit(), saves and terminates within milliseconds."""
    play = Play()
    play.send(page(2, "passed", 30, **{"core.score.raw": "85"}), full=True)
    done = play.send(
        last(2, "passed", **{"core.score.raw": "85", "core.session_time": "00:00:30"}), full=True, beacon=True
    )

    assert triggers(done) == ["session.terminated"]


def test_a_commit_with_two_statuses_at_once_tells_them_in_order() -> None:
    play = Play()
    tree = last(2, "passed", **{"core.score.raw": "85", "core.exit": "suspend"})
    done = play.send(tree, full=True, beacon=True)

    assert triggers(done) == [
        "attempt.started",
        "score.changed",
        "completion.completed",
        "success.passed",
        "session.suspended",
    ]


def test_a_last_commit_that_arrives_first_is_not_undone_by_older_ones() -> None:
    """Version 1.7.1 of scorm-again (wire format 1.6), its last commit marked."""
    play = Play()
    tree = last(9, "passed", **{"core.score.raw": "85", "core.exit": "suspend", "suspend_data": "end"})
    play.send(tree, full=True, beacon=True)
    reached = play.attempt
    older = [play.send(page(number, "incomplete", number, suspend_data="s"), full=True) for number in (1, 2)]

    assert [(done.disposition, done.changes) for done in older] == [("late", ())] * 2
    assert replace(play.attempt, commits=0) == replace(reached, commits=0)
    assert play.session.ended == "suspended"


def test_a_last_commit_that_arrives_first_unmarked_is_not_undone_either() -> None:
    play = Play()
    play.send(last(9, "passed", suspend_data="end"), full=True)
    older = [play.send(page(number, "incomplete", suspend_data="s"), full=True, at=NOON + SECOND) for number in (1, 2)]

    # the first one, which tells no total time, shows that it was the last
    assert [(done.disposition, triggers(done)) for done in older] == [("stale", ["session.terminated"]), ("late", [])]
    assert (play.known.location, play.known.success_status, play.known.suspend_data) == ("9", "passed", "end")


def test_older_commits_fill_in_what_the_newer_ones_left_open() -> None:
    play = Play()
    play.send(delta({"core.lesson_status": "passed"}), sequence=3, terminated=True)
    done = play.send(delta({"core.score.raw": "85", "core.lesson_location": "3"}), sequence=2)

    assert (done.disposition, triggers(done)) == ("late", ["score.changed", "session.terminated"])
    assert play.known.location == "3"


def test_a_commit_after_finish_never_reopens_its_session() -> None:
    """SCORM 1.2 content may commit after LMSFinish; such a snapshot lacks the total time (wire format 1.6)."""
    play = Play()
    play.send(last(9, "passed"), full=True, beacon=True)
    done = play.send(page(9, "passed"), full=True, at=NOON + SECOND)

    assert (done.disposition, done.changes) == ("late", ())
    assert (play.session.ended, play.attempt.ended) == ("terminated", "terminated")


def test_finish_twice_tells_the_end_once() -> None:
    """Content calls it on pagehide and again on unload."""
    play = Play()
    play.send(last(9), full=True, beacon=True)
    play.send(last(9, comments="again"), full=True, beacon=True)

    assert play.told.count(Trigger.SESSION_TERMINATED) == 1


def test_a_second_finish_with_more_time_tells_what_was_added() -> None:
    play = Play()
    play.send(last(9), full=True, beacon=True)
    again = play.send(last(9, total="00:00:31"), full=True, beacon=True)

    assert [(change.trigger, change.retold, change.duration) for change in again.changes] == [
        ("session.terminated", True, 100)
    ]


def test_a_terminate_that_was_overtaken_still_ends_its_session() -> None:
    """A commit after Finish overtakes the beacon (wire format 1.6); nothing would ever tell that end again."""
    play = Play()
    play.send(page(1), sequence=1, restarts=True, full=True)
    play.send(page(9, "passed"), sequence=3, restarts=True, full=True)
    done = play.send(last(9), sequence=2, restarts=True, full=True, beacon=True, terminated=True)

    assert "session.terminated" in triggers(done)
    assert play.session.ended == "terminated"


def test_a_late_commit_with_a_higher_sequence_is_news() -> None:
    """An offline player delivers a session's middle days after its end came by beacon (wire format 1.7)."""
    play = Play()
    play.send(delta({"core.lesson_location": "1"}), sequence=1)
    play.send(delta({"core.exit": "suspend"}), sequence=2, terminated=True)
    done = play.send(delta({"core.lesson_location": "7", "core.score.raw": "85"}), sequence=3, at=NOON + 3 * DAY)

    assert (done.disposition, triggers(done)) == ("late", ["score.changed", "session.suspended"])
    assert play.known.location == "7"
    assert play.session.sequence == 3


def test_a_late_commit_of_one_session_takes_nothing_from_the_next_one() -> None:
    """Offline replay never regresses suspend data: the next session has written its own since."""
    first = Play()
    first.send(delta({"core.lesson_location": "1", "suspend_data": "one"}), sequence=1)
    first.send(delta({"core.exit": "suspend"}), sequence=2, terminated=True)
    second = first.next_session()
    second.send(delta({"core.lesson_location": "8", "suspend_data": "two"}), at=NOON + DAY)
    first.attempt = second.attempt
    first.send(delta({"core.lesson_location": "2", "suspend_data": "late"}), sequence=3, at=NOON + 2 * DAY)

    assert (first.known.location, first.known.suspend_data) == ("8", "two")


def test_a_late_commit_of_one_session_does_not_say_how_the_next_one_ends() -> None:
    first = Play()
    first.send(delta({"core.exit": "suspend"}), sequence=1, terminated=True)
    second = first.next_session()
    second.send(delta({"core.lesson_location": "8"}), at=NOON + DAY)
    first.attempt = second.attempt
    first.send(delta({"core.exit": "suspend"}), sequence=2, at=NOON + 2 * DAY)
    second.attempt = first.attempt
    done = second.send(delta({"core.lesson_status": "completed"}), terminated=True, at=NOON + 3 * DAY)

    assert triggers(done)[-1] == "session.terminated"


def test_a_session_that_another_one_followed_has_no_say_in_whether_the_attempt_is_over() -> None:
    first = Play()
    first.send(delta({"core.lesson_location": "1"}))
    second = first.next_session()
    second.send(delta({"core.lesson_location": "8"}), at=NOON + DAY)
    first.attempt = second.attempt
    done = first.send(delta({"core.exit": "suspend"}), terminated=True, at=NOON + 2 * DAY)

    assert (done.session.ended, done.attempt.ended) == ("suspended", None)


@pytest.mark.parametrize("sequence", [None, 1, 2])
def test_a_late_commit_with_no_higher_sequence_replaces_nothing(sequence: int | None) -> None:
    play = Play()
    play.send(delta({"core.lesson_location": "5"}), sequence=3, terminated=True)
    play.send(delta({"core.lesson_location": "1"}), sequence=sequence)

    assert play.known.location == "5"


def test_a_commit_that_raises_a_status_does_so_whenever_it_arrives() -> None:
    play = Play()
    play.send(page(5), sequence=3, terminated=True)
    done = play.send(page(1, "passed"), sequence=2)

    assert triggers(done) == ["completion.completed", "success.passed", "session.terminated"]


def test_duplicates_are_not_counted() -> None:
    """A session counts the commits that were applied; its attempt counts the overtaken and late ones too."""
    play = Play()
    play.send(page(1), sequence=1)
    play.send(page(1), sequence=1)
    play.send(page(3), sequence=3)
    play.send(page(2), sequence=2)
    play.send(page(4), sequence=4, terminated=True)
    play.send(page(5), sequence=5)

    dispositions = [done.disposition for done in play.folds]

    assert dispositions == ["applied", "duplicate", "applied", "stale", "applied", "late"]
    assert (play.session.commits, play.attempt.commits) == (3, 5)


def test_an_attempt_starts_once_even_if_its_first_commits_are_late() -> None:
    play = Play(session=SessionState(ended=Ending.TERMINATED))
    play.send(page(1))
    play.send(page(2))

    assert play.told.count(Trigger.ATTEMPT_STARTED) == 1


def test_a_resumed_session_tells_so_with_its_first_commit_only() -> None:
    play = suspended()

    assert triggers(play.send(page(5))) == ["session.resumed"]
    assert triggers(play.send(page(6))) == []


def test_a_new_session_forgets_how_the_last_one_ended() -> None:
    play = suspended()
    done = play.send(delta({"core.lesson_location": "6"}), terminated=True)

    assert triggers(done)[-1] == "session.terminated"
    assert play.known.exit is None


def test_a_new_session_keeps_what_the_attempt_has_reached() -> None:
    play = suspended()
    play.send(delta({"core.score.raw": "40"}))

    assert (play.known.location, play.known.score_raw) == ("5", 40)
    assert play.attempt.ended is None


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({}, "terminated"),
        ({"core.exit": ""}, "terminated"),
        ({"core.exit": "logout"}, "terminated"),
        ({"core.exit": "time-out"}, "terminated"),
        ({"core.exit": "suspend"}, "suspended"),
        ({"core.exit": "suspend", "core.lesson_status": "completed"}, "suspended"),
    ],
)
def test_the_exit_says_how_a_session_ends(changes: dict[str, str], ending: str) -> None:
    play = Play()
    done = play.send(scorm_12(changes), terminated=True)

    assert done.changes[-1].trigger == f"session.{ending}"
    assert (done.session.ended, done.attempt.ended) == (ending, ending)


def test_an_exit_set_before_the_last_commit_counts() -> None:
    """Moodle sends it when it is set, and never again."""
    play = Play()
    play.send(delta({"core.exit": "suspend"}))

    assert triggers(play.send(delta({"core.lesson_location": "2"}), terminated=True)) == ["session.suspended"]


def test_a_request_to_suspend_all_suspends() -> None:
    play = Play()
    tree = scorm_2004({"exit": "normal"}) | {"adl": {"nav": {"request": "suspendAll"}}}

    assert play.send(tree, terminated=True).session.ended == "suspended"


@pytest.mark.parametrize(
    ("before", "tree", "options", "ended"),
    [
        ([], last(1), {"full": True, "beacon": True}, True),
        ([page(1)], last(1), {"full": True}, True),
        ([], last(1, **{"core.exit": "logout"}), {"full": True}, False),
        ([], last(1), {"full": True}, False),
        ([last(1, total="00:00:10")], last(1), {"full": True}, False),
        ([last(1, total="00:00:10")], last(1), {"full": True, "beacon": True}, True),
        ([page(1)], page(1, "passed"), {"full": True, "beacon": True}, False),
        ([page(1)], last(1), {"full": False, "beacon": True}, False),
        ([page(1)], last(1), {"full": True, "beacon": True, "terminated": False}, False),
        ([], page(1), {"terminated": True}, True),
        ([], delta({}), {"terminated": True}, True),
        ([page(1)], last(1, total="00:00:00"), {"full": True, "beacon": True}, True),
    ],
    ids=[
        "a beacon with the total time",
        "the total time for the first time",
        "the total time and an exit",
        "the total time at once, and nothing else",
        "the total time always",
        "the total time always, and a beacon",
        "a beacon without the total time",
        "a delta",
        "the client says it is not the last",
        "the client says so",
        "the client says only that",
        "a total time of nought",
    ],
)
def test_a_last_commit_is_recognised(
    before: list[dict[str, Any]], tree: Tree, options: dict[str, bool], *, ended: bool
) -> None:
    """Wire format 1.3: marked, or the total time told where the session's other commits did not."""
    play = Play()
    for earlier in before:
        play.send(earlier, full=True)
    done = play.send(tree, at=NOON + MINUTE, **options)

    assert (done.session.ended is not None) == ended
    assert (play.told[-1:] == ["session.terminated"]) == ended


@pytest.mark.parametrize(
    ("committed_at", "at"),
    [(None, NOON), (NOON, NOON), (NOON - DAY, NOON - DAY), (NOON + 1, NOON), (NOON + DAY, NOON)],
)
def test_a_commit_is_dated_by_its_client_but_never_in_the_future(committed_at: int | None, at: int) -> None:
    done = Play().send(page(1), committed_at=committed_at)

    assert done.at == at
    assert [warning.code for warning in done.warnings] == (["future-time"] if (committed_at or 0) > NOON else [])


@pytest.mark.parametrize("committed_at", [None, NOON - DAY, NOON + DAY])
def test_no_commit_is_dated_before_the_attempts_last_statement(committed_at: int | None) -> None:
    play = Play(AttemptState(timestamp=NOON - SECOND))

    assert play.send(page(1), at=NOON - MINUTE, committed_at=committed_at).at == NOON - SECOND


def test_warnings_of_a_commit_come_with_its_fold() -> None:
    tree = delta({"core.session_time": "soon", "core.score.raw": "150"})
    done = Play().send(tree, committed_at=NOON + 1, declared="1.2")

    assert [warning.code for warning in done.warnings] == ["bad-time", "future-time", "score-out-of-range"]


def test_an_impossible_score_is_told_with_the_commit_that_brought_it_only() -> None:
    play = Play()
    play.send(delta({"core.score.raw": "150"}))

    assert play.send(delta({"core.lesson_location": "2"})).warnings == ()
    assert score(play.known) is None


def test_an_impossible_score_takes_no_possible_one_back() -> None:
    play = Play()
    play.send(delta({"core.score.raw": "85"}))
    play.send(delta({"core.score.raw": "150"}))
    again = play.send(delta({"core.score.raw": "85"}), at=NOON + SECOND)

    assert play.attempt.score == Score(scaled=0.85, raw=85)
    assert again.changes == ()


@pytest.mark.parametrize("entry", ["resume", "ab-initio", "", None])
def test_content_that_was_told_to_resume_goes_on_with_an_attempt_that_the_bridge_does_not_know(
    entry: str | None,
) -> None:
    """A learner who was migrated in the middle of a course: the attempt began elsewhere."""
    play = Play()
    entry_element = {} if entry is None else {"core.entry": entry}
    first = play.send(delta({"core.lesson_status": "incomplete"} | entry_element))
    second = play.send(delta({"core.lesson_status": "incomplete", "core.lesson_location": "2"} | entry_element))

    assert triggers(first) == ["session.resumed" if entry == "resume" else "attempt.started"]
    assert triggers(second) == []


def test_an_attempt_that_the_bridge_knows_is_resumed_once_whatever_content_echoes() -> None:
    first = Play()
    first.send(delta({"core.exit": "suspend", "core.entry": "ab-initio"}), terminated=True)
    second = first.next_session()

    assert triggers(second.send(delta({"core.entry": "resume"}))) == ["session.resumed"]
    assert triggers(second.send(delta({"core.entry": "resume", "core.lesson_location": "1"}))) == []
