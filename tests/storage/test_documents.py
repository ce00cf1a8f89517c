"""Documents: the newest content of each, which targets have it, and when it may be written."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from storage import documents
from storage.documents import ClaimedDocument, DocumentSettlement
from storage.engine import reading, writing
from storage.outbox import ERASED_ANSWER, UNASSIGNED, Try
from storage.tables import document, document_delivery, document_try, try_
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


def test_a_document_is_kept_as_it_is_and_waits_for_its_targets(engine: Engine) -> None:
    content, parameters = b"a\x00b \xf0\x9f\x98\x80", '{"agent":"{\\"name\\":\\"\\u0000\\"}"}'
    with writing(engine) as connection:
        change = stored(connection, launched(connection), content, parameters=parameters, content_type="text/plain")
        store(connection, change, readers={"attempt-state": ("first", "second")})
    with reading(engine) as connection:
        for target in ("first", "second"):
            (claimed,) = claim(connection, target)
            assert claimed == ClaimedDocument(
                change.row.id, "attempt-state", "activities/state", parameters, "text/plain", content, 1, 0
            ), target
        assert claim(connection, "third") == []
        assert documents.waiting(connection) == {"first": 1, "second": 1}


def test_nothing_to_store_is_no_error(engine: Engine) -> None:
    with writing(engine) as connection:
        documents.store(connection, [], by_name(LRS))
        assert documents.waiting(connection) == {}
        assert claim(connection) == []


def test_the_newest_content_is_the_one_that_is_written(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        for number in range(3):
            store(connection, stored(connection, session, b"%d" % number, changed_at=NOW + number))
        assert contents(connection) == ["2"]
        (row,) = connection.execute(select(document))
        assert (bytes(row.content), row.changed_at) == (b"2", NOW + 2)


def test_what_a_commit_did_not_change_still_comes_of_the_one_that_did(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session))
        store(connection, stored(connection, session, changed_at=NOW + 9))
        assert connection.execute(select(document.c.changed_at)).scalar_one() == NOW


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_the_same_content_is_sent_to_nobody_who_has_it_or_refused_it(engine: Engine, state: str) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session))
        settle(connection, claim(connection)[0], state)
        store(connection, stored(connection, session))
        assert claim(connection, now=NOW + MIN_INTERVAL) == []
        assert states(connection) == {("attempt-state", "lrs"): state}
        store(connection, stored(connection, session, b"new"))
        assert contents(connection) == ["new"]


def test_a_target_that_is_switched_on_later_gets_what_the_others_have(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store_and_settle(connection, session)
        store(connection, stored(connection, session), readers={"attempt-state": ("lrs", "new")})
        assert claim(connection) == []
        (claimed,) = claim(connection, "new")
        settle(connection, claimed, target="new")
        assert documents.waiting(connection) == {}


def test_a_document_waits_for_its_turn_after_it_was_written(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store_and_settle(connection, session, min_interval_ms=MIN_INTERVAL)
        store(connection, stored(connection, session, b"second", min_interval_ms=MIN_INTERVAL))
        store(connection, stored(connection, session, b"third", min_interval_ms=MIN_INTERVAL))
        assert contents(connection, now=NOW + MIN_INTERVAL - 1) == []
        assert documents.waiting(connection) == {"lrs": 1}
        assert contents(connection, now=NOW + MIN_INTERVAL) == ["third"]


def test_a_document_that_never_was_written_does_not_wait_for_a_turn(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session, b"first", min_interval_ms=MIN_INTERVAL))
        store(connection, stored(connection, session, b"second", min_interval_ms=MIN_INTERVAL))
        assert contents(connection) == ["second"]


@pytest.mark.parametrize("content", [b"second", b"third"], ids=["same", "newer"])
def test_at_once_is_at_once_whatever_was_told_before(engine: Engine, content: bytes) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store_and_settle(connection, session, min_interval_ms=MIN_INTERVAL)
        store(connection, stored(connection, session, b"second", min_interval_ms=MIN_INTERVAL))
        store(connection, stored(connection, session, content))
        assert contents(connection) == [content.decode()]


def test_newer_content_that_comes_during_a_write_waits_for_its_turn(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session, b"first", min_interval_ms=MIN_INTERVAL))
        (claimed,) = claim(connection)
        store(connection, stored(connection, session, b"second", min_interval_ms=MIN_INTERVAL))
        settle(connection, claimed, now=NOW + 5)
        assert contents(connection, now=NOW + MIN_INTERVAL + 4) == []
        assert contents(connection, now=NOW + MIN_INTERVAL + 5) == ["second"]


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_the_last_content_that_comes_during_a_write_is_written_at_once(engine: Engine, state: str) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session, b"first", min_interval_ms=MIN_INTERVAL))
        (claimed,) = claim(connection)
        store(connection, stored(connection, session, b"last"))
        settle(connection, claimed, state)
        assert contents(connection) == ["last"]


def test_the_same_content_that_comes_during_a_write_is_not_written_twice(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session))
        (claimed,) = claim(connection)
        store(connection, stored(connection, session))
        settle(connection, claimed)
        assert documents.waiting(connection) == {}


def test_what_is_tried_again_goes_behind_what_was_not_tried(engine: Engine) -> None:
    """Else a few documents that an LRS never takes would hold up all others."""
    with writing(engine) as connection:
        session = launched(connection)
        many = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(5)]
        store(connection, *many, readers={change.row.name: ("lrs",) for change in many})
        first = claim(connection, limit=2)
        for row in first:
            settle(connection, row, "waiting", now=NOW + 1)
        order = [row.id for row in claim(connection, now=NOW + 1)]
        assert set(order[:3]) == {change.row.id for change in many} - {row.id for row in first}
        assert set(order[3:]) == {row.id for row in first}
        assert documents.waiting(connection) == {"lrs": 5}


def test_claiming_leaves_no_mark_and_gives_no_more_than_asked_for(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        store(connection, stored(connection, session), stored(connection, session, name="agent-profile"))
        assert claim(connection) == claim(connection)
        assert claim(connection, limit=1) == claim(connection)[:1]


def test_every_try_is_noted(engine: Engine) -> None:
    with writing(engine) as connection:
        store(connection, stored(connection, launched(connection)))
        (claimed,) = claim(connection)
        for state in ("waiting", "waiting", "delivered"):
            settle(connection, claimed, state)
        rows = connection.execute(select(try_.c.outcome).join(document_try).order_by(try_.c.id)).scalars()
        assert list(rows) == ["waiting", "waiting", "delivered"]
        (row,) = connection.execute(select(document_delivery))
        assert (row.tries, row.state, row.settled_at) == (3, "delivered", NOW)


def test_results_that_are_stored_together_are_each_of_their_own_document(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        changes = [stored(connection, session, name=name) for name in ("attempt-state", "agent-profile")]
        store(connection, *changes)
        first, second = claim(connection)
        erased = first._replace(id="ffffffff-0000-4000-8000-000000000000")
        documents.settle(
            connection,
            [
                DocumentSettlement(Try("lrs", NOW, 5, outcome, status, answer), row, state, NOW, NOW + 7)
                for row, outcome, status, answer, state in (
                    (erased, "delivered", 204, "of nobody", "delivered"),
                    (second, "retry", 503, "down", "waiting"),
                    (first, "delivered", 204, "", "delivered"),
                )
            ],
        )
        tries = connection.execute(select(document_try.c.document_id, try_.c.outcome).join(try_)).all()
        deliveries = connection.execute(select(document_delivery)).all()
        answers = set(connection.execute(select(try_.c.answer)).scalars())

    assert {(str(row.document_id), row.outcome) for row in tries} == {(first.id, "delivered"), (second.id, "retry")}
    assert {(str(row.document_id), row.state, row.tries, row.not_before) for row in deliveries} == {
        (first.id, "delivered", 1, 0),
        (second.id, "waiting", 1, NOW + 7),
    }
    assert answers == {"", "down", ERASED_ANSWER}


def test_what_another_process_has_settled_stays_settled(engine: Engine) -> None:
    with writing(engine) as connection:
        store(connection, stored(connection, launched(connection)))
        (claimed,) = claim(connection)
        settle(connection, claimed)
        settle(connection, claimed, "dead")
        assert states(connection) == {("attempt-state", "lrs"): "delivered"}


def test_a_document_that_is_switched_off_is_not_sent_and_is_new_when_it_is_switched_on_again(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        state, profile = stored(connection, session), stored(connection, session, name="agent-profile")
        store(connection, state, profile, readers=dict.fromkeys(LRS, ("lrs", "other")))
        settle(connection, next(row for row in claim(connection) if row.name == "agent-profile"))
        documents.forget(connection, {"lrs": list(LRS), "other": []})
        assert documents.waiting(connection) == {"other": 2}
        store(connection, profile, readers=dict.fromkeys(LRS, ("lrs", "other")))
        assert [row.name for row in claim(connection)] == ["agent-profile"]


def test_of_a_target_that_is_gone_only_what_waits_is_kept(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        state, profile = stored(connection, session), stored(connection, session, name="agent-profile")
        store(connection, state, profile)
        settle(connection, next(row for row in claim(connection) if row.name == "agent-profile"))
        store(connection, state, profile, readers=NOBODY)
        documents.forget(connection, {})
        assert states(connection)["agent-profile", "lrs"] == "delivered"
        documents.forget(connection, {"other": []})
        assert states(connection) == {
            ("attempt-state", "lrs"): "waiting",
            ("attempt-state", UNASSIGNED): "waiting",
            ("agent-profile", UNASSIGNED): "waiting",
        }
