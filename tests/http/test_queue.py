"""Whatever fails while commits are queued, everybody gets the answer to their own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.commits.commands import StoreCommit
from bridge.commits.write_queue import QueuedCommand, WriteQueue
from tests.support.bridge import Bridge

LEARNERS = [f"u{number}" for number in range(9)]
UNLUCKY = "u4"


def _learner(queued: QueuedCommand) -> str | None:
    command = queued.command
    return command.launch.learner.id if isinstance(command, StoreCommit) and command.launch is not None else None


async def _all_at_once(bridge: Bridge) -> dict[str, tuple[int, Any]]:
    bodies = [
        {"learner": {"id": learner}, "activity": "235", "cmi": {"core": {"lesson_location": learner}}}
        for learner in LEARNERS
    ]
    answers = await asyncio.gather(*(bridge.post("/v1/commits", body) for body in bodies))
    return dict(zip(LEARNERS, answers, strict=True))


def _is_own(learner: str, answer: tuple[int, Any]) -> bool:
    status, body = answer
    return status == 200 and (body["enrollment"]["learner"]["id"], body["progress"]["location"]) == (learner, learner)


async def test_a_commit_that_cannot_be_queued_leaves_its_neighbours_their_own_answers(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = WriteQueue.add

    def failing(queue: WriteQueue, queued: QueuedCommand) -> None:
        if _learner(queued) == UNLUCKY:
            raise MemoryError
        add(queue, queued)

    with monkeypatch.context() as patched:
        patched.setattr(WriteQueue, "add", failing)
        for _ in range(2):
            answers = await _all_at_once(bridge)
            status, body = answers.pop(UNLUCKY)
            assert (status, body["code"]) == (503, "not-processed")
            assert all(_is_own(*item) for item in answers.items())

    assert _is_own(UNLUCKY, (await _all_at_once(bridge))[UNLUCKY])


async def test_a_commit_that_is_queued_and_cannot_be_prepared_is_stored_all_the_same(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = []
    hand_over = WriteQueue._hand_over

    def failing(queue: WriteQueue, command: Any, batch: Any) -> None:
        hand_over(queue, command, batch)
        if isinstance(command, StoreCommit) and command.launch is not None and command.launch.learner.id == UNLUCKY:
            failed.append(command)
            raise RuntimeError

    monkeypatch.setattr(WriteQueue, "_hand_over", failing)

    for _ in range(3):
        assert all(_is_own(*item) for item in (await _all_at_once(bridge)).items())
    assert len(failed) == 3
    assert [len(bridge.reports(learner)[0].commits) for learner in LEARNERS] == [3] * len(LEARNERS)


async def test_a_stop_waits_for_no_commit_that_was_never_queued(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_queue: WriteQueue, _queued: QueuedCommand) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(WriteQueue, "add", failing)
        answers = await _all_at_once(bridge)
    assert {status for status, _ in answers.values()} == {503}
    async with asyncio.timeout(20):
        await bridge.close()
