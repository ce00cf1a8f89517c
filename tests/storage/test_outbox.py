"""The outbox: what may be sent now, in which order, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.exc import IntegrityError

from storage import deliveries, outbox, unassigned
from storage.engine import reading, writing
from storage.outbox import ClaimedBatch, ClaimedDelivery, Settlement, Try
from storage.tables import delivery, statement, try_
from tests.storage.builders import NOW, add, launched, queue, statements, to, tried, whole

PLENTY = 1_000_000


def _claim(
    connection: Connection, target: str = "lrs", *, now: int = NOW, limit: int = 50, most_bytes: int = PLENTY
) -> list[ClaimedDelivery]:
    return list(_page(connection, target, now=now, limit=limit, most_bytes=most_bytes).claimed)


def _page(
    connection: Connection, target: str = "lrs", *, now: int = NOW, limit: int = 50, most_bytes: int = PLENTY
) -> ClaimedBatch:
    return outbox.claim(connection, whole(target), now=now, limit=limit, most_bytes=most_bytes)


def _places(claimed: list[ClaimedDelivery]) -> list[tuple[int, int]]:
    return [(row.attempt_id, row.position) for row in claimed]


def _rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(delivery).order_by(delivery.c.id)).all()


def test_a_statement_is_kept_as_it_was_frozen_and_waits_for_every_target(engine: Engine) -> None:
    body = '{"id": "x",  "result":{"duration":"PT1.50S"}, "name": "Ana Ćirić ☃ \\u0000 🎓"}'
    with writing(engine) as connection:
        rows = statements(connection, launched(connection), [body])
        add(connection, rows, to("first", "second"))
    with reading(engine) as connection:
        (stored,) = connection.execute(select(statement))
        assert stored.body == body
        assert (stored.id, stored.rule, stored.commit_number, stored.created_at) == (rows[0].id, "completed", 1, NOW)
        for target in ("first", "second"):
            page = _page(connection, target)
            (claimed,) = page.claimed
            assert (page.bodies, claimed.size) == (body.encode(), len(body.encode())), target
            assert (claimed.statement_id, claimed.tries) == (rows[0].id, 0), target
        assert outbox.waiting(connection) == {"first": 1, "second": 1}


def test_a_statement_id_is_there_once(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        queue(connection, session, 1)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        add(
            connection,
            [statements(connection, session, ["{}", "{}"], 1)[0]._replace(id=_first_id(connection))],
            to("lrs"),
        )


def _first_id(connection: Connection) -> str:
    return str(connection.execute(select(statement.c.id)).scalars().first())


def test_statements_wait_for_no_target_in_particular_while_none_is_configured(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 3, [])
        assert outbox.waiting(connection) == {outbox.UNASSIGNED: 3}
        assert _claim(connection) == []


def test_the_first_target_gets_what_waited_for_none(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 3, [])
        queue(connection, launched(connection, "u2"), 2, ["other"])
        assert unassigned.assign_waiting(connection, "lrs") == 3
        assert unassigned.assign_waiting(connection, "later") == 0
        assert outbox.waiting(connection) == {"lrs": 3, "other": 2}
        assert [row.position for row in _claim(connection)] == [0, 1, 2]


def test_what_was_added_first_is_claimed_first_and_an_attempt_keeps_its_order(engine: Engine) -> None:
    with writing(engine) as connection:
        first, second = launched(connection, "u1"), launched(connection, "u2")
        one = statements(connection, first, ["{}", "{}"])
        two = statements(connection, second, ["{}", "{}"])
        add(connection, [one[0], two[0], two[1], one[1]], to("lrs"))
        expected = [(first.attempt.id, 0), (second.attempt.id, 0), (second.attempt.id, 1), (first.attempt.id, 1)]
        assert _places(_claim(connection)) == expected
        assert _places(_claim(connection, limit=2)) == expected[:2]


def test_claiming_leaves_no_mark(engine: Engine) -> None:
    """What a killed process had on its way is simply claimed again."""
    with writing(engine) as connection:
        queue(connection, launched(connection), 3)
    with reading(engine) as connection:
        before = _rows(connection)
        assert _claim(connection) == _claim(connection)
        assert _rows(connection) == before


def test_a_claim_for_one_target_gives_nothing_of_another(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 2, ["first", "second"])
        tried(connection, [row.id for row in _claim(connection, "first")], "delivered")
        assert _claim(connection, "first") == []
        assert len(_claim(connection, "second")) == 2
        assert outbox.waiting(connection) == {"second": 2}


@pytest.mark.parametrize(
    ("bodies", "most_bytes", "claimed"),
    [
        (["aaaa", "bbbb", "cccc"], 12, 3),
        (["aaaa", "bbbb", "cccc"], 11, 2),
        (["aaaa", "bbbb", "cccc"], 8, 2),
        (["aaaa", "bbbb", "cccc"], 4, 1),
        (["aaaa", "bbbb", "cccc"], 3, 1),
        (["aaaa", "bbbb", "cccc"], 0, 1),
        (["☃☃", "☃☃"], 11, 1),
        (["☃☃", "☃☃"], 12, 2),
        (["a", "b" * 100, "c"], 50, 1),
    ],
)
def test_no_more_bytes_are_claimed_than_asked_for_but_always_one_statement(
    engine: Engine, bodies: list[str], most_bytes: int, claimed: int
) -> None:
    with writing(engine) as connection:
        add(connection, statements(connection, launched(connection), bodies), to("lrs"))
        page = _page(connection, most_bytes=most_bytes)
        assert [row.size for row in page.claimed] == [len(body.encode()) for body in bodies[:claimed]]
        assert page.bodies == ",".join(bodies[:claimed]).encode()


def test_what_is_on_its_way_is_passed_over_and_nothing_else(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection, "u1"), 3)
        queue(connection, launched(connection, "u2"), 3)
        whole_page = _claim(connection)
        some = [whole_page[at].id for at in (0, 1, 3)]
        page = outbox.claim(connection, whole(), now=NOW, limit=2, most_bytes=PLENTY, on_their_way=some)
        assert list(page.claimed) == [whole_page[2], whole_page[4]]
        everything = [row.id for row in whole_page]
        page = outbox.claim(connection, whole(), now=NOW, limit=2, most_bytes=PLENTY, on_their_way=everything)
        assert page == ((), b"")


def test_many_answers_are_noted_together_each_with_its_own_deliveries(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 6)
        ids = [row.id for row in _claim(connection)]
        done = Try("lrs", NOW, 5, "delivered", 200, "[]")
        refused = done._replace(outcome="refused", status=400, answer="no")
        away = done._replace(outcome="retry", status=503, answer="down")
        outbox.settle(
            connection,
            [
                Settlement(done, ids[:2], "delivered", 0, NOW),
                Settlement(refused, ids[2:3], "dead", 0, NOW + 1),
                Settlement(done, ids[3:4], "delivered", 0, NOW + 2),
                Settlement(away, ids[4:], "waiting", NOW + 9, None),
            ],
        )
        assert [(row.state, row.tries, row.not_before, row.settled_at) for row in _rows(connection)] == [
            ("delivered", 1, 0, NOW),
            ("delivered", 1, 0, NOW),
            ("dead", 1, 0, NOW + 1),
            ("delivered", 1, 0, NOW + 2),
            ("waiting", 1, NOW + 9, None),
            ("waiting", 1, NOW + 9, None),
        ]
        tries = [
            [(line.outcome, line.answer) for line in deliveries.tries(connection, delivery_id)] for delivery_id in ids
        ]
        assert (
            tries
            == [[("delivered", "[]")]] * 2 + [[("refused", "no")], [("delivered", "[]")]] + [[("retry", "down")]] * 2
        )


def test_nothing_to_note_is_no_error(engine: Engine) -> None:
    with writing(engine) as connection:
        outbox.settle(connection, [])
        assert connection.execute(select(try_.c.id)).all() == []


def test_a_delivery_is_not_tried_before_its_time(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 1)
        (only,) = _claim(connection)
        tried(connection, [only.id], "waiting", not_before=NOW + 10)
        assert _claim(connection, now=NOW + 9) == []
        assert _claim(connection, now=NOW + 10) == [only._replace(tries=1)]


def test_an_attempt_is_held_back_while_an_earlier_statement_of_it_waits(engine: Engine) -> None:
    with writing(engine) as connection:
        held, free = launched(connection, "u1"), launched(connection, "u2")
        queue(connection, held, 4, ["lrs", "other"])
        queue(connection, free, 2)
        second = _claim(connection)[1]
        tried(connection, [second.id], "waiting", not_before=NOW + 10)
        expected = [(held.attempt.id, 0), (free.attempt.id, 0), (free.attempt.id, 1)]
        assert _places(_claim(connection)) == expected
        assert len(_claim(connection, "other")) == 4
        assert len(_claim(connection, now=NOW + 10)) == 6


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_what_is_settled_holds_nobody_back(engine: Engine, state: str) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 3)
        tried(connection, [_claim(connection)[0].id], state, not_before=NOW + 10)
        assert [row.position for row in _claim(connection)] == [1, 2]


def test_a_try_is_noted_with_what_came_of_it(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 2)
        first, second = (row.id for row in _claim(connection))
        tried(connection, [first, second], "waiting", not_before=NOW + 7, outcome="retry", status=None, answer="cut")
        tried(connection, [first], "delivered", outcome="delivered", status=200, answer='["a"]')
    with reading(engine) as connection:
        columns = [try_.c[name] for name in Try._fields]
        assert [Try(*row) for row in connection.execute(select(*columns).order_by(try_.c.id))] == [
            Try("lrs", NOW, 5, "retry", None, "cut"),
            Try("lrs", NOW, 5, "delivered", 200, '["a"]'),
        ]
        assert [(line.outcome, line.status) for line in deliveries.tries(connection, first)] == [
            ("retry", None),
            ("delivered", 200),
        ]
        assert [line.outcome for line in deliveries.tries(connection, second)] == ["retry"]
        assert [(row.state, row.tries, row.not_before, row.settled_at) for row in _rows(connection)] == [
            ("delivered", 2, 0, NOW),
            ("waiting", 1, NOW + 7, None),
        ]


@pytest.mark.parametrize("settled", ["delivered", "dead"])
@pytest.mark.parametrize("again", ["waiting", "delivered", "dead"])
def test_a_settled_delivery_never_changes_again(engine: Engine, settled: str, again: str) -> None:
    """Two processes may have the same one on its way; the slower answer must not undo the faster."""
    with writing(engine) as connection:
        queue(connection, launched(connection), 1)
        (only,) = _claim(connection)
        tried(connection, [only.id], settled)
        before = _rows(connection)
        tried(connection, [only.id], again, not_before=NOW + 9, started_at=NOW + 5)
        assert _rows(connection) == before
        assert connection.execute(select(try_.c.id)).all() != []
        assert _claim(connection) == []


def test_settling_touches_no_other_delivery(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 3, ["lrs", "other"])
        before = _rows(connection)
        tried(connection, [before[2].id], "delivered")
        after = _rows(connection)

    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True, True, True]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", ""),
        ("☃" * 4_000, "☃" * 4_000),
        ("🎓" * 20_000, "🎓" * 4_000),
        ("line\nline\ttab \\ ' \" % %s", "line\nline\ttab \\ ' \" % %s"),
    ],
    ids=["empty", "just fits", "too long", "odd"],
)
def test_an_answer_of_any_length_is_kept_as_far_as_it_is_kept(engine: Engine, answer: str, expected: str) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 1)
        tried(connection, [_claim(connection)[0].id], "dead", answer=answer)
        assert connection.execute(select(try_.c.answer)).scalar_one() == expected


@pytest.mark.parametrize("answer", ["a\x00b", "reason \udcff\udcfe"], ids=["NUL", "lone surrogates"])
def test_an_answer_that_is_no_proper_text_does_not_keep_a_try_from_being_noted(engine: Engine, answer: str) -> None:
    """Else a delivery could never be settled, and its statement would be sent for ever."""
    with writing(engine) as connection:
        queue(connection, launched(connection), 1)
        (only,) = _claim(connection)
        tried(connection, [only.id], "dead", answer=answer)
    with reading(engine) as connection:
        assert [row.state for row in _rows(connection)] == ["dead"]


_STEPS = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(["waiting", "delivered", "dead"]), st.integers(0, 3)), max_size=12
)


@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, now=st.integers(0, 3), limit=st.integers(1, 9), most_bytes=st.integers(0, 80))
def test_whatever_became_of_others_no_statement_overtakes_one_of_its_attempt(
    engine: Engine, steps: list[tuple[int, str, int]], now: int, limit: int, most_bytes: int
) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        for learner in ("u1", "u2", "u3"):
            queue(connection, launched(connection, learner), 3)
        ids = [row.id for row in _rows(connection)]
        for index, state, not_before in steps:
            tried(connection, [ids[index]], state, not_before=not_before)
        waiting = [row for row in _rows(connection) if row.state == "waiting"]
        claimed = _places(_claim(connection, now=now, limit=limit, most_bytes=most_bytes))
        for attempt_id in {row.attempt_id for row in waiting}:
            its = [row for row in waiting if row.attempt_id == attempt_id]
            ready = next((index for index, row in enumerate(its) if row.not_before > now), len(its))
            positions = [position for attempt, position in claimed if attempt == attempt_id]
            assert positions == [row.position for row in its[:ready]][: len(positions)], attempt_id
        whole = _places(_claim(connection, now=now, limit=9))
        assert claimed == whole[: len(claimed)]
        assert bool(claimed) == bool(whole)
        assert len(claimed) <= limit
        transaction.rollback()


def test_a_clock_that_was_set_back_makes_nothing_wait_longer_than_anything_ever_waits(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 2)
        for wait, count in ((1, 0), (outbox.MAX_WAIT, 0), (outbox.MAX_WAIT + 1, 2), (86_400_000, 2)):
            connection.execute(update(delivery).values(not_before=NOW + wait))
            assert len(_claim(connection)) == count
