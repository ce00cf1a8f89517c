"""Budgets of commits and bytes: what fits, when more fits again, and how many of them are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.limits.budgets import MIB, Budget
from bridge.settings import LimitSettings, SessionBudgetSettings

HOUR = 3600


def _budget(max_buckets: int = 1000, **settings: int) -> Budget:
    chosen = {"commits": 10, "commits_per_minute": 60, "mib": 2, "mib_per_minute": 6} | settings
    return Budget(SessionBudgetSettings(**chosen), max_buckets=max_buckets)


def _spend(budget: Budget, key: str, size: int, now: float) -> bool:
    return budget.use(key, size, now) == 0


def test_so_many_commits_fit_at_once_and_one_more_each_second() -> None:
    budget = _budget()

    assert [_spend(budget, "s", 10, 0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert budget.use("s", 10, 0.25) == pytest.approx(0.75)
    assert [_spend(budget, "s", 10, 1) for _ in range(2)] == [True, False]
    assert [_spend(budget, "s", 10, 100) for _ in range(12)] == [True] * 10 + [False] * 2


def test_so_many_bytes_fit_at_once_and_more_as_they_come_back() -> None:
    budget = _budget()

    assert [_spend(budget, "s", MIB // 2, 0) for _ in range(5)] == [True] * 4 + [False]
    assert budget.use("s", MIB // 2, 0) == pytest.approx(5)
    assert _spend(budget, "s", MIB // 2, 5)


def test_what_is_larger_than_the_budget_passes_alone() -> None:
    budget = _budget(mib=1)

    assert _spend(budget, "s", 3 * MIB, 0)
    assert not _spend(budget, "s", 1, 0)
    assert _spend(budget, "s", 3 * MIB, 60)


def test_what_was_given_back_fits_again() -> None:
    budget = _budget(commits=1, mib=1)
    assert _spend(budget, "s", MIB, 0)
    budget.give_back("s", MIB)
    assert [_spend(budget, "s", MIB, 0) for _ in range(2)] == [True, False]


def test_one_s_budget_is_nobody_else_s() -> None:
    budget = _budget(commits=1)

    assert [_spend(budget, key, 1, 0) for key in ("s", "t", "s", "t")] == [True, True, False, False]


def test_nought_is_no_limit() -> None:
    budget = _budget(commits=0, mib=0)

    assert budget.is_unlimited
    assert all(_spend(budget, "s", MIB, 0) for _ in range(10_000))


@given(
    st.lists(st.tuples(st.integers(0, 2 * MIB), st.floats(0, 5)), min_size=1, max_size=60),
    st.integers(1, 8),
    st.integers(1, 3),
)
def test_who_waits_as_long_as_told_fits_and_never_more_than_the_budget_and_its_rate_passes(
    posts: list[tuple[int, float]], commits: int, mib: int
) -> None:
    budget, now, passed, total = _budget(commits=commits, mib=mib), 0.0, 0, 0
    for size, pause in posts:
        now += pause
        wait = budget.use("s", size, now)
        if wait:
            now += math.ceil(wait)  # as Retry-After says it
            assert budget.use("s", size, now) == 0
        passed, total = passed + 1, total + size

    assert passed <= commits + now + 1
    assert total <= (mib + now * 6 / 60) * MIB + 2 * MIB


def test_the_number_of_buckets_is_bounded_and_empty_ones_go_first() -> None:
    budget = _budget(max_buckets=100)
    for number in range(10_000):
        _spend(budget, f"s{number}", 10, 0)
    assert len(budget) <= 100
    for number in range(60):
        _spend(budget, f"t{number}", 10, HOUR)
    assert len(budget) <= 60


def test_a_client_that_goes_on_is_not_forgotten_for_strangers() -> None:
    budget = _budget(max_buckets=100, commits=50)
    answers = []
    for number in range(2_000):
        _spend(budget, f"s{number}", 10, number / 1000)
        answers.append(_spend(budget, "s", 10, number / 1000))

    assert 50 <= sum(answers) <= 53


def test_real_players_never_reach_the_defaults() -> None:
    """A snapshot of 100 KiB each second for eight hours, and three hours of small ones that were kept offline."""
    settings = LimitSettings()
    session, learner = Budget(settings.session), Budget(settings.learner)

    assert all(_spend(session, "s", 100 * 1024, second) for second in range(8 * HOUR))
    assert all(_spend(session, "offline", 16 * 1024, 0) for _ in range(HOUR))
    assert all(_spend(learner, "u", 100 * 1024, second) for second in range(HOUR) for _ in range(4))
