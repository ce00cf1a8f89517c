"""Requests as they are cut out of a page: what goes together, and that no byte of a statement changes."""

from __future__ import annotations

import pytest

from bridge.forwarding.batches import MAX_BATCH_BYTES, MAX_SHARED_TRIES, Batch, BatchSplitter
from storage.outbox import ClaimedBatch, ClaimedDelivery


def _page(bodies: list[str], tries: dict[int, int] | None = None) -> ClaimedBatch:
    tries = tries or {}
    claimed = [
        ClaimedDelivery(number, 1, number, tries.get(number, 0), f"id-{number}", len(body.encode()))
        for number, body in enumerate(bodies)
    ]
    return ClaimedBatch(claimed, ",".join(bodies).encode())


def _cut(page: ClaimedBatch, limit: int) -> list[Batch]:
    queue, batches = BatchSplitter(page), []
    while (batch := queue.take(limit)) is not None:
        batches.append(batch)
    return batches


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_all_of_a_page_goes_out_in_its_order_and_byte_for_byte(limit: int) -> None:
    bodies = [f'{{"n": {number}, "name": "☃{"x" * number}"}}' for number in range(7)]
    batches = _cut(_page(bodies), limit)
    assert [len(batch.claimed) for batch in batches] == [min(limit, 7 - at) for at in range(0, 7, limit)]
    for batch in batches:
        its = ",".join(bodies[row.position] for row in batch.claimed)
        assert batch.body.decode() == f"[{its}]"
    assert [row.position for batch in batches for row in batch.claimed] == list(range(7))


def test_nothing_is_cut_out_of_an_empty_page() -> None:
    assert BatchSplitter(ClaimedBatch((), b"")).take(50) is None


def test_a_request_has_no_more_bytes_than_it_may_but_for_a_single_statement() -> None:
    half, whole = "x" * (MAX_BATCH_BYTES // 2), "y" * (MAX_BATCH_BYTES + 1)
    batches = _cut(_page([half, half, half, whole, half]), 50)

    assert [len(batch.claimed) for batch in batches] == [2, 1, 1, 1]
    assert [batch.body.decode() for batch in batches] == [f"[{half},{half}]", f"[{half}]", f"[{whole}]", f"[{half}]"]


def test_what_was_tried_often_goes_by_itself() -> None:
    batches = _cut(
        _page(["a", "b", "c", "d", "e"], {0: MAX_SHARED_TRIES, 3: MAX_SHARED_TRIES + 2, 1: MAX_SHARED_TRIES - 1}), 50
    )

    assert [batch.statement_ids for batch in batches] == [["id-0"], ["id-1", "id-2"], ["id-3"], ["id-4"]]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_halves_of_a_batch_are_all_of_it(count: int) -> None:
    bodies = [f'"☃{"z" * number}"' for number in range(count)]
    (batch,) = _cut(_page(bodies), 50)
    first, second = batch.halves()

    assert len(first.claimed) == count // 2
    assert [*first.claimed, *second.claimed] == batch.claimed
    assert first.body[:-1] + b"," + second.body[1:] == batch.body
    assert first.body.decode() == "[" + ",".join(bodies[: count // 2]) + "]"
