"""Commits are worked out ahead as long as that is of use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.commits.write_queue import (
    MAX_PRECOMPUTED_BYTES,
    MAX_PRECOMPUTED_ITEMS,
    MAX_PRECOMPUTED_STATE,
    CommandBatch,
    QueuedCommand,
)
from storage.engine import open_engine
from tests.support.commit_path import Writer

SESSIONS = 20


def _next(process: Writer, session_id: str) -> CommandBatch:
    """Return the batch that a commit of a session waits in."""
    process.queue.add(QueuedCommand(process.posting(session_id, {"cmi": {"suspend_data": "x"}})))
    batch = process.queue.next_batch()
    assert batch is not None
    return batch


@pytest.fixture
def process(database_url: str) -> Iterator[Writer]:
    engine = open_engine(database_url)
    yield Writer(engine)
    engine.dispose()


def _play(sessions: list[str], *processes: Writer) -> None:
    """Let the processes take the commits of each session in turns, again and again."""
    for number in range(30):
        for session_id in sessions:
            processes[number % len(processes)].post(session_id, {"cmi": {"suspend_data": f"{number}"}})


def test_where_processes_take_turns_at_sessions_nothing_is_worked_out_twice(process: Writer) -> None:
    sessions = [process.open(f"u{number}") for number in range(SESSIONS)]

    _play(sessions, process, process.another())

    assert not _next(process, sessions[0]).precomputed


def test_where_a_session_stays_with_a_process_its_commits_are_worked_out_ahead_again(process: Writer) -> None:
    sessions = [process.open(f"u{number}") for number in range(SESSIONS)]
    _play(sessions, process, process.another())

    _play(sessions, process)

    assert _next(process, sessions[0]).precomputed


def _answers(count: int, response: str = "a") -> dict[str, Any]:
    return {"cmi": {"interactions": {f"{n}": {"id": f"i{n}", "learner_response": response} for n in range(count)}}}


@pytest.mark.parametrize(
    "heavy",
    [
        _answers(MAX_PRECOMPUTED_ITEMS + 1),
        {"cmi": {"objectives": {f"{n}": {"id": f"o{n}"} for n in range(MAX_PRECOMPUTED_ITEMS + 1)}}},
        {"cmi": {"comments_from_learner": {f"{n}": {"comment": "c"} for n in range(MAX_PRECOMPUTED_ITEMS + 1)}}},
        _answers(1, "a" * MAX_PRECOMPUTED_BYTES),
    ],
)
def test_a_commit_of_much_work_is_left_to_the_writer(process: Writer, heavy: dict[str, Any]) -> None:
    session_id = process.open("u1")
    process.post(session_id, {"cmi": {"suspend_data": "x"}})
    process.queue.add(QueuedCommand(process.posting(session_id, heavy)))
    batch = process.queue.next_batch()

    assert batch is not None
    assert not batch.precomputed


def test_interactions_that_are_known_by_their_bytes_are_no_work(process: Writer) -> None:
    session_id, many = process.open("u1"), _answers(MAX_PRECOMPUTED_ITEMS * 2)
    process.post(session_id, many)
    process.queue.add(QueuedCommand(process.posting(session_id, {"cmi": many["cmi"] | {"location": "p2"}})))
    batch = process.queue.next_batch()

    assert batch is not None
    assert batch.precomputed


def test_a_commit_to_a_large_state_is_left_to_the_writer(process: Writer) -> None:
    session_id = process.open("u1")
    process.post(session_id, {"cmi": {"suspend_data": "x" * (MAX_PRECOMPUTED_STATE + 1)}})

    assert not _next(process, session_id).precomputed
