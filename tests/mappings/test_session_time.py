"""The time a learner spent: counters that are reset, repeated, delayed, or left to the LMS."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.attempt.session_time import accumulate
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.times import timespan
from mappings.cmi.tree import Tree
from tests.mappings.builders import DAY, MINUTE, NOON, SECOND, Play, delta, scorm_12

proven = settings(deadline=None, max_examples=100, derandomize=True, database=None)

HOUR = 360_000  # in centiseconds, as times are
MIN = 6_000


def times(session: int | None = None, total: int | None = None, /, **changes: str) -> Tree:
    """Return a tree that tells times, in centiseconds."""
    spans = {"core.session_time": session, "core.total_time": total}
    return delta({name: timespan(value) for name, value in spans.items() if value is not None} | changes)


def counted(*reported: tuple[int | None, int | None]) -> tuple[int, int]:
    """Return what was spent in a session that told these pairs of session time and total time, an hour apart."""
    play = Play()
    for number, (session, total) in enumerate(reported):
        play.send(times(session, total, location=str(number)), at=NOON + number * 60 * MINUTE)
    return play.session.time_spent, play.attempt.total_time


def test_session_time_is_what_the_content_counted_last() -> None:
    assert counted((MIN, None), (2 * MIN, None), (5 * MIN, None)) == (5 * MIN, 5 * MIN)


def test_a_page_loaded_again_counts_from_nought_and_its_time_is_carried() -> None:
    """Five minutes, then the page was loaded again, and two minutes more."""
    assert counted((3 * MIN, None), (5 * MIN, None), (MIN, None), (2 * MIN, None)) == (7 * MIN, 7 * MIN)


def test_a_page_loaded_again_twice_carries_both_times() -> None:
    assert counted((5 * MIN, None), (3 * MIN, None), (2 * MIN, None)) == (10 * MIN, 10 * MIN)


@pytest.mark.parametrize(("minutes", "spent"), [(1, 6.5), (2, 7.5), (3, 8)])
def test_a_client_whose_count_fell_is_believed_as_far_as_time_has_passed(minutes: int, spent: float) -> None:
    """Two pages of one session count side by side; half a minute is granted to their clocks."""
    play = Play()
    play.send(times(5 * MIN))
    play.send(times(3 * MIN), at=NOON + minutes * MINUTE)

    assert play.session.time_spent == spent * MIN


def test_a_session_time_left_at_nought_leaves_the_total_time_to_tell() -> None:
    """scorm-again's selfReportSessionTime (wire format 1.2.4)."""
    assert counted((0, 130), (0, 252), (0, 252)) == (252, 252)


def test_a_total_time_alone_tells_the_session_as_what_is_above_the_attempts_time() -> None:
    """Moodle's SCORM 1.2 player never sends session_time (wire format 2.1)."""
    play = Play(session=SessionState(number=1, prior_total_time=HOUR))
    play.send(times(None, HOUR + 5 * MIN))

    assert play.session.time_spent == 5 * MIN


def test_a_total_time_below_what_is_known_takes_nothing() -> None:
    play = Play(session=SessionState(number=2, prior_total_time=HOUR))
    play.send(times(None, 10 * MIN))

    assert (play.session.time_spent, play.attempt.total_time) == (0, 0)


def test_an_lms_that_counts_each_attempt_anew_is_believed() -> None:
    """An hour was told of the attempt before this one."""
    play = Play(session=SessionState(number=1, prior_total_time=HOUR))
    play.send(times(None, 10 * MIN))

    assert (play.session.time_spent, play.attempt.total_time) == (10 * MIN, 10 * MIN)


def test_an_lms_that_counts_on_over_attempts_counts_nothing_twice() -> None:
    play = Play(session=SessionState(number=1, prior_total_time=HOUR))
    play.send(times(None, HOUR + 10 * MIN))

    assert (play.session.time_spent, play.attempt.total_time) == (10 * MIN, 10 * MIN)


def test_what_an_lms_counted_before_the_bridge_knew_of_the_learner_is_carried_over() -> None:
    """It was loaded with an hour (scorm-again's alwaysSendTotalTime), and says so in its first commit."""
    play = Play()
    play.send(times(0, HOUR, **{"core.entry": "resume"}))
    play.send(times(10 * MIN, HOUR + 10 * MIN, **{"core.exit": "suspend"}), terminated=True, at=NOON + MINUTE)

    assert (play.session.time_spent, play.attempt.carried_over_time) == (10 * MIN, HOUR)
    assert play.attempt.total_time == HOUR + 10 * MIN


def test_a_second_terminate_whose_total_counts_the_session_twice_adds_nothing() -> None:
    first = Play()
    first.send(times(10 * MIN, 10 * MIN, **{"core.exit": "suspend"}), terminated=True)
    second = first.next_session()
    second.send(times(5 * MIN, 15 * MIN, **{"core.exit": "suspend"}), terminated=True, at=NOON + MINUTE)
    second.send(times(5 * MIN, 20 * MIN, **{"core.exit": "suspend"}), terminated=True, at=NOON + 2 * MINUTE)

    assert (second.session.time_spent, second.attempt.total_time) == (5 * MIN, 15 * MIN)


def test_total_time_across_a_resume_is_the_sum_of_both_sessions() -> None:
    """An hour loaded, ten minutes in this session, `01:10:00` at its end (wire format 1.2.3)."""
    first = Play()
    first.send(times(HOUR, HOUR, **{"core.exit": "suspend"}), terminated=True)
    second = first.next_session()
    second.send(times(10 * MIN))
    second.send(times(10 * MIN, HOUR + 10 * MIN), terminated=True, at=NOON + MINUTE)

    assert second.session.time_spent == 10 * MIN
    assert second.attempt.total_time == HOUR + 10 * MIN


def test_a_client_that_knew_of_more_time_than_is_stored_is_believed() -> None:
    """History from before the bridge: it was loaded with an hour that no commit here ever told."""
    spent, total = counted((10 * MIN, None), (10 * MIN, HOUR + 10 * MIN))

    assert (spent, total) == (10 * MIN, HOUR + 10 * MIN)


def test_a_client_that_knew_of_less_time_takes_nothing() -> None:
    play = Play()
    play.send(times(HOUR, **{"core.exit": "suspend"}), terminated=True)
    second = play.next_session()
    second.send(times(10 * MIN, 10 * MIN), terminated=True)

    assert second.attempt.total_time == HOUR + 10 * MIN


def test_a_total_time_always_told_adds_nothing_to_the_session_time() -> None:
    assert counted((MIN, MIN), (2 * MIN, 2 * MIN), (5 * MIN, 5 * MIN)) == (5 * MIN, 5 * MIN)


def test_a_total_time_always_told_survives_a_page_loaded_again() -> None:
    """The new page was loaded with the five minutes of the old one."""
    assert counted((5 * MIN, 5 * MIN), (2 * MIN, 7 * MIN)) == (7 * MIN, 7 * MIN)


def test_a_total_time_that_starts_again_with_its_page_adds_no_time_twice() -> None:
    """The new page was loaded with nothing, as after a crash of the LMS's page."""
    assert counted((5 * MIN, 5 * MIN), (2 * MIN, 2 * MIN)) == (7 * MIN, 7 * MIN)


def test_an_older_session_time_adds_nothing() -> None:
    play = Play()
    play.send(times(5 * MIN), sequence=3)
    play.send(times(2 * MIN), sequence=2)

    assert (play.session.time_spent, play.attempt.total_time) == (5 * MIN, 5 * MIN)


def test_an_older_commit_that_counted_more_is_believed() -> None:
    play = Play()
    play.send(times(), sequence=3)
    play.send(times(2 * MIN), sequence=2)

    assert play.session.time_spent == 2 * MIN


def test_a_late_session_time_counts() -> None:
    """The beacon with the end came before the last request with its time."""
    play = Play()
    play.send(times(2 * MIN), sequence=1)
    play.send(delta({}), sequence=2, terminated=True)
    play.send(times(5 * MIN), sequence=3, at=NOON + DAY)

    assert (play.session.time_spent, play.attempt.total_time) == (5 * MIN, 5 * MIN)


def test_an_overtaken_snapshot_adds_nothing() -> None:
    play = Play()
    play.send(scorm_12({"core.session_time": "00:00:20"}), full=True)
    play.send(scorm_12({"core.session_time": "00:00:10"}), full=True, at=NOON + SECOND)

    assert play.session.time_spent == 2_000


@pytest.mark.parametrize("tree", [delta({}), times(0), times(0, 0), delta({"core.session_time": "soon"})])
def test_a_commit_that_tells_no_time_takes_none(tree: Tree) -> None:
    play = Play()
    play.send(times(MIN))
    play.send(tree, at=NOON + MINUTE)

    assert (play.session.time_spent, play.attempt.total_time) == (MIN, MIN)


def test_a_session_that_never_tells_a_time_has_none() -> None:
    assert counted((None, None), (0, None), (None, 0)) == (0, 0)


def test_two_sessions_are_added_up_in_their_attempt() -> None:
    first = Play()
    first.send(times(3 * MIN, **{"core.exit": "suspend"}), terminated=True)
    second = first.next_session()
    second.send(times(4 * MIN))

    assert (first.session.time_spent, second.session.time_spent) == (3 * MIN, 4 * MIN)
    assert second.attempt.total_time == 7 * MIN


_TOLD = st.tuples(
    st.none() | st.integers(0, HOUR), st.none() | st.integers(0, 2 * HOUR), st.none() | st.integers(1, 5), st.booleans()
)


@given(st.lists(_TOLD, max_size=6), st.integers(0, HOUR))
@proven
def test_an_attempts_time_never_falls_and_is_what_was_carried_over_and_spent(
    reported: list[tuple[int | None, int | None, int | None, bool]], prior_total: int
) -> None:
    """Whatever clients tell in whatever order."""
    play = Play(session=SessionState(number=1, prior_total_time=prior_total))
    for number, (session, total, sequence, passed) in enumerate(reported):
        before = play.attempt
        play.send(times(session, total, location=str(number)), sequence=sequence, at=NOON + number * MINUTE * passed)

        assert play.attempt.total_time >= before.total_time, number
        assert play.attempt.total_time == play.attempt.carried_over_time + play.session.time_spent, number


@given(
    session_time=st.integers(0, HOUR),
    total_time=st.integers(0, HOUR),
    older=st.booleans(),
    elapsed=st.integers(0, HOUR),
)
@proven
def test_telling_the_same_times_again_adds_nothing(
    session_time: int, total_time: int, *, older: bool, elapsed: int
) -> None:
    snapshot = Snapshot(session_time=session_time, total_time=total_time)
    once = accumulate(AttemptState(), SessionState(number=1), snapshot, older=False, elapsed=HOUR)
    attempt = AttemptState(
        commits=1,
        total_time=once.session.time_spent + once.carried_over_time,
        carried_over_time=once.carried_over_time,
        client_total_time=once.client_total_time,
    )

    assert accumulate(attempt, once.session, snapshot, older=older, elapsed=elapsed) == once


@given(st.lists(st.integers(1, HOUR), min_size=1, max_size=6).map(sorted))
@proven
def test_a_counter_that_only_rises_is_the_time_spent(reported: list[int]) -> None:
    assert counted(*((session, None) for session in reported)) == (reported[-1], reported[-1])
