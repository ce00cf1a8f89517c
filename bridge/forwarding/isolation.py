"""Distinguishes one delivery that fails from a target that fails.

An LRS that is down and a firewall that blocks one statement answer the same. So a batch that fails is halved until one
delivery stands alone; it waits by itself, and whether it or the target is at fault is seen by what else succeeds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

TARGET_FAILURE_ATTEMPTS: Final = 3
"""Attempts whose deliveries must fail, with no success in between, for the target to be at fault."""
MAX_REFUSED_IN_A_ROW: Final = 5
"""Statements that become dead one after the other, of no fewer than `TARGET_FAILURE_ATTEMPTS` attempts, before the
rest waits."""
MAX_REMEMBERED: Final = 10_000


class Failure(NamedTuple):
    """What is known of a delivery that failed by itself.

    Attributes:
        failures: how often it has.
        is_isolated: others succeeded meanwhile, so that it is at fault and not the target.
        is_target_wide: everything fails, so that the target is at fault.
        may_be_permission: nothing ever succeeded, or several attempts fail: a 403 may be meant for all.
    """

    failures: int
    is_isolated: bool
    is_target_wide: bool
    may_be_permission: bool = False


class Isolation:
    """Successes and failures of one target and kind of delivery, in memory only."""

    def __init__(self) -> None:
        self._successes = 0
        self._failures: OrderedDict[Hashable, tuple[int, int, bool]] = OrderedDict()
        self._failing_attempts: set[Hashable] = set()
        self._refusals = 0
        self._refused_attempts: set[Hashable] = set()

    def record_success(self) -> None:
        """Record that something was accepted: what fails meanwhile fails by itself."""
        self._successes += 1
        self._failing_attempts.clear()
        self._refusals = 0
        self._refused_attempts.clear()

    def record_failure(self, delivery: Hashable, attempt: Hashable, *, says_nothing_of_others: bool = False) -> Failure:
        """Record the failure of a delivery that was sent alone.

        `says_nothing_of_others`: the delivery itself is known to be at fault.
        """
        failures, successes, is_isolated = self._failures.pop(delivery, (0, self._successes, False))
        is_isolated = is_isolated or says_nothing_of_others or successes != self._successes
        self._failures[delivery] = failures + 1, self._successes, is_isolated
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)
        if not is_isolated:
            self._failing_attempts.add(attempt)
        failing = 0 if is_isolated else len(self._failing_attempts)
        may_be_permission = failing > 1 or (failing > 0 and not self._successes)
        return Failure(failures + 1, is_isolated, failing >= TARGET_FAILURE_ATTEMPTS, may_be_permission)

    def record_refusal(self, attempt: Hashable, *, is_refusing: bool) -> bool:
        """Record that a statement was refused; return whether it may become dead, as the target accepts others.

        `is_refusing`: the target was known to refuse everything.
        """
        if is_refusing and not self._successes:
            return False
        self._refusals += 1
        self._refused_attempts.add(attempt)
        return self._refusals <= MAX_REFUSED_IN_A_ROW or len(self._refused_attempts) < TARGET_FAILURE_ATTEMPTS

    def forget(self, delivery: Hashable) -> None:
        """Remove a delivery that is settled."""
        self._failures.pop(delivery, None)
