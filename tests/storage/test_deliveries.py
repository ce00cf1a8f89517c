"""Deliveries as people look for them, and what people do to those in trouble."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text, update

from storage import deliveries, outbox
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.outbox import Settlement, Try
from storage.queries import deliveries as pages
from storage.queries.keyset import Count
from storage.tables import delivery
from tests.storage.builders import NOW, hold, launched, queue, whole

REFUSED = Try("lrs", NOW, 12, "refused", 400, "no verb")


@pytest.fixture
def ids(engine: Engine) -> list[str]:
    """Five statements of u1 and two of u2 for two targets; of those to `lrs` the second is dead."""
    with writing(engine) as connection:
        hold(connection, ["lrs", "other"])
        statement_ids = queue(connection, launched(connection, "u1"), 5, ["lrs", "other"])
        statement_ids += queue(connection, launched(connection, "u2"), 2, ["lrs", "other"])
        dead = deliveries.find(connection, DeliveryFilter(target="lrs", statement=statement_ids[1]))[0]
        outbox.settle(connection, [Settlement(REFUSED, [dead.id], "dead", 0, NOW)])
    return statement_ids


def _find(engine: Engine, **criteria: Any) -> list[str]:
    with reading(engine) as connection:
        return [row.statement_id for row in deliveries.find(connection, DeliveryFilter(**criteria))]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"target": "lrs"}, [6, 5, 4, 3, 2, 1, 0]),
        ({"target": "lrs", "state": "dead"}, [1]),
        ({"target": "lrs", "state": "waiting", "learner": "u2"}, [6, 5]),
        ({"target": "none"}, []),
        ({"target": "lrs", "rule": "completed", "learner": "u1"}, [4, 3, 2, 1, 0]),
        ({"target": "lrs", "rule": "passed"}, []),
        ({"target": "lrs", "activity": "235", "lms": "lms-of-u2"}, [6, 5]),
        ({"target": "lrs", "since": NOW + 1}, []),
        ({"target": "lrs", "until": NOW}, []),
        ({"target": "lrs", "since": NOW, "until": NOW + 1, "learner": "u2"}, [6, 5]),
    ],
)
def test_those_are_found_that_meet_all_that_is_told(
    engine: Engine, ids: list[str], criteria: dict[str, Any], expected: list[int]
) -> None:
    assert _find(engine, **criteria) == [ids[at] for at in expected]
    with reading(engine) as connection:
        assert pages.how_many(connection, DeliveryFilter(**criteria)) == Count(len(expected))


def test_a_delivery_tells_its_statement_and_its_last_try(engine: Engine, ids: list[str]) -> None:
    with reading(engine) as connection:
        (row,) = deliveries.find(connection, DeliveryFilter(target="lrs", statement=ids[1]))
        assert (row.learner_id, row.activity_id, row.lms, row.rule) == ("u1", "235", "lms-of-u1", "completed")
        assert (row.state, row.tries, row.outcome, row.status, row.answer) == ("dead", 1, "refused", 400, "no verb")
        (line,) = deliveries.tries(connection, row.id)

    assert (line.started_at, line.duration_ms, line.outcome, line.answer) == (NOW, 12, "refused", "no verb")


def test_a_retried_delivery_is_claimed_again_under_its_id_before_what_comes_after(
    engine: Engine, ids: list[str]
) -> None:
    with writing(engine) as connection:
        chosen = deliveries.ids(connection, DeliveryFilter(state="dead"), after=0, limit=10)
        assert deliveries.retry(connection, chosen) == 1
        assert deliveries.retry(connection, chosen) == 0
    with reading(engine) as connection:
        page = outbox.claim(connection, whole(), now=NOW, limit=50, most_bytes=10_000)

    assert [row.statement_id for row in page.claimed] == ids


def test_what_a_retried_delivery_had_been_through_is_told_with_the_rest(engine: Engine, ids: list[str]) -> None:
    done = REFUSED._replace(outcome="delivered", status=200)
    with writing(engine) as connection:
        (dead,) = deliveries.ids(connection, DeliveryFilter(target="lrs", state="dead"), after=0, limit=10)
        deliveries.retry(connection, [dead])
        outbox.settle(connection, [Settlement(REFUSED, [dead], "dead", 0, NOW)])
        deliveries.retry(connection, [dead])
        outbox.settle(connection, [Settlement(done, [dead], "delivered", 0, NOW)])
        assert [line.outcome for line in deliveries.tries(connection, dead)] == [REFUSED.outcome] * 2 + ["delivered"]
        (row,) = deliveries.find(connection, DeliveryFilter(target="lrs", statement=ids[1]))
        assert (row.state, row.tries, row.outcome) == ("delivered", 3, "delivered")


def test_what_is_discarded_is_never_claimed_and_holds_nothing_back(engine: Engine, ids: list[str]) -> None:
    with writing(engine) as connection:
        (first,) = deliveries.ids(connection, DeliveryFilter(target="lrs", statement=ids[0]), after=0, limit=10)
        connection.execute(update(delivery).where(delivery.c.id == first).values(not_before=NOW + 1_000))
        assert outbox.claim(connection, whole(), now=NOW, limit=50, most_bytes=10_000).claimed[0].statement_id == ids[5]
        assert deliveries.discard(connection, [first], NOW) == 1
        page = outbox.claim(connection, whole(), now=NOW, limit=50, most_bytes=10_000)

    assert [row.statement_id for row in page.claimed] == [ids[at] for at in (2, 3, 4, 5, 6)]


def test_a_settlement_that_comes_after_a_discard_changes_nothing(engine: Engine, ids: list[str]) -> None:
    """The delivery was on its way when it was given up: the try is kept, the delivery stays discarded."""
    with writing(engine) as connection:
        (first,) = deliveries.ids(connection, DeliveryFilter(target="lrs", statement=ids[0]), after=0, limit=10)
        deliveries.discard(connection, [first], NOW)
        outbox.settle(connection, [Settlement(REFUSED._replace(outcome="delivered"), [first], "delivered", 0, NOW)])
        (row,) = deliveries.find(connection, DeliveryFilter(target="lrs", statement=ids[0]))

    assert (row.state, row.outcome) == ("discarded", "delivered")


def test_nothing_that_was_delivered_is_retried_or_discarded(engine: Engine, ids: list[str]) -> None:
    with writing(engine) as connection:
        (first,) = deliveries.ids(connection, DeliveryFilter(target="lrs", statement=ids[0]), after=0, limit=10)
        outbox.settle(connection, [Settlement(REFUSED._replace(outcome="delivered"), [first], "delivered", 0, NOW)])
        assert deliveries.retry(connection, [first]) == 0
        assert deliveries.discard(connection, [first], NOW) == 0


def test_those_in_trouble_are_found_by_the_index_that_has_only_them(engine: Engine) -> None:
    with reading(engine) as connection:
        explain = "EXPLAIN QUERY PLAN"
        if engine.dialect.name == "postgresql":
            # it reads small tables whole, whatever index they have
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            explain = "EXPLAIN"
        query = deliveries.chosen(DeliveryFilter(target="lrs", state="dead"), delivery.c.id)
        plain = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = " ".join(str(row) for row in connection.execute(text(f"{explain} {plain}")))

    assert "ix_delivery_troubled" in plan
