"""Pauses of targets, and what is kept of who did what."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from storage import acts, pauses
from storage.acts import Act
from storage.engine import reading, writing
from storage.pauses import Pause
from tests.storage.rows import NOW
from tests.storage.threads import at_once

BY_PEOPLE = Pause("lrs", NOW, "ada", "moving house", automatic=False)
BY_ITSELF = Pause("lrs", NOW + 1, "scorm-bridge", "the LRS answered 401", automatic=True)


def _begin(engine: Engine, *wanted: Pause) -> list[bool]:
    told = []
    for one in wanted:
        with writing(engine) as connection:
            told.append(pauses.begin(connection, one))
    return told


def _current(engine: Engine) -> list[Pause]:
    with reading(engine) as connection:
        return list(pauses.current(connection).values())


@pytest.mark.parametrize("one", [BY_PEOPLE, BY_ITSELF])
def test_a_pause_is_kept_and_beginning_it_again_is_no_news(engine: Engine, one: Pause) -> None:
    assert _begin(engine, one, one._replace(since=NOW + 9)) == [True, False]
    assert _current(engine) == [one]


def test_people_take_over_a_pause_that_the_bridge_made_and_not_the_other_way_round(engine: Engine) -> None:
    assert _begin(engine, BY_ITSELF, BY_PEOPLE, BY_ITSELF) == [True, True, False]
    assert _current(engine) == [BY_PEOPLE]


def test_ending_a_pause_of_the_bridge_leaves_one_of_people(engine: Engine) -> None:
    _begin(engine, BY_PEOPLE, BY_ITSELF._replace(target="other"))
    with writing(engine) as connection:
        assert not pauses.end(connection, "lrs", automatic_only=True)
        assert pauses.end(connection, "other", automatic_only=True)
        assert not pauses.end(connection, "other")
    assert _current(engine) == [BY_PEOPLE]
    with writing(engine) as connection:
        assert pauses.end(connection, "lrs")
    assert _current(engine) == []


def test_of_several_processes_that_are_not_let_in_one_has_the_news(engine: Engine) -> None:
    def begin(_: int) -> bool:
        with writing(engine) as connection:
            return pauses.begin(connection, BY_ITSELF)

    assert sorted(at_once(8, begin)) == [False] * 7 + [True]


def test_what_an_lrs_says_can_be_kept_whatever_it_is(engine: Engine) -> None:
    _begin(engine, BY_ITSELF._replace(reason="no\x00 \ud800"))
    assert [one.reason for one in _current(engine)] == ["no\ufffd ?"]


def test_acts_are_told_newest_first(engine: Engine) -> None:
    first, second = Act(NOW, "ada", "pause", "lrs", 1, "why"), Act(NOW + 1, "bob", "resume", "lrs", 1, "")
    with writing(engine) as connection:
        acts.add(connection, first)
        acts.add(connection, second)
    with reading(engine) as connection:
        assert acts.newest(connection) == [second, first]
        assert acts.newest(connection, 1) == [second]
