"""What holds for every session, whatever its commits and in whatever order and number they arrive."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mappings.attempt import ReceivedCommit
from mappings.attempt.field_order import REORDER_WINDOW
from tests.mappings.builders import DAY, MINUTE, NOON, SECOND, Play, page, received_commit

proven = settings(deadline=None, max_examples=60, derandomize=True, database=None)

_PAGES = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(["incomplete", "failed", "passed", "completed"]), st.integers(0, 100)),
    min_size=1,
    max_size=5,
)


def session_of(pages: list[tuple[int, str, int]], kind: str) -> list[ReceivedCommit]:
    """Return the arrivals of a session, each as its client would tell them apart, the last one as such."""
    arrived = []
    for count, (number, status, raw) in enumerate(pages, 1):
        tree = page(number, status, 10 + count, **{"core.score.raw": str(raw)})
        ways: dict[str, dict[str, Any]] = {
            "numbered": {"sequence": count},
            "counted per page": {"sequence": count, "restarts": True, "full": True},
            "keyed": {"key": f"k{count}"},
            "timed": {"full": True},
        }
        arrived.append(received_commit(tree, terminated=count == len(pages) or None, **ways[kind]))
    return arrived


def outcome(play: Play) -> tuple[object, ...]:
    """Return what a session came to: what is known, how it ended, the time spent, and the set of its changes."""
    attempt, session = play.attempt, play.session
    return (
        (attempt.snapshot, attempt.score, attempt.ended, attempt.total_time),
        (session.ended, session.time_spent, session.commits),
        sorted(change.trigger for done in play.folds for change in done.changes),
    )


@pytest.mark.parametrize("kind", ["numbered", "counted per page", "keyed", "timed"])
@given(pages=_PAGES, data=st.data())
@proven
def test_duplicates_change_nothing_wherever_they_arrive(
    kind: str, pages: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    commits = session_of(pages, kind)
    once, often = Play(), Play()
    for count, commit in enumerate(commits, 1):
        once.take(commit)
        often.take(commit)
        for again in data.draw(st.lists(st.sampled_from(commits[:count]), max_size=3)):
            assert often.take(replace(again, received_at=NOON + DAY)).disposition != "applied"

    assert outcome(often) == outcome(once)


@given(pages=_PAGES, data=st.data())
@proven
def test_nothing_reached_is_ever_taken_back_whatever_the_order(
    pages: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    commits = session_of(pages, "numbered")
    play, latest = Play(), max(range(len(pages)))
    for commit in data.draw(st.permutations(commits)):
        before = play.attempt
        play.take(commit)
        if before.snapshot.completion_status == "completed":
            assert play.known.completion_status == "completed", commit
        if before.snapshot.success_status == "passed":
            assert play.known.success_status == "passed", commit
        assert play.attempt.total_time >= before.total_time, commit
        assert play.session.time_spent >= 0, commit

    assert play.known.location == str(pages[latest][0])


@given(pages=_PAGES, data=st.data())
@proven
def test_no_status_ever_has_another_commits_score(pages: list[tuple[int, str, int]], data: st.DataObject) -> None:
    """Whatever the order commits arrive in: success and score are a pair that one of them had."""
    play, pairs = Play(), {(_success(status), raw) for _, status, raw in pages}
    for commit in data.draw(st.permutations(session_of(pages, "numbered"))):
        play.take(commit)

        assert (_success(play.known.success_status), play.known.score_raw) in pairs, commit


def _success(status: str | None) -> str | None:
    return status if status in {"passed", "failed"} else None


@given(pages=_PAGES, data=st.data())
@proven
def test_the_order_of_a_sessions_commits_does_not_change_what_was_reached(
    pages: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    in_order, scrambled = Play(), Play()
    commits = session_of(pages, "numbered")
    for commit in commits:
        in_order.take(commit)
    for commit in data.draw(st.permutations(commits)):
        scrambled.take(commit)

    fields = ["completion_status", "location"]
    words = [status for _, status, _ in pages]
    if "failed" not in words and words.count("passed") < 2:
        # a result that only the order of its words decides about is another one where that order is not known
        fields += ["success_status", "lesson_status", "score_raw"]

    for field in fields:
        assert getattr(scrambled.known, field) == getattr(in_order.known, field)
    assert scrambled.attempt.total_time == in_order.attempt.total_time
    assert "attempt.started" in scrambled.told


@given(
    _PAGES, st.lists(st.tuples(st.integers(-DAY, DAY), st.none() | st.integers(-DAY, 2 * DAY)), min_size=5, max_size=5)
)
@proven
def test_dates_never_run_backwards(pages: list[tuple[int, str, int]], clocks: list[tuple[int, int | None]]) -> None:
    """Even where the server's clock does, and whatever the client says."""
    play, dates = Play(), []
    for (number, status, _), (moved, committed) in zip(pages, clocks, strict=False):
        committed_at = None if committed is None else NOON + committed
        done = play.send(page(number, status), at=NOON + moved, committed_at=committed_at)
        if done.disposition != "duplicate":
            dates.append(done.at)
            play.attempt = replace(play.attempt, timestamp=done.at)

    assert dates == sorted(dates)


def test_the_reorder_window_is_short_enough_for_a_learner_who_loads_a_page_again() -> None:
    assert MINUTE > REORDER_WINDOW >= 10 * SECOND
