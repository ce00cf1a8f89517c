"""An erasure that is killed again and again ends as one that is not, and gives away no number of a row twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Engine, func, select, update

from bridge.clock import random_id
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner
from storage import attempts, documents, erasing, outbox
from storage.documents import ClaimedDocument, DocumentSettlement
from storage.engine import reading, transactions, writing
from storage.erasure_tables import removal
from storage.erasures import Erasure, Later
from storage.outbox import Settlement, Try
from storage.queries.learner_data import Learner
from storage.tables import (
    attempt,
    delivery,
    delivery_try,
    document,
    document_delivery,
    document_try,
    enrollment,
    journal,
    session,
    statement,
    try_,
)
from tests.storage.builders import NOW, add_attempt, add_session, append, entry, launched, queue, stored, tried
from tests.storage.document_builders import store
from tests.storage.threads import at_once

T = TypeVar("T")
STATEMENTS = 17
TABLES = (enrollment, attempt, session, journal, statement, delivery, document, document_delivery)


class KilledError(Exception):
    """The process was killed."""


def _request(learner: str = "u1") -> ErasureRequest:
    return ErasureRequest(Learner(learner), Later.REFUSE, {"lrs": False}, AuditContext("me", "", NOW))


def _erase(engine: Engine, learner: str = "u1") -> Erasure:
    return erase_learner(engine, _request(learner), now=lambda: NOW, new_id=random_id)


def _fill(engine: Engine) -> None:
    """Store a learner with attempts, commits, statements, deliveries and tries, and another one."""
    with writing(engine) as connection:
        first = launched(connection)
        queue(connection, first, STATEMENTS)
        append(connection, [entry(first, number=number) for number in range(2, 9)])
        other = launched(connection, "u2")
        queue(connection, other, 3)
        second = add_session(connection, add_attempt(connection, first.attempt.enrollment, 2), "s2")
        queue(connection, second, 2)
        ids = list(connection.execute(select(delivery.c.id).order_by(delivery.c.id)).scalars())
        # a request that carried statements of both learners
        tried(connection, [ids[0], ids[STATEMENTS]], "waiting", status=503)
        tried(connection, ids[:3], "delivered")


def _left(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES
        }


def test_killed_at_every_transaction_it_goes_on_where_it_was(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run is killed at its third transaction, some of them before it is committed."""
    monkeypatch.setattr(erasing, "PART_SIZE", 3)
    _fill(engine)
    transact = transactions(engine)
    kills = 0

    def killed(function: Callable[[Connection], T]) -> T:
        nonlocal kills
        kills += 1

        def rolled_back(connection: Connection) -> T:
            function(connection)
            raise KilledError

        result = transact(rolled_back if kills % 3 == 0 else function)
        budget[0] -= 1
        if budget[0] <= 0:
            raise KilledError
        return result

    budget = [0]
    receipt: Erasure | None = None
    runs = 0
    while receipt is None:
        runs += 1
        # one to begin or to go on, and two more
        budget[0] = 3
        try:
            receipt = erase_learner(engine, _request(), now=lambda: NOW, new_id=random_id, transact=killed)
        except KilledError:
            assert runs < 200
    assert runs > 5
    assert receipt.counts["statements"] == STATEMENTS + 2
    assert receipt.counts["enrollments"] == 1
    left = _left(engine)
    assert (left["enrollment"], left["attempt"], left["statement"]) == (1, 1, 3)
    with reading(engine) as connection:
        voided = list(connection.execute(select(removal.c.body)).scalars())
    assert len(voided) == len(set(voided)) == STATEMENTS + 2


def test_numbers_of_rows_are_not_given_again(engine: Engine) -> None:
    """Else what is on its way at that moment would settle another one's delivery, or a cache take another's place."""
    with writing(engine) as connection:
        its = launched(connection)
        queue(connection, its, 2)
        before = [
            connection.execute(select(func.max(table.c.id))).scalar_one() for table in (enrollment, attempt, delivery)
        ]
    _erase(engine)
    with writing(engine) as connection:
        other = launched(connection, "u2")
        queue(connection, other, 1)
        tried(connection, list(connection.execute(select(delivery.c.id)).scalars()), "delivered")
        after = [
            connection.execute(select(func.min(table.c.id))).scalar_one() for table in (enrollment, attempt, delivery)
        ]

    assert all(new > old for new, old in zip(after, before, strict=True))


def test_what_is_settled_after_it_was_erased_does_no_harm(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 2)
        ids = list(connection.execute(select(delivery.c.id)).scalars())
    _erase(engine)
    done = Try("lrs", NOW, 5, "retry", 503, "no room for u1")
    with writing(engine) as connection:
        queue(connection, launched(connection, "u2"), 1)
        (other,) = connection.execute(select(delivery.c.id)).scalars()
        outbox.settle(connection, [Settlement(done, [*ids, other], "waiting", 0, None)])
        outbox.settle(connection, [Settlement(done, ids, "delivered", 0, NOW)])
        erased = ClaimedDocument("0" * 8 + "-0000-4000-8000-" + "0" * 12, "", "", "", "", b"", 1, 0)
        documents.settle(connection, [DocumentSettlement(done, erased, "delivered", NOW, NOW)])
    with reading(engine) as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (delivery, delivery_try, document_try)
        ]
        assert counts == [1, 1, 0]
        assert list(connection.execute(select(try_.c.answer)).scalars()) == [outbox.ERASED_ANSWER] * 3


def test_an_answer_is_kept_where_somebody_else_settled_its_delivery(engine: Engine) -> None:
    with writing(engine) as connection:
        queue(connection, launched(connection), 1)
        ids = list(connection.execute(select(delivery.c.id)).scalars())
        for _ in range(2):
            outbox.settle(
                connection, [Settlement(Try("lrs", NOW, 5, "delivered", 200, "ok"), ids, "delivered", 0, NOW)]
            )
        assert list(connection.execute(select(try_.c.answer)).scalars()) == ["ok", "ok"]


def test_what_lrs_s_answered_to_its_requests_is_forgotten(engine: Engine) -> None:
    _fill(engine)
    with writing(engine) as connection:
        connection.execute(update(try_).values(answer="u1 is not allowed"))
    _erase(engine)
    with reading(engine) as connection:
        assert set(connection.execute(select(try_.c.answer)).scalars()) == {outbox.ERASED_ANSWER}


def test_an_enrollment_that_others_have_in_memory_is_seen_to_have_changed_by_every_part(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "PART_SIZE", 3)
    _fill(engine)
    versions: list[dict[int, int]] = []
    transact = transactions(engine)

    def observed(function: Callable[[Connection], T]) -> T:
        result = transact(function)
        with writing(engine) as connection:
            versions.append(attempts.lock(connection, [1], []))
        return result

    erase_learner(engine, _request(), now=lambda: NOW, new_id=random_id, transact=observed)
    numbers = [version[1] for version in versions[1:] if version]

    assert len(numbers) > 5
    assert len(set(numbers)) == len(numbers)
    assert versions[-1] == {}


def test_two_that_erase_the_same_learner_at_once_erase_each_row_once(engine: Engine) -> None:
    _fill(engine)
    receipts: list[Erasure] = []

    def run(_number: int) -> None:
        receipts.append(_erase(engine))

    at_once(2, run)
    assert _left(engine)["enrollment"] == 1
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(removal)).scalar_one() == STATEMENTS + 2


def test_documents_go_with_what_targets_have_of_them(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        store(connection, stored(connection, its), readers={"attempt-state": ("lrs", "")})
    receipt = _erase(engine)
    assert receipt.counts["documents"] == 1
    with reading(engine) as connection:
        (row,) = connection.execute(select(removal.c.target, removal.c.resource)).all()
    assert tuple(row) == ("lrs", "activities/state")
    assert _left(engine)["document"] == 0
