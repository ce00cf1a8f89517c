"""Splitting claimed deliveries into request bodies: slices of what was read, so that no statement is encoded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from storage.outbox import ClaimedBatch, ClaimedDelivery

MAX_BATCH_BYTES = 512 * 1024
"""Bytes of statements in a request, unless a single one is longer."""
MAX_SHARED_TRIES = 7
"""Tries after which a statement is sent alone: more than it takes to find the one of a batch that breaks an LRS."""
NO_LIMITS: Mapping[int, int] = {}


class Batch(NamedTuple):
    """Deliveries of one request, and its body: their statements as a JSON list, byte for byte."""

    claimed: Sequence[ClaimedDelivery]
    body: bytes

    @property
    def statement_ids(self) -> list[str]:
        """Return the ids of its statements in their order."""
        return [delivery.statement_id for delivery in self.claimed]

    def halves(self) -> tuple[Batch, Batch]:
        """Split it in two; the first half is not the longer one."""
        half = len(self.claimed) // 2
        end = _length(self.claimed[:half])
        first, second = self.body[1 : 1 + end], self.body[2 + end : -1]
        return Batch(self.claimed[:half], b"[%b]" % first), Batch(self.claimed[half:], b"[%b]" % second)


class BatchSplitter:
    """Splits a page of claimed deliveries into batches."""

    def __init__(self, page: ClaimedBatch) -> None:
        self._claimed, self._bodies = page
        self._next = 0
        self._offset = 0

    def take(self, max_count: int, limits: Mapping[int, int] = NO_LIMITS) -> Batch | None:
        """Return the next batch of at most `max_count` deliveries, None at the end. What was tried often is alone.

        `limits` has the maximum size of a batch by the id of a delivery in it.
        """
        claimed = self._claimed[self._next : self._next + max_count]
        if not claimed:
            return None
        size = claimed[0].size
        count = 1
        max_count = 1 if claimed[0].tries >= MAX_SHARED_TRIES else min(max_count, limits.get(claimed[0].id, max_count))
        for delivery in claimed[1:]:
            max_count = min(max_count, limits.get(delivery.id, max_count))
            if count >= max_count or size + delivery.size > MAX_BATCH_BYTES or delivery.tries >= MAX_SHARED_TRIES:
                break
            size += delivery.size
            count += 1
        claimed = claimed[:count]
        begin = self._offset
        end = begin + size + count - 1
        self._next += count
        self._offset = end + 1
        return Batch(claimed, b"[%b]" % self._bodies[begin:end])


def _length(claimed: Sequence[ClaimedDelivery]) -> int:
    return sum(delivery.size for delivery in claimed) + len(claimed) - 1
