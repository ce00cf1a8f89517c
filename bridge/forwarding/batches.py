"""Cutting what was claimed into requests. A body is a slice of all that came: statements are never taken out singly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from storage.outbox import ClaimedBatch, ClaimedDelivery

MOST_BYTES = 512 * 1024
"""Bytes of statements in a request, but for a single longer one."""
ALONE = 7
"""Tries after which a statement goes by itself: more than it takes to find the one of a batch that breaks an LRS."""
NO_LIMITS: Mapping[int, int] = {}


class Batch(NamedTuple):
    """Deliveries that go in one request, and its body: their statements as a JSON list, byte for byte."""

    claimed: Sequence[ClaimedDelivery]
    body: bytes

    @property
    def statement_ids(self) -> list[str]:
        """Give the ids of its statements in their order."""
        return [one.statement_id for one in self.claimed]

    def halves(self) -> tuple[Batch, Batch]:
        """Part it in two, the first not the longer one."""
        half = len(self.claimed) // 2
        end = _length(self.claimed[:half])
        first, second = self.body[1 : 1 + end], self.body[2 + end : -1]
        return Batch(self.claimed[:half], b"[%b]" % first), Batch(self.claimed[half:], b"[%b]" % second)


class BatchSplitter:
    """Gives a page away, batch after batch."""

    def __init__(self, page: ClaimedBatch) -> None:
        self._claimed, self._bodies = page
        self._next = 0
        self._offset = 0

    def take(self, most: int, limits: Mapping[int, int] = NO_LIMITS) -> Batch | None:
        """Give the next of at most so many, None at the end. What was tried often goes by itself.

        `limits` has, of some deliveries, how many there may be in a request that has them.
        """
        its = self._claimed[self._next : self._next + most]
        if not its:
            return None
        size = its[0].size
        count = 1
        most = 1 if its[0].tries >= ALONE else min(most, limits.get(its[0].id, most))
        for one in its[1:]:
            most = min(most, limits.get(one.id, most))
            if count >= most or size + one.size > MOST_BYTES or one.tries >= ALONE:
                break
            size += one.size
            count += 1
        its = its[:count]
        begin = self._offset
        end = begin + size + count - 1
        self._next += count
        self._offset = end + 1
        return Batch(its, b"[%b]" % self._bodies[begin:end])


def _length(claimed: Sequence[ClaimedDelivery]) -> int:
    return sum(one.size for one in claimed) + len(claimed) - 1
