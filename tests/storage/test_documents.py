"""Documents: the newest content of each, which targets have it, and when it may be written."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, select

from storage import documents
from storage.attempts import Session
from storage.documents import ClaimedDocument, Stored
from storage.engine import reading, writing
from storage.outbox import UNASSIGNED, Try
from storage.tables import document, document_delivery, document_try, try_
from tests.storage.rows import NOW, launched, stored, uid
from tests.storage.threads import at_once

LRS = {"attempt-state": ("lrs",), "agent-profile": ("lrs",)}
EVERY = 10_000


def _claim(connection: Connection, target: str = "lrs", *, now: int = NOW, most: int = 50) -> list[ClaimedDocument]:
    return documents.claim(connection, target, now=now, most=most)


def _contents(connection: Connection, target: str = "lrs", *, now: int = NOW) -> list[str]:
    return [one.content.decode() for one in _claim(connection, target, now=now)]


def _settle(
    connection: Connection, one: ClaimedDocument, state: str = "delivered", *, now: int = NOW, target: str = "lrs"
) -> None:
    status = {"delivered": 204, "dead": 400}.get(state, 503)
    documents.settle(connection, Try(target, now, 5, state, status, "answer"), one, state, now)


def _store(connection: Connection, *all_of_them: Stored, readers: dict[str, tuple[str, ...]] | None = None) -> None:
    documents.store(connection, all_of_them, readers or LRS)


def _states(connection: Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute(select(document.c.name, document_delivery).join(document))
    return {(row.name, row.target): row.state for row in rows}


def _settled(connection: Connection, session: Session, **changed: object) -> None:
    """Store a document and write it at once."""
    _store(connection, stored(connection, session, **changed))
    for one in _claim(connection):
        _settle(connection, one)


def test_a_document_is_kept_as_it_is_and_waits_for_its_targets(engine: Engine) -> None:
    content, parameters = b"a\x00b \xf0\x9f\x98\x80", '{"agent":"{\\"name\\":\\"\\u0000\\"}"}'
    with writing(engine) as connection:
        one = stored(connection, launched(connection), content, parameters=parameters, content_type="text/plain")
        _store(connection, one, readers={"attempt-state": ("first", "second")})
    with reading(engine) as connection:
        for target in ("first", "second"):
            (claimed,) = _claim(connection, target)
            assert claimed == ClaimedDocument(
                one.row.id, "attempt-state", "activities/state", parameters, "text/plain", content, 1
            )
        assert _claim(connection, "third") == []
        assert documents.waiting(connection) == {"first": 1, "second": 1}


def test_nothing_to_store_is_no_error(engine: Engine) -> None:
    with writing(engine) as connection:
        documents.store(connection, [], LRS)
        assert documents.waiting(connection) == {}
        assert _claim(connection) == []


def test_the_newest_content_is_the_one_that_is_written(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        for number in range(3):
            _store(connection, stored(connection, session, b"%d" % number, changed_at=NOW + number))
        assert _contents(connection) == ["2"]
        (row,) = connection.execute(select(document))
        assert (bytes(row.content), row.changed_at) == (b"2", NOW + 2)


def test_what_a_commit_did_not_change_still_comes_of_the_one_that_did(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session))
        _store(connection, stored(connection, session, changed_at=NOW + 9))
        assert connection.execute(select(document.c.changed_at)).scalar_one() == NOW


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_the_same_content_is_sent_to_nobody_who_has_it_or_refused_it(engine: Engine, state: str) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session))
        _settle(connection, _claim(connection)[0], state)
        _store(connection, stored(connection, session))
        assert _claim(connection, now=NOW + EVERY) == []
        assert _states(connection) == {("attempt-state", "lrs"): state}
        _store(connection, stored(connection, session, b"new"))
        assert _contents(connection) == ["new"]


def test_a_target_that_is_switched_on_later_gets_what_the_others_have(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _settled(connection, session)
        _store(connection, stored(connection, session), readers={"attempt-state": ("lrs", "new")})
        assert _claim(connection) == []
        (claimed,) = _claim(connection, "new")
        _settle(connection, claimed, target="new")
        assert documents.waiting(connection) == {}


def test_a_document_waits_for_its_turn_after_it_was_written(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _settled(connection, session, every=EVERY)
        _store(connection, stored(connection, session, b"second", every=EVERY))
        _store(connection, stored(connection, session, b"third", every=EVERY))
        assert _contents(connection, now=NOW + EVERY - 1) == []
        assert documents.waiting(connection) == {"lrs": 1}
        assert _contents(connection, now=NOW + EVERY) == ["third"]


def test_a_document_that_never_was_written_does_not_wait_for_a_turn(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session, b"first", every=EVERY))
        _store(connection, stored(connection, session, b"second", every=EVERY))
        assert _contents(connection) == ["second"]


@pytest.mark.parametrize("content", [b"second", b"third"], ids=["same", "newer"])
def test_at_once_is_at_once_whatever_was_told_before(engine: Engine, content: bytes) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _settled(connection, session, every=EVERY)
        _store(connection, stored(connection, session, b"second", every=EVERY))
        _store(connection, stored(connection, session, content))
        assert _contents(connection) == [content.decode()]


def test_newer_content_that_comes_during_a_write_waits_for_its_turn(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session, b"first", every=EVERY))
        (claimed,) = _claim(connection)
        _store(connection, stored(connection, session, b"second", every=EVERY))
        _settle(connection, claimed, now=NOW + 5)
        assert _contents(connection, now=NOW + EVERY + 4) == []
        assert _contents(connection, now=NOW + EVERY + 5) == ["second"]


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_the_last_content_that_comes_during_a_write_is_written_at_once(engine: Engine, state: str) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session, b"first", every=EVERY))
        (claimed,) = _claim(connection)
        _store(connection, stored(connection, session, b"last"))
        _settle(connection, claimed, state)
        assert _contents(connection) == ["last"]


def test_the_same_content_that_comes_during_a_write_is_not_written_twice(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session))
        (claimed,) = _claim(connection)
        _store(connection, stored(connection, session))
        _settle(connection, claimed)
        assert documents.waiting(connection) == {}


def test_what_is_tried_again_goes_behind_what_was_not_tried(engine: Engine) -> None:
    """Else a few documents that an LRS never takes would hold up all others."""
    with writing(engine) as connection:
        session = launched(connection)
        many = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(5)]
        _store(connection, *many, readers={one.row.name: ("lrs",) for one in many})
        first = _claim(connection, most=2)
        for one in first:
            _settle(connection, one, "waiting", now=NOW + 1)
        order = [one.id for one in _claim(connection, now=NOW + 1)]
        assert set(order[:3]) == {one.row.id for one in many} - {one.id for one in first}
        assert set(order[3:]) == {one.id for one in first}
        assert documents.waiting(connection) == {"lrs": 5}


def test_claiming_leaves_no_mark_and_gives_no_more_than_asked_for(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session), stored(connection, session, name="agent-profile"))
        assert _claim(connection) == _claim(connection)
        assert _claim(connection, most=1) == _claim(connection)[:1]


def test_every_try_is_noted(engine: Engine) -> None:
    with writing(engine) as connection:
        _store(connection, stored(connection, launched(connection)))
        (claimed,) = _claim(connection)
        for state in ("waiting", "waiting", "delivered"):
            _settle(connection, claimed, state)
        rows = connection.execute(select(try_.c.outcome).join(document_try).order_by(try_.c.id)).scalars()
        assert list(rows) == ["waiting", "waiting", "delivered"]
        (row,) = connection.execute(select(document_delivery))
        assert (row.tries, row.state, row.settled_at) == (3, "delivered", NOW)


def test_what_another_process_has_settled_stays_settled(engine: Engine) -> None:
    with writing(engine) as connection:
        _store(connection, stored(connection, launched(connection)))
        (claimed,) = _claim(connection)
        _settle(connection, claimed)
        _settle(connection, claimed, "dead")
        assert _states(connection) == {("attempt-state", "lrs"): "delivered"}


NOBODY = dict.fromkeys(LRS, (UNASSIGNED,))


def test_the_first_target_gets_what_waited_for_none_of_the_documents_that_it_gets(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        assert not documents.has_unassigned(connection)
        profile = stored(connection, session, name="agent-profile")
        _store(connection, stored(connection, session, every=EVERY), profile, readers=NOBODY)
        assert documents.has_unassigned(connection)
        assert documents.waiting(connection) == {UNASSIGNED: 2}
        assert documents.assign_waiting(connection, "lrs", {"attempt-state", "unknown"}) == 2
        assert not documents.has_unassigned(connection)
        assert documents.assign_waiting(connection, "later", LRS) == 0
        assert _states(connection) == {("attempt-state", "lrs"): "waiting"}
        (claimed,) = _claim(connection)
        _settle(connection, claimed)
        assert documents.waiting(connection) == {}


@pytest.mark.parametrize("state", ["waiting", "delivered", "dead"])
def test_what_waited_for_none_is_new_to_a_target_that_had_it_before(engine: Engine, state: str) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        _store(connection, stored(connection, session, b"old", every=EVERY))
        (claimed,) = _claim(connection)
        if state != "waiting":
            _settle(connection, claimed, state)
        _store(connection, stored(connection, session, b"new", every=EVERY), readers=NOBODY)
        documents.assign_waiting(connection, "lrs", LRS)
        assert _contents(connection) == ["new"]
        _settle(connection, claimed)
        assert _contents(connection, now=NOW + EVERY) == ["new"]


def test_a_great_many_are_taken_over_bit_by_bit(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        many = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(7)]
        names = [one.row.name for one in many]
        _store(connection, *many, readers=dict.fromkeys(names, (UNASSIGNED,)))
        taken = [documents.assign_waiting(connection, "lrs", names, most=3) for _ in range(4)]
        assert (taken, documents.waiting(connection)) == ([3, 3, 1, 0], {"lrs": 7})


def test_a_document_that_is_switched_off_is_not_sent_and_is_new_when_it_is_switched_on_again(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        state, profile = stored(connection, session), stored(connection, session, name="agent-profile")
        _store(connection, state, profile, readers=dict.fromkeys(LRS, ("lrs", "other")))
        _settle(connection, next(one for one in _claim(connection) if one.name == "agent-profile"))
        documents.forget(connection, {"lrs": [], "other": list(LRS)})
        assert documents.waiting(connection) == {"other": 2}
        _store(connection, profile, readers=dict.fromkeys(LRS, ("lrs", "other")))
        assert [one.name for one in _claim(connection)] == ["agent-profile"]


def test_of_a_target_that_is_gone_only_what_waits_is_kept(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        state, profile = stored(connection, session), stored(connection, session, name="agent-profile")
        _store(connection, state, profile)
        _settle(connection, next(one for one in _claim(connection) if one.name == "agent-profile"))
        _store(connection, state, profile, readers=NOBODY)
        documents.forget(connection, {})
        assert _states(connection) == {
            ("attempt-state", "lrs"): "waiting",
            ("attempt-state", UNASSIGNED): "waiting",
            ("agent-profile", UNASSIGNED): "waiting",
        }


def test_transactions_that_store_the_same_documents_at_once_do_not_lock_each_other_out(engine: Engine) -> None:
    """They come in any order; whoever is last wins, and every document waits for every target."""
    with writing(engine) as connection:
        session = launched(connection)
        made = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(20)]
    readers = {one.row.name: ("lrs", "other") for one in made}

    def store(number: int) -> None:
        mine = [one._replace(row=one.row._replace(content=b"%d" % number)) for one in made]
        for shift in range(10):
            with writing(engine) as connection:
                documents.store(connection, mine[shift:][:: -1 if number % 2 else 1] + mine[:shift], readers)

    at_once(4, store)
    with reading(engine) as connection:
        found = _claim(connection)
        assert len(found) == len(made)
        assert {one.content for one in found} <= {b"0", b"1", b"2", b"3"}
        assert documents.waiting(connection) == {"lrs": len(made), "other": len(made)}


def test_nothing_is_lost_when_documents_change_while_they_are_written_and_taken_over(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        made = [stored(connection, session, id=uid(number), name=f"d{number}") for number in range(10)]
    names = [one.row.name for one in made]

    def work(number: int) -> None:
        for turn in range(10):
            with writing(engine) as connection:
                if number < 2:
                    mine = [one._replace(row=one.row._replace(content=b"%d" % turn)) for one in made]
                    readers = dict.fromkeys(names, ("lrs",) if number else (UNASSIGNED,))
                    documents.store(connection, mine, readers)
                elif number == 2:
                    documents.assign_waiting(connection, "lrs", names)
                else:
                    for one in _claim(connection, now=NOW, most=3):
                        _settle(connection, one)

    at_once(4, work)
    with writing(engine) as connection:
        documents.assign_waiting(connection, "lrs", names)
        for one in _claim(connection):
            _settle(connection, one)
        assert _states(connection) == {(name, "lrs"): "delivered" for name in names}
