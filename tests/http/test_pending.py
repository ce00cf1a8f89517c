"""Commits are worked out ahead as long as that is of use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.commits.pending import Batch
from storage.engine import open_engine
from tests.commit_path import Writer

SESSIONS = 20


def _next(process: Writer, session_id: str) -> Batch:
    """Give the batch that a commit of a session waits in."""
    process.pending.add(process.posting(session_id, {"cmi": {"suspend_data": "x"}}))
    batch = process.pending.next()
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

    assert not _next(process, sessions[0]).ahead


def test_where_a_session_stays_with_a_process_its_commits_are_worked_out_ahead_again(process: Writer) -> None:
    sessions = [process.open(f"u{number}") for number in range(SESSIONS)]
    _play(sessions, process, process.another())

    _play(sessions, process)

    assert _next(process, sessions[0]).ahead
