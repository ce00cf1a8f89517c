"""Documents that wait for no target in particular, and several processes at work on the same documents."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from storage import documents
from storage.engine import reading, writing
from storage.outbox import UNASSIGNED
from tests.storage.builders import NOW, by_name, launched, stored, uid
from tests.storage.document_builders import (
    LRS,
    MIN_INTERVAL,
    NOBODY,
    claim,
    contents,
    settle,
    states,
    store,
    store_and_settle,
)
from tests.storage.threads import at_once


def test_the_first_target_gets_what_waited_for_none_of_the_documents_that_it_gets(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        assert not documents.has_unassigned(connection)
        profile = stored(connection, session, name="agent-profile")
        store(connection, stored(connection, session, min_interval_ms=MIN_INTERVAL), profile, readers=NOBODY)
        assert documents.has_unassigned(connection)
        assert documents.waiting(connection) == {UNASSIGNED: 2}
        assert documents.assign_waiting(connection, "lrs", {"attempt-state", "unknown"}) == 2
        assert not documents.has_unassigned(connection)
        assert documents.assign_waiting(connection, "later", LRS) == 0
        assert states(connection) == {("attempt-state", "lrs"): "waiting"}
        (claimed,) = claim(connection)
        settle(connection, claimed)
        assert documents.waiting(connection) == {}


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_what_waited_for_none_waits_for_its_turn_at_a_target_that_had_it_before(engine: Engine, state: str) -> None:
    """So processes without targets do not flood the LRS of the one that has them."""
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session, b"old", min_interval_ms=MIN_INTERVAL))
        settle(connection, claim(connection)[0], state)
        store(connection, stored(connection, session, b"new", min_interval_ms=MIN_INTERVAL), readers=NOBODY)
        documents.assign_waiting(connection, "lrs", LRS)
        assert contents(connection, now=NOW + MIN_INTERVAL - 1) == []
        assert contents(connection, now=NOW + MIN_INTERVAL) == ["new"]
        store(connection, stored(connection, session, b"new"), readers=NOBODY)
        documents.assign_waiting(connection, "lrs", LRS)
        assert contents(connection) == ["new"]


def test_what_waited_for_none_and_comes_during_a_write_is_written_too(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session, b"old", min_interval_ms=MIN_INTERVAL))
        (claimed,) = claim(connection)
        store(connection, stored(connection, session, b"new", min_interval_ms=MIN_INTERVAL), readers=NOBODY)
        documents.assign_waiting(connection, "lrs", LRS)
        assert contents(connection) == ["new"]
        settle(connection, claimed)
        assert contents(connection, now=NOW + MIN_INTERVAL) == ["new"]


def test_what_waited_for_none_and_is_no_news_is_not_sent_again(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store_and_settle(connection, session)
        store(connection, stored(connection, session), readers=NOBODY)
        documents.assign_waiting(connection, "lrs", LRS)
        assert documents.waiting(connection) == {}


def test_a_great_many_are_taken_over_bit_by_bit(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        many = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(7)]
        names = [change.row.name for change in many]
        store(connection, *many, readers=dict.fromkeys(names, (UNASSIGNED,)))
        counts = [documents.assign_waiting(connection, "lrs", names, limit=3) for _ in range(4)]
        assert (counts, documents.waiting(connection)) == ([3, 3, 1, 0], {"lrs": 7})


def test_transactions_that_store_the_same_documents_at_once_do_not_lock_each_other_out(engine: Engine) -> None:
    """They come in any order; whoever is last wins, and every document waits for every target."""
    with writing(engine) as connection:
        session = launched(connection)
        changes = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(20)]
    readers = {change.row.name: ("lrs", "other") for change in changes}

    def work(number: int) -> None:
        mine = [change._replace(row=change.row._replace(content=b"%d" % number)) for change in changes]
        for shift in range(10):
            with writing(engine) as connection:
                documents.store(connection, mine[shift:][:: -1 if number % 2 else 1] + mine[:shift], by_name(readers))

    at_once(4, work)
    with reading(engine) as connection:
        rows = claim(connection)
        assert len(rows) == len(changes)
        assert {row.content for row in rows} <= {b"0", b"1", b"2", b"3"}
        assert documents.waiting(connection) == {"lrs": len(changes), "other": len(changes)}


def test_nothing_is_lost_when_documents_change_while_they_are_written_and_taken_over(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        changes = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(10)]
    names = [change.row.name for change in changes]

    def work(number: int) -> None:
        for turn in range(10):
            if number == 3:
                with reading(engine) as connection:
                    claimed = claim(connection, limit=3)
                for row in claimed:
                    with writing(engine) as connection:
                        settle(connection, row)
                continue
            with writing(engine) as connection:
                if number == 2:
                    documents.assign_waiting(connection, "lrs", names)
                else:
                    mine = [change._replace(row=change.row._replace(content=b"%d" % turn)) for change in changes]
                    documents.store(
                        connection, mine, by_name(dict.fromkeys(names, ("lrs",) if number else (UNASSIGNED,)))
                    )

    at_once(4, work)
    with writing(engine) as connection:
        documents.assign_waiting(connection, "lrs", names)
        for row in claim(connection):
            settle(connection, row)
        assert states(connection) == {(name, "lrs"): "delivered" for name in names}


def test_what_another_process_stores_during_a_takeover_is_taken_over_too(engine: Engine) -> None:
    """A process without targets stores documents one by one while the one that has them takes them over."""
    turns = range(60)
    with writing(engine) as connection:
        session = launched(connection)
        changes = [stored(connection, session, id=uid(turn), name=f"d{turn}") for turn in turns]
    names = [change.row.name for change in changes]

    def work(number: int) -> None:
        for turn in turns:
            with writing(engine) as connection:
                if number:
                    documents.assign_waiting(connection, "lrs", names)
                else:
                    documents.store(connection, [changes[turn]], by_name(dict.fromkeys(names, (UNASSIGNED,))))

    at_once(2, work)
    with writing(engine) as connection:
        documents.assign_waiting(connection, "lrs", names)
        assert documents.waiting(connection) == {"lrs": len(changes)}
