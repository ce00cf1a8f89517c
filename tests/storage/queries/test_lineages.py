"""One statement or document tells all that led to it and all that became of it."""

from __future__ import annotations

from sqlalchemy import Engine

from storage import deliveries
from storage.deliveries import DeliveryFilter
from storage.engine import writing
from storage.queries import documents, statements
from tests.storage import document_builders
from tests.storage.builders import NOW, launched, queue, stored, tried, uid


def test_a_statement_tells_where_it_comes_from_and_where_it_went(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        ids = queue(connection, its, 2, ["lrs", "mirror"])
        (one,) = deliveries.find(connection, DeliveryFilter(statement=ids[1], target="lrs"))
        tried(connection, [one.id], "dead", answer="no verb", outcome="refused", status=400)
        told = statements.lineage(connection, ids[1])
        assert statements.lineage(connection, uid("unknown")) is None
    assert told is not None
    origin = told.origin
    assert (origin.id, origin.body, origin.rule, origin.mapping) == (ids[1], '{"n":1}', "completed", "m")
    assert (origin.learner_id, origin.attempt_id, origin.registration) == (
        "u1",
        its.attempt.uuid,
        its.attempt.enrollment.registration,
    )
    assert (origin.session_id, origin.commit_number, origin.wire_format, origin.response) == (
        its.session_id,
        1,
        "native",
        "{}",
    )
    assert {way.delivery.target: way.delivery.state for way in told.ways} == {"lrs": "dead", "mirror": "waiting"}
    assert [line.answer for way in told.ways for line in way.tries] == ["no verb"]


def test_a_document_tells_where_it_comes_from_and_where_it_went(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        row = stored(connection, its, b'{"n":7}')
        document_builders.store(connection, row, readers={"attempt-state": ("lrs", "mirror")})
        (claimed,) = document_builders.claim(connection)
        document_builders.settle(connection, claimed, "dead", now=NOW + 1)
        told = documents.lineage(connection, row.row.id)
        assert documents.lineage(connection, uid("unknown")) is None
    assert told is not None
    assert (told.content, told.mapping, told.document.learner_id) == (b'{"n":7}', "m", "u1")
    assert told.document.deliveries == (("lrs", "dead"), ("mirror", "waiting"))
    assert [[line.status for line in way.tried] for way in told.ways] == [[400], []]
