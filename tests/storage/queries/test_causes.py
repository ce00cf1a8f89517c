"""Deliveries in trouble are put together by what is the matter."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from storage import deliveries
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.queries.causes import Causes, causes, without_details
from storage.queries.keyset import Count
from storage.tables import statement
from tests.storage.builders import NOW, add, launched, queue, statements, to, tried, uid


@pytest.fixture
def ids(engine: Engine) -> list[str]:
    """Six statements: 0 to 2 dead for one cause, 3 for another, 4 was retried and waits, 5 is quarantined."""
    with writing(engine) as connection:
        its = launched(connection)
        ids = queue(connection, its, 5)
        bad = statements(connection, its, ["{}"], 5)[0]._replace(problem="object 12 has no id")
        add(connection, [bad], to("lrs"))
        for at in range(5):
            (delivery,) = deliveries.find(connection, DeliveryFilter(statement=ids[at]))
            tried(connection, [delivery.id], "waiting", answer="busy", outcome="retry", status=503)
            words = f"bad verb in {ids[at]} at line {at}" if at < 3 else "too large"
            tried(connection, [delivery.id], "dead", answer=words, outcome="refused", status=400)
        (retried,) = deliveries.find(connection, DeliveryFilter(statement=ids[4]))
        deliveries.retry(connection, [retried.id])
    return [*ids, bad.id]


def _told(engine: Engine, *how: object) -> Causes:
    with reading(engine) as connection:
        return causes(connection, *how)  # type: ignore[arg-type]


def test_causes_are_told_the_commonest_first_with_an_example(engine: Engine, ids: list[str]) -> None:
    result = _told(engine)

    assert result.of == Count(5)
    assert sorted(result.causes, key=lambda cause: cause.words) == [
        ("lrs", "dead", "refused", 400, "bad verb in (id) at line (number)", {"completed": 3}, 3, NOW, NOW, ids[2]),
        ("lrs", "quarantined", None, None, "object (number) has no id", {"completed": 1}, 1, NOW, NOW, ids[5]),
        ("lrs", "dead", "refused", 400, "too large", {"completed": 1}, 1, NOW, NOW, ids[3]),
    ]
    assert result.causes[0].number == 3


def test_those_of_another_target_are_left_out(engine: Engine, ids: list[str]) -> None:
    assert _told(engine, "lrs") == _told(engine)
    assert _told(engine, "mirror") == Causes([], Count(0))
    assert len(ids) == 6


def test_where_there_are_very_many_the_newest_are_told(engine: Engine, ids: list[str]) -> None:
    result = _told(engine, None, 2)

    assert result.of == Count(3, is_lower_bound=True)
    assert {cause.example for cause in result.causes} == {ids[2], ids[3], ids[5]}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"no {uid('x')}", "no (id)"),
        (f"no {uid('x').upper()}!", "no (id)!"),
        ("since 2026-01-01T00:00:00.000Z.", "since (time)."),
        ("  12  of\n9 ", "(number) of (number)"),
        ("x" * 999, "x" * 160),
        ("", ""),
    ],
)
def test_what_differs_from_one_to_the_next_is_taken_out(words: str, expected: str) -> None:
    assert without_details(words) == expected


def test_statements_of_several_rules_that_an_lrs_refuses_alike_are_one_cause(engine: Engine, ids: list[str]) -> None:
    with writing(engine) as connection:
        connection.execute(update(statement).where(statement.c.id == ids[0]).values(rule="passed"))
    (cause,) = (cause for cause in _told(engine).causes if cause.number == 3)

    assert list(cause.rules.items()) == [("completed", 2), ("passed", 1)]
