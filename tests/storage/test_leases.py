"""Leases: processes share names out evenly, and no name is ever two processes'."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, literal, select

from storage import leases
from storage.engine import open_engine, reading, writing
from storage.leases import Shares
from storage.tables import lease
from tests.storage.builders import uid
from tests.storage.threads import at_once

NAMES = ("lrs/0", "lrs/1", "lrs/2", "lrs/3")
DAY = 86_400_000
GONE = -1
"""A lease that has run out when it is taken."""


@pytest.fixture(autouse=True)
def _free(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(delete(lease))


def share(engine: Engine, process: int, names: Sequence[str] = NAMES, lasts: int = DAY) -> Shares:
    """Let a process look once, and return back what it has too much of."""
    with writing(engine) as connection:
        shares = leases.share_out(connection, owner=uid("process", process), names=names, lasts=lasts)
        leases.give_back(connection, owner=uid("process", process), names=shares.excess)
    return shares


def held(engine: Engine, process: int, names: Sequence[str] = NAMES) -> set[str]:
    """Return what a process holds now."""
    with reading(engine) as connection:
        owner = uid("process", process)
        return {
            name
            for name in names
            if connection.execute(
                select(leases.holds(connection.dialect.name, literal(name), literal(owner, lease.c.owner.type)))
            ).scalar_one()
        }


def test_one_process_holds_everything(engine: Engine) -> None:
    assert share(engine, 1) == Shares(frozenset(NAMES), frozenset())
    assert share(engine, 1) == Shares(frozenset(NAMES), frozenset())
    assert held(engine, 1) == set(NAMES)


def test_a_second_process_gets_its_half_when_the_first_has_given_it_back(engine: Engine) -> None:
    share(engine, 1)

    assert share(engine, 2).held == frozenset()
    assert len(share(engine, 1).excess) == 2
    assert len(share(engine, 2).held) == 2
    assert held(engine, 1) | held(engine, 2) == set(NAMES)


def test_what_a_killed_process_held_is_free_when_its_lease_runs_out(engine: Engine) -> None:
    share(engine, 1, lasts=GONE)

    assert held(engine, 1) == set()
    assert share(engine, 2).held == frozenset(NAMES)


def test_what_a_stopped_process_held_is_free_at_once(engine: Engine) -> None:
    share(engine, 1)
    with writing(engine) as connection:
        leases.give_back(connection, owner=uid("process", 1))

    assert share(engine, 2).held == frozenset(NAMES)


def test_a_process_that_comes_back_late_has_lost_what_another_took(engine: Engine) -> None:
    share(engine, 1, lasts=GONE)
    share(engine, 2)

    assert share(engine, 1).held == frozenset()


def test_a_process_that_has_nothing_to_do_with_a_target_takes_nothing_from_those_who_have(engine: Engine) -> None:
    other_names = ("other/0", "other/1", "other/2")

    assert share(engine, 1, ()).held == frozenset()
    assert share(engine, 2, other_names).held == frozenset(other_names)
    assert share(engine, 3).held == frozenset(NAMES)
    assert share(engine, 4, (*NAMES, *other_names)).held == frozenset()
    assert len(share(engine, 3).excess) == 2
    assert len(share(engine, 2, other_names).excess) == 1
    assert len(share(engine, 4, (*NAMES, *other_names)).held) == 3


def test_the_database_s_clock_tells_the_time(engine: Engine) -> None:
    with reading(engine) as connection:
        earlier, later = (
            connection.execute(select(leases.clock(connection.dialect.name))).scalar_one() for _ in range(2)
        )

    assert 1_700_000_000_000 < earlier <= later < 4_000_000_000_000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=20), st.integers(1, 9))
def test_no_name_is_ever_two_processes_and_shares_become_even(
    engine: Engine, steps: list[tuple[int, bool]], count: int
) -> None:
    names = [f"lrs/{number}" for number in range(count)]
    with writing(engine) as connection:
        connection.execute(delete(lease))
    alive: set[int] = set()
    for process, stays in steps:
        share(engine, process, names, DAY if stays else GONE)
        alive = alive | {process} if stays else alive - {process}
        each = [held(engine, holder, names) for holder in range(1, 5)]
        assert sum(map(len, each)) == len(set().union(*each)), process
    for _ in range(2):
        for process in alive:
            share(engine, process, names)

    if alive:
        assert set().union(*(held(engine, holder, names) for holder in alive)) == set(names)
        assert max(len(held(engine, holder, names)) for holder in alive) <= math.ceil(count / len(alive))


def test_processes_that_look_at_the_same_time_share_without_overlap(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    names = [f"lrs/{number}" for number in range(8)]

    def look(process: int) -> None:
        new_engine = open_engine(url)
        for _ in range(5):
            share(new_engine, process, names)
        new_engine.dispose()

    at_once(4, look)
    each = [held(engine, process, names) for process in range(4)]

    assert sum(map(len, each)) == len(set().union(*each))
    assert max(map(len, each)) >= 2
