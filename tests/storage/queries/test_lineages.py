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
        (delivery,) = deliveries.find(connection, DeliveryFilter(statement=ids[1], target="lrs"))
        tried(connection, [delivery.id], "dead", answer="no verb", outcome="refused", status=400)
        lineage = statements.lineage(connection, ids[1])
        assert statements.lineage(connection, uid("unknown")) is None
    assert lineage is not None
    origin = lineage.origin

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
    assert {way.delivery.target: way.delivery.state for way in lineage.ways} == {"lrs": "dead", "mirror": "waiting"}
    assert [line.answer for way in lineage.ways for line in way.tries] == ["no verb"]


def test_a_document_tells_where_it_comes_from_and_where_it_went(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        row = stored(connection, its, b'{"n":7}')
        document_builders.store(connection, row, readers={"attempt-state": ("lrs", "mirror")})
        (claimed,) = document_builders.claim(connection)
        document_builders.settle(connection, claimed, "dead", now=NOW + 1)
        lineage = documents.lineage(connection, row.row.id)
        assert documents.lineage(connection, uid("unknown")) is None

    assert lineage is not None
    assert (lineage.content, lineage.mapping, lineage.document.learner_id) == (b'{"n":7}', "m", "u1")
    assert lineage.document.deliveries == (("lrs", "dead"), ("mirror", "waiting"))
    assert [[line.status for line in way.tried] for way in lineage.ways] == [[400], []]
