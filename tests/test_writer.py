"""The order of writes: commits first, and people in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from bridge.database_outage import DatabaseOutage
from bridge.writer import LOW_PRIORITY_INTERVAL, Writer
from storage.database_files import OpenFiles
from storage.engine import open_engine


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def writer(database_url: str, clock: _Clock) -> Iterator[Writer]:
    engine = open_engine(database_url)
    new_writer = Writer(engine, OpenFiles(engine), "test", DatabaseOutage("writes"), clock)
    yield new_writer
    new_writer.close()
    engine.dispose()


def _hold(writer: Writer) -> threading.Event:
    """Keep the thread busy until the event is set."""
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go_on.wait(30)

    writer.queue(wait)
    begun.wait(30)
    return go_on


def test_commits_go_before_people_who_came_first(writer: Writer, clock: _Clock) -> None:
    done: list[str] = []
    writer.queue_low_priority(done.append, "first").result(30)
    go_on = _hold(writer)
    people = [writer.queue_low_priority(done.append, f"person {number}") for number in range(3)]
    commits = [writer.queue(done.append, f"commit {number}") for number in range(3)]
    assert writer.low_priority_waiting == 3
    go_on.set()
    for future in (*commits, *people):
        future.result(30)
    assert done == ["first", *(f"commit {n}" for n in range(3)), *(f"person {n}" for n in range(3))]


def test_people_have_their_turn_now_and_then_while_commits_never_cease(writer: Writer, clock: _Clock) -> None:
    done: list[str] = []
    writer.queue_low_priority(done.append, "first").result(30)
    go_on = _hold(writer)
    people = [writer.queue_low_priority(done.append, "person") for _ in range(2)]

    def commit(number: int) -> None:
        done.append("commit")
        clock.now += LOW_PRIORITY_INTERVAL / 2
        if number:
            writer.queue(commit, number - 1)

    writer.queue(commit, 7)
    go_on.set()
    for future in people:
        future.result(30)

    assert done[1:7] == ["commit", "commit", "person", "commit", "commit", "person"]


def test_a_transaction_that_fails_is_told_and_the_next_one_is_stored(writer: Writer) -> None:
    def fail(_connection: Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writer.queue_low_priority(writer.transaction, fail).result(30)
    stored = writer.queue(writer.transaction, lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one())

    assert stored.result(30) == 1


def test_what_is_queued_is_done_before_it_is_closed_and_nothing_after(database_url: str) -> None:
    engine = open_engine(database_url)
    writer = Writer(engine, OpenFiles(engine), "test", DatabaseOutage("writes"))
    go_on = _hold(writer)
    waiting = [writer.queue(int), writer.queue_low_priority(int)]
    go_on.set()
    writer.close()
    assert [future.result(0) for future in waiting] == [0, 0]
    with pytest.raises(RuntimeError):
        writer.queue(int)
    writer.close()
    engine.dispose()
