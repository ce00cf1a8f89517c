"""An attempt's timeline has all there is to the attempt, and nothing of another."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine

from storage import deliveries
from storage.attempts import Session
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.queries import timeline
from storage.queries.timeline import Timeline
from tests.storage import document_builders
from tests.storage.builders import (
    NOW,
    add,
    add_session,
    append,
    entry,
    launched,
    queue,
    statements,
    stored,
    to,
    tried,
    uid,
)


@pytest.fixture
def its(engine: Engine) -> Session:
    """An attempt with two sessions: three commits of the first, the third a duplicate; one of the second."""
    with writing(engine) as connection:
        first = launched(connection)
        queue(connection, first, 2, ["lrs", "mirror"])  # stores commit 1
        second = add_session(connection, first.attempt, session_id=uid("second"))
        entries = [
            entry(second, 1, body=b'{"second":1}', content_type="text/plain"),
            entry(first, 2, body=b"twelve bytes", response='{"n":2}', sequence=7),
            entry(first, 3, disposition="duplicate", duplicate_of=2, response=None, body=None),
        ]
        append(connection, entries)
        rows = [row._replace(session_id=second.session_id) for row in statements(connection, first, ["{}"], 2)]
        add(connection, rows, to("lrs"))
        other = launched(connection, "u2")
        queue(connection, other, 3)
    return first


def _told(connection: Connection, its: Session, **how: object) -> Timeline:
    result = timeline.timeline(connection, its.attempt.uuid, **how)  # type: ignore[arg-type]
    assert result is not None
    return result


def test_commits_are_told_in_the_order_they_came_with_the_statements_they_made(engine: Engine, its: Session) -> None:
    with reading(engine) as connection:
        result = _told(connection, its)
    assert (result.attempt.uuid, result.attempt.learner_id, result.after) == (its.attempt.uuid, "u1", None)
    assert {session.session_id for session in result.sessions} == {its.session_id, uid("second")}
    assert [(commit.session_id == its.session_id, commit.number) for commit in result.commits] == [
        (True, 1),
        (False, 1),
        (True, 2),
        (True, 3),
    ]
    assert [[row.position for row in commit.statements] for commit in result.commits] == [[0, 1], [2], [], []]
    assert [commit.size for commit in result.commits] == [2, 12, 12, None]
    third, fourth = result.commits[2:]
    assert (third.response, third.sequence, fourth.duplicate_of, fourth.response) == ('{"n":2}', 7, 2, None)
    line = result.commits[0].statements[0]
    assert (line.rule, line.mapping, line.body) == ("completed", "m", '{"n":0}')
    assert [way.target for way in line.deliveries] == ["lrs", "mirror"]


def test_deliveries_have_their_last_tries_and_tell_how_many_there_were(engine: Engine, its: Session) -> None:
    with writing(engine) as connection:
        (delivery,) = deliveries.find(connection, DeliveryFilter(statement=uid(its.attempt.uuid, 0), target="lrs"))
        for number in range(timeline.TRIES + 2):
            tried(connection, [delivery.id], "waiting", answer=f"try {number}")
        result = _told(connection, its)
    lrs, mirror = result.commits[0].statements[0].deliveries

    assert (lrs.tries, mirror.tries, mirror.tried) == (timeline.TRIES + 2, 0, ())
    assert [line.answer for line in lrs.tried] == [f"try {number}" for number in range(2, timeline.TRIES + 2)]


def test_documents_are_told(engine: Engine, its: Session) -> None:
    """A timeline has its session's documents, each with its content and deliveries."""
    with writing(engine) as connection:
        document_builders.store(connection, stored(connection, its, b'{"n":1}'))
        (document,) = _told(connection, its).documents

    assert (document.name, document.content, [way.target for way in document.deliveries]) == (
        "attempt-state",
        b'{"n":1}',
        ["lrs"],
    )


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_its_pages_come_to_the_whole_of_it(engine: Engine, its: Session, limit: int) -> None:
    with reading(engine) as connection:
        whole = _told(connection, its).commits
        commits, after = [], None
        while True:
            page = _told(connection, its, after=after, limit=limit)
            assert len(page.commits) <= limit
            commits += page.commits
            after = page.after
            if after is None:
                break

    assert commits == whole


def test_a_commit_is_given_as_it_was_received(engine: Engine, its: Session) -> None:
    with reading(engine) as connection:
        commit = timeline.received(connection, uid("second"), 1)
        assert commit is not None
        assert (commit.attempt.uuid, commit.body, commit.commit.content_type) == (
            its.attempt.uuid,
            b'{"second":1}',
            "text/plain",
        )
        assert [row.position for row in commit.commit.statements] == [2]
        repeated = timeline.received(connection, its.session_id, 3)
        assert repeated is not None
        assert (repeated.body, repeated.commit.duplicate_of) == (b"twelve bytes", 2)
        assert timeline.received(connection, its.session_id, 4) is None
        assert timeline.received(connection, uid("none"), 1) is None


def test_of_an_attempt_that_is_not_there_nothing_is_told(engine: Engine, its: Session) -> None:
    with reading(engine) as connection:
        assert timeline.timeline(connection, uid("none")) is None
        with pytest.raises(ValueError, match="first page"):
            timeline.timeline(connection, its.attempt.uuid, after="x")


def test_an_attempt_without_a_commit_is_told(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        result = _told(connection, its)

    assert (result.commits, result.documents, result.after, len(result.sessions)) == ([], [], None, 1)
    assert result.attempt.started_at <= NOW
