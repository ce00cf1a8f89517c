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
    found = timeline.timeline(connection, its.attempt.uuid, **how)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_commits_are_told_in_the_order_they_came_with_the_statements_they_made(engine: Engine, its: Session) -> None:
    with reading(engine) as connection:
        told = _told(connection, its)
    assert (told.attempt.uuid, told.attempt.learner_id, told.after) == (its.attempt.uuid, "u1", None)
    assert {one.session_id for one in told.sessions} == {its.session_id, uid("second")}
    assert [(one.session_id == its.session_id, one.number) for one in told.commits] == [
        (True, 1),
        (False, 1),
        (True, 2),
        (True, 3),
    ]
    assert [[row.position for row in one.statements] for one in told.commits] == [[0, 1], [2], [], []]
    assert [one.size for one in told.commits] == [2, 12, 12, None]
    third, fourth = told.commits[2:]
    assert (third.response, third.sequence, fourth.duplicate_of, fourth.response) == ('{"n":2}', 7, 2, None)
    line = told.commits[0].statements[0]
    assert (line.rule, line.mapping, line.body) == ("completed", "m", '{"n":0}')
    assert [way.target for way in line.deliveries] == ["lrs", "mirror"]


def test_deliveries_have_their_last_tries_and_tell_how_many_there_were(engine: Engine, its: Session) -> None:
    with writing(engine) as connection:
        (one,) = deliveries.find(connection, DeliveryFilter(statement=uid(its.attempt.uuid, 0), target="lrs"))
        for number in range(timeline.TRIES + 2):
            tried(connection, [one.id], "waiting", answer=f"try {number}")
        told = _told(connection, its)
    lrs, mirror = told.commits[0].statements[0].deliveries
    assert (lrs.tries, mirror.tries, mirror.tried) == (timeline.TRIES + 2, 0, ())
    assert [line.answer for line in lrs.tried] == [f"try {number}" for number in range(2, timeline.TRIES + 2)]


def test_documents_are_told(engine: Engine, its: Session) -> None:
    with writing(engine) as connection:
        document_builders.store(connection, stored(connection, its, b'{"n":1}'))
        (one,) = _told(connection, its).documents
    assert (one.name, one.content, [way.target for way in one.deliveries]) == ("attempt-state", b'{"n":1}', ["lrs"])


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_its_pages_come_to_the_whole_of_it(engine: Engine, its: Session, limit: int) -> None:
    with reading(engine) as connection:
        whole = _told(connection, its).commits
        found, after = [], None
        while True:
            page = _told(connection, its, after=after, limit=limit)
            assert len(page.commits) <= limit
            found += page.commits
            after = page.after
            if after is None:
                break
    assert found == whole


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
        told = _told(connection, its)
    assert (told.commits, told.documents, told.after, len(told.sessions)) == ([], [], None, 1)
    assert told.attempt.started_at <= NOW
