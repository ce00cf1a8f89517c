"""Telling one delivery that does not pass from a target that takes nothing.

An LRS that is down and a firewall that stops one statement answer the same. So a batch that fails is halved until one
delivery stands alone; it waits by itself, and whether it or the target is to blame is seen by what else passes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

EVERYTHING: Final = 3
"""Attempts whose deliveries must fail, with nothing passing in between, for the target to be to blame."""
MAX_REFUSED: Final = 5
"""Statements that are given up one after the other, of no fewer than `EVERYTHING` attempts, before the rest waits."""
MAX_REMEMBERED: Final = 10_000


class Failure(NamedTuple):
    """What is known of a delivery that failed by itself.

    Attributes:
        failures: how often it has.
        is_alone: others passed meanwhile, so that it is to blame and not the target.
        is_everything: nothing passes, whatever is tried, so that the target is to blame.
        may_be_permission: nothing ever passed, or several attempts fail: a 403 may be meant for all.
    """

    failures: int
    is_alone: bool
    is_everything: bool
    may_be_permission: bool = False


class Isolation:
    """What passed and what did not, of one target and kind of delivery. Forgotten with the process."""

    def __init__(self) -> None:
        self._passed = 0
        self._failures: OrderedDict[Hashable, tuple[int, int, bool]] = OrderedDict()
        self._in_a_row: set[Hashable] = set()
        self._refused = 0
        self._refused_attempts: set[Hashable] = set()

    def passed(self) -> None:
        """Note that something was taken: the target lets the bridge in, and what fails beside it fails alone."""
        self._passed += 1
        self._in_a_row.clear()
        self._refused = 0
        self._refused_attempts.clear()

    def failed(self, delivery: Hashable, attempt: Hashable, *, says_nothing_of_others: bool = False) -> Failure:
        """Note that a delivery failed that was tried by itself; `says_nothing_of_others` where it is known to blame."""
        failures, passed, is_alone = self._failures.pop(delivery, (0, self._passed, False))
        is_alone = is_alone or says_nothing_of_others or passed != self._passed
        self._failures[delivery] = failures + 1, self._passed, is_alone
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)
        if not is_alone:
            self._in_a_row.add(attempt)
        in_a_row = 0 if is_alone else len(self._in_a_row)
        may_be_permission = in_a_row > 1 or (in_a_row > 0 and not self._passed)
        return Failure(failures + 1, is_alone, in_a_row >= EVERYTHING, may_be_permission)

    def refused(self, attempt: Hashable, *, is_refusing: bool) -> bool:
        """Note that a statement was refused; return whether it may be given up, as the target takes others.

        `is_refusing` tells that the target was known to refuse everything.
        """
        if is_refusing and not self._passed:
            return False
        self._refused += 1
        self._refused_attempts.add(attempt)
        return self._refused <= MAX_REFUSED or len(self._refused_attempts) < EVERYTHING

    def forget(self, delivery: Hashable) -> None:
        """Forget a delivery that is settled."""
        self._failures.pop(delivery, None)
