"""Which commits are new, and which are repeated, overtaken or after the end."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from mappings.attempt import AttemptState, PriorCommit, ReceivedCommit, SessionState, update_attempt
from mappings.attempt.field_order import REORDER_WINDOW
from mappings.attempt.ordering import classify, needs_duplicate_lookup
from mappings.attempt.state import Ending
from mappings.cmi.tree import Tree
from tests.mappings.builders import DAY, MINUTE, NOON, SECOND, Play, delta, received_commit, scorm_12


def at_page(page: int, **changes: str) -> Tree:
    """Return a full snapshot of a learner on a page."""
    return scorm_12({"core.lesson_location": str(page), "core.lesson_status": "incomplete"} | changes)


def after(seconds: int, page: int, **changes: str) -> Tree:
    """Return a full snapshot whose session time says how long its page has been open."""
    return at_page(page, **{"core.session_time": f"00:00:{seconds}"} | changes)


def test_the_first_commit_is_applied() -> None:
    assert Play().send(at_page(1)).disposition == "applied"


def test_the_same_bytes_at_once_are_a_duplicate() -> None:
    """A browser sends again when a kept-alive connection was cut before the answer (wire format 1.6)."""
    play = Play()
    play.send(at_page(1))
    done = play.send(at_page(1), at=NOON + SECOND)

    assert (done.disposition, done.duplicate_of) == ("duplicate", 1)


@pytest.mark.parametrize("later", [SECOND, REORDER_WINDOW + 1, 30 * DAY])
def test_the_same_bytes_as_the_last_are_a_duplicate_however_late(later: int) -> None:
    play = Play()
    play.send(at_page(1))

    assert play.send(at_page(1), at=NOON + later).disposition == "duplicate"


def test_a_duplicate_changes_no_state_at_all() -> None:
    play = Play()
    play.send(at_page(1))
    attempt, session = play.attempt, play.session
    done = play.send(at_page(1), at=NOON + SECOND)

    assert done.attempt is attempt
    assert done.session is session
    assert (done.changes, done.warnings) == ((), ())


def test_a_duplicate_names_the_commit_it_repeats() -> None:
    play = Play()
    play.send(at_page(1), sequence=1)
    play.send(at_page(2), sequence=2)
    play.send(at_page(3), sequence=3)

    assert play.send(at_page(2), sequence=2).duplicate_of == 2


@pytest.mark.parametrize("tree", [delta({"core.lesson_location": "1"}), at_page(1)], ids=["delta", "full"])
def test_going_back_a_page_in_an_open_session_is_news(tree: Tree) -> None:
    """The same bytes as an earlier commit that is not the last: a learner on the way back."""
    play = Play()
    play.send(tree)
    play.send(delta({"core.lesson_location": "2"}), at=NOON + SECOND)
    done = play.send(tree, at=NOON + 2 * SECOND)

    assert done.disposition == "applied"
    assert play.known.location == "1"


def test_the_same_bytes_again_after_the_end_are_a_duplicate() -> None:
    play = Play()
    play.send(at_page(1))
    play.send(at_page(2), terminated=True)
    done = play.send(at_page(1), at=NOON + DAY)

    assert (done.disposition, done.duplicate_of) == ("duplicate", 1)


@pytest.mark.parametrize("end", [{"beacon": True}, {"terminated": True}])
def test_the_last_commit_may_have_the_bytes_of_the_one_before_it(end: dict[str, bool]) -> None:
    """A player that always tells the total time says the end by its beacon alone, or by a parameter of the address."""
    play = Play()
    always = at_page(1, **{"core.total_time": "00:00:20"})
    play.send(always, full=True, digest="same")
    last = play.send(always, full=True, digest="same", at=NOON + SECOND, **end)
    again = play.send(always, full=True, digest="same", at=NOON + 2 * SECOND, **end)

    assert (last.disposition, last.session.ended) == ("applied", "terminated")
    assert (again.disposition, again.duplicate_of) == ("duplicate", 1)


def test_a_repeated_sequence_is_a_duplicate_whatever_it_holds() -> None:
    play = Play()
    play.send(at_page(1), sequence=1)
    done = play.send(at_page(2), sequence=1)

    assert (done.disposition, done.duplicate_of) == ("duplicate", 1)
    assert play.known.location == "1"


def test_a_count_that_started_again_is_news() -> None:
    """scorm-again counts per loaded page: number 1 comes again after a reload, with other content."""
    play = Play()
    for number in (1, 2, 3):
        play.send(at_page(number), sequence=number, restarts=True)
    again = [play.send(at_page(number + 3), sequence=number, restarts=True) for number in (1, 2, 3, 4)]

    assert [done.disposition for done in again] == ["applied"] * 4
    assert play.known.location == "7"


def test_a_restarting_count_with_the_same_bytes_is_a_duplicate() -> None:
    play = Play()
    for number in (1, 2, 3):
        play.send(at_page(number), sequence=number, restarts=True)

    assert play.send(at_page(2), sequence=2, restarts=True).duplicate_of == 2


def test_a_commit_of_before_the_reload_is_a_duplicate_after_it() -> None:
    play = Play()
    for number in (1, 2, 3):
        play.send(at_page(number), sequence=number, restarts=True)
    play.send(at_page(4), sequence=1, restarts=True)
    done = play.send(at_page(3), sequence=3, restarts=True)

    assert (done.disposition, done.duplicate_of) == ("duplicate", 3)
    assert play.known.location == "4"


def test_a_repeated_idempotency_key_is_a_duplicate_whatever_it_holds() -> None:
    play = Play()
    play.send(at_page(1), key="k1")
    play.send(at_page(2), key="k2")
    done = play.send(at_page(3), key="k1")

    assert (done.disposition, done.duplicate_of) == ("duplicate", 1)


def test_other_keys_are_other_commits() -> None:
    play = Play()
    play.send(at_page(1), key="k1")

    assert play.send(at_page(2), key="k2").disposition == "applied"


def test_a_lower_sequence_that_never_came_is_stale() -> None:
    play = Play()
    play.send(at_page(1), sequence=1)
    play.send(at_page(3), sequence=3)

    assert play.send(at_page(2), sequence=2).disposition == "stale"
    assert play.known.location == "3"


@pytest.mark.parametrize("later", [0, DAY])
def test_a_stale_sequence_is_stale_however_late(later: int) -> None:
    play = Play()
    play.send(at_page(3), sequence=3)

    assert play.send(at_page(2), sequence=2, at=NOON + later).disposition == "stale"


def test_a_gap_in_the_count_is_no_reason_to_wait() -> None:
    play = Play()
    play.send(at_page(1), sequence=1)

    assert play.send(at_page(9), sequence=9).disposition == "applied"


@pytest.mark.parametrize("first", [0, 1, 7])
def test_a_count_can_begin_anywhere(first: int) -> None:
    assert Play().send(at_page(1), sequence=first).disposition == "applied"


def test_an_overtaken_snapshot_is_stale_by_its_session_time() -> None:
    play = Play()
    play.send(after(20, 2), full=True)
    done = play.send(after(10, 1), full=True, at=NOON + SECOND)

    assert done.disposition == "stale"
    assert play.known.location == "2"


def test_an_overtaken_delta_is_stale_by_its_session_time() -> None:
    play = Play()
    play.send(after(20, 2))

    assert play.send(after(10, 1), at=NOON + SECOND).disposition == "stale"


def test_an_overtaken_snapshot_is_stale_by_its_missing_total_time() -> None:
    """Version 1.7.1 of scorm-again: the last commit, which alone tells it, arrives first."""
    play = Play()
    play.send(at_page(2, **{"core.total_time": "00:00:20"}), full=True)

    assert play.send(at_page(1), full=True, at=NOON + SECOND).disposition == "stale"


def test_an_overtaken_snapshot_is_stale_by_its_fewer_interactions() -> None:
    play = Play()
    play.send(at_page(1, **{"interactions.0.id": "Q1", "interactions.1.id": "Q2"}), full=True)

    assert play.send(at_page(1, **{"interactions.0.id": "Q1"}), full=True).disposition == "stale"


@pytest.mark.parametrize("less", [delta({"core.lesson_location": "9"}), delta({"interactions.2.id": "Q3"})])
def test_a_delta_that_tells_less_is_news(less: dict[str, Any]) -> None:
    play = Play()
    play.send(delta({"interactions.0.id": "Q1", "interactions.1.id": "Q2", "core.total_time": "00:00:20"}))

    assert play.send(less).disposition == "applied"


def test_a_commit_that_raises_a_status_is_news_even_if_it_tells_less() -> None:
    play = Play()
    play.send(after(20, 2), full=True)
    done = play.send(after(10, 3, **{"core.lesson_status": "completed"}), full=True, at=NOON + SECOND)

    assert done.disposition == "applied"
    assert play.known.location == "3"


def test_a_page_loaded_again_is_news_once_nothing_can_be_under_way() -> None:
    play = Play()
    play.send(after(50, 5), full=True)
    soon = play.send(after(10, 1), full=True, at=NOON + REORDER_WINDOW)
    later = play.send(after(11, 2), full=True, at=NOON + REORDER_WINDOW + 1)

    assert (soon.disposition, later.disposition) == ("stale", "applied")


def test_the_same_bytes_with_an_earlier_session_time_are_stale_however_late() -> None:
    play = Play()
    play.send(after(10, 1), full=True)
    play.send(after(20, 2), full=True, at=NOON + 10 * SECOND)

    assert play.send(after(10, 1), full=True, at=NOON + DAY).disposition == "stale"


@pytest.mark.parametrize("sequence", [None, 1, 9])
def test_a_commit_after_the_end_is_late(sequence: int | None) -> None:
    play = Play()
    play.send(at_page(1), sequence=2, terminated=True)
    done = play.send(at_page(3), sequence=sequence)

    assert done.disposition == "late"
    assert play.session.ended == "terminated"


def test_every_later_repetition_of_a_late_commit_is_a_duplicate() -> None:
    play = Play()
    play.send(at_page(1), terminated=True)
    play.send(at_page(2))

    assert play.send(at_page(2)).disposition == "duplicate"


@pytest.mark.parametrize(
    ("session", "arrived"),
    [
        (SessionState(), received_commit(at_page(1), key="k")),
        (SessionState(digest="d"), received_commit(at_page(1), digest="d")),
        (SessionState(ended=Ending.SUSPENDED), received_commit(at_page(1))),
        (SessionState(client_session_time=2000), received_commit(after(10, 1))),
    ],
    ids=["key", "digest", "ended", "session_time"],
)
def test_the_journal_is_asked_for_where_a_commit_may_repeat(session: SessionState, arrived: ReceivedCommit) -> None:
    assert needs_duplicate_lookup(session, arrived)


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_the_journal_is_asked_for_where_a_number_may_have_come_before(sequence: int) -> None:
    play = Play()
    play.send(at_page(1), sequence=3)

    assert needs_duplicate_lookup(play.session, received_commit(at_page(2), sequence=sequence))


def test_the_journal_is_not_asked_for_a_plain_next_commit() -> None:
    """Reading it for every commit would cost more than all the rest."""
    play = Play()
    play.send(after(10, 1), sequence=1)

    assert not needs_duplicate_lookup(play.session, received_commit(after(20, 2), sequence=2))


def test_judging_knows_commits_of_the_journal_only() -> None:
    earlier = [PriorCommit(1, "other", 1, "k0")]
    arrived = received_commit(at_page(1), key="k1", sequence=2)

    assert classify(AttemptState(), SessionState(sequence=1), arrived, earlier) == ("applied", None)


_KINDS = {
    "counted": [received_commit(at_page(page), sequence=count) for page in (1, 2) for count in (1, 2)],
    "counted per page": [
        received_commit(at_page(page), sequence=count, restarts=True) for page in (1, 2) for count in (1, 2)
    ],
    "keyed": [received_commit(at_page(page), key=key) for page in (1, 2) for key in ("k1", "k2")],
    "full": [received_commit(tree, full=True) for tree in (at_page(1), after(10, 1), after(20, 2), after(30, 3))],
    "ended": [received_commit(at_page(page), sequence=page, terminated=page == 3) for page in (1, 2, 3, 4)],
}


@pytest.mark.parametrize("kind", _KINDS)
def test_leaving_the_journal_out_where_the_guards_allow_it_changes_nothing(kind: str) -> None:
    """What `update_attempt` promises of `earlier`: for every session of up to five such commits, a minute apart."""
    for commits in itertools.product(_KINDS[kind], repeat=5):
        attempt, session = AttemptState(), SessionState()
        journal: list[PriorCommit] = []
        for number, commit in enumerate(commits, 1):
            arrived = replace(commit, received_at=NOON + number * MINUTE)
            done = update_attempt(attempt, session, arrived, prior_commits=journal)
            if not needs_duplicate_lookup(session, arrived):
                assert update_attempt(attempt, session, arrived) == done, number
            attempt, session = done.attempt, done.session
            if done.disposition != "duplicate":
                journal.append(PriorCommit(number, commit.digest, commit.commit.sequence, commit.idempotency_key))
