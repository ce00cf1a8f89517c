"""Telling one delivery that does not pass from a target that takes nothing, by what passes."""

from __future__ import annotations

from bridge.forwarding.isolation import MAX_REFUSED_IN_A_ROW, MAX_REMEMBERED, TARGET_FAILURE_ATTEMPTS, Isolation


def test_what_fails_while_others_pass_is_to_blame_and_stays_so() -> None:
    isolation = Isolation()
    assert not isolation.record_failure("poison", "attempt").is_isolated
    assert not isolation.record_failure("poison", "attempt").is_isolated
    isolation.record_success()
    assert isolation.record_failure("poison", "attempt")[:3] == (3, True, False)
    assert isolation.record_failure("poison", "attempt")[:3] == (4, True, False)
    isolation.forget("poison")
    assert isolation.record_failure("poison", "attempt")[:3] == (1, False, False)


def test_a_permission_may_be_missing_where_nothing_ever_passed_or_several_attempts_fail() -> None:
    isolation = Isolation()
    assert isolation.record_failure("a", 1).may_be_permission
    isolation.record_success()
    assert not isolation.record_failure("b", 2).may_be_permission
    assert not isolation.record_failure("b", 2).may_be_permission
    assert isolation.record_failure("c", 3).may_be_permission
    isolation.record_success()
    assert not isolation.record_failure("a", 1).may_be_permission


def test_when_nothing_of_several_attempts_passes_the_target_is_to_blame() -> None:
    isolation = Isolation()
    failures = [isolation.record_failure(number, number) for number in range(TARGET_FAILURE_ATTEMPTS + 1)]
    assert [failure.is_target_wide for failure in failures] == [False] * (TARGET_FAILURE_ATTEMPTS - 1) + [True, True]
    isolation.record_success()
    assert not isolation.record_failure("new", "new").is_target_wide


def test_one_attempt_alone_is_never_everything() -> None:
    isolation = Isolation()

    assert not any(isolation.record_failure(number, "attempt").is_target_wide for number in range(20))


def test_what_is_to_blame_does_not_count_against_the_target() -> None:
    isolation = Isolation()
    for number in range(TARGET_FAILURE_ATTEMPTS):
        isolation.record_failure(number, number)
    isolation.record_success()

    assert not any(isolation.record_failure(number, number).is_target_wide for number in range(TARGET_FAILURE_ATTEMPTS))
    assert not isolation.record_failure("voiding", "x", says_nothing_of_others=True).is_target_wide


def test_refusals_one_after_the_other_are_given_up_only_to_begin_with() -> None:
    isolation = Isolation()
    given_up = [isolation.record_refusal(number, is_refusing=False) for number in range(20)]
    assert given_up == [True] * MAX_REFUSED_IN_A_ROW + [False] * (20 - MAX_REFUSED_IN_A_ROW)
    isolation.record_success()
    assert isolation.record_refusal("another", is_refusing=False)


def test_all_that_one_attempt_has_wrong_is_given_up() -> None:
    isolation = Isolation()

    assert all(isolation.record_refusal("attempt", is_refusing=False) for _ in range(50))


def test_a_target_that_was_refusing_before_a_restart_still_is_until_something_passes() -> None:
    isolation = Isolation()
    assert not isolation.record_refusal("attempt", is_refusing=True)
    isolation.record_success()
    assert isolation.record_refusal("attempt", is_refusing=True)


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    isolation = Isolation()
    for number in range(MAX_REMEMBERED + 10):
        isolation.record_failure(number, "attempt")

    assert isolation.record_failure(0, "attempt").failures == 1
    assert isolation.record_failure(MAX_REMEMBERED + 9, "attempt").failures == 2
