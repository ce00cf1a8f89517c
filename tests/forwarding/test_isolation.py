"""Telling one delivery that does not pass from a target that takes nothing, by what passes."""

from __future__ import annotations

from bridge.forwarding.isolation import EVERYTHING, MAX_REFUSED, MAX_REMEMBERED, Isolation


def test_what_fails_while_others_pass_is_to_blame_and_stays_so() -> None:
    isolation = Isolation()
    assert not isolation.failed("poison", "attempt").is_alone
    assert not isolation.failed("poison", "attempt").is_alone
    isolation.passed()
    assert isolation.failed("poison", "attempt")[:3] == (3, True, False)
    assert isolation.failed("poison", "attempt")[:3] == (4, True, False)
    isolation.forget("poison")
    assert isolation.failed("poison", "attempt")[:3] == (1, False, False)


def test_a_permission_may_be_missing_where_nothing_ever_passed_or_several_attempts_fail() -> None:
    isolation = Isolation()
    assert isolation.failed("a", 1).may_be_permission
    isolation.passed()
    assert not isolation.failed("b", 2).may_be_permission
    assert not isolation.failed("b", 2).may_be_permission
    assert isolation.failed("c", 3).may_be_permission
    isolation.passed()
    assert not isolation.failed("a", 1).may_be_permission


def test_when_nothing_of_several_attempts_passes_the_target_is_to_blame() -> None:
    isolation = Isolation()
    failures = [isolation.failed(number, number) for number in range(EVERYTHING + 1)]
    assert [one.is_everything for one in failures] == [False] * (EVERYTHING - 1) + [True, True]
    isolation.passed()
    assert not isolation.failed("new", "new").is_everything


def test_one_attempt_alone_is_never_everything() -> None:
    isolation = Isolation()
    assert not any(isolation.failed(number, "attempt").is_everything for number in range(20))


def test_what_is_to_blame_does_not_count_against_the_target() -> None:
    isolation = Isolation()
    for number in range(EVERYTHING):
        isolation.failed(number, number)
    isolation.passed()
    assert not any(isolation.failed(number, number).is_everything for number in range(EVERYTHING))
    assert not isolation.failed("voiding", "x", says_nothing_of_others=True).is_everything


def test_refusals_one_after_the_other_are_given_up_only_to_begin_with() -> None:
    isolation = Isolation()
    given_up = [isolation.refused(number, is_refusing=False) for number in range(20)]
    assert given_up == [True] * MAX_REFUSED + [False] * (20 - MAX_REFUSED)
    isolation.passed()
    assert isolation.refused("another", is_refusing=False)


def test_all_that_one_attempt_has_wrong_is_given_up() -> None:
    isolation = Isolation()
    assert all(isolation.refused("attempt", is_refusing=False) for _ in range(50))


def test_a_target_that_was_refusing_before_a_restart_still_is_until_something_passes() -> None:
    isolation = Isolation()
    assert not isolation.refused("attempt", is_refusing=True)
    isolation.passed()
    assert isolation.refused("attempt", is_refusing=True)


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    isolation = Isolation()
    for number in range(MAX_REMEMBERED + 10):
        isolation.failed(number, "attempt")
    assert isolation.failed(0, "attempt").failures == 1
    assert isolation.failed(MAX_REMEMBERED + 9, "attempt").failures == 2
