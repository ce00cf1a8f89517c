"""Cursors: they cover everything once whatever is added meanwhile, and a bad one is told in words."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from storage import deliveries as stored_deliveries
from storage.engine import reading, writing
from storage.queries import attempts, deliveries, documents, enrollments, keyset, sessions, statements, timeline
from storage.queries.deliveries import DeliveryOrder
from storage.queries.documents import DocumentFilter
from storage.queries.enrollment_filter import AttemptFilter
from storage.queries.keyset import Count, ResultPage, decode, encode, up_to
from storage.queries.statements import StatementOrder
from storage.tables import lms
from tests.storage.builders import NOW, uid
from tests.storage.queries import dataset
from tests.storage.queries.conftest import Trial
from tests.storage.queries.dataset import Attempt, Statement

Search = Callable[[Connection, str | None], ResultPage[Any]]
SEARCHES: dict[str, Search] = {
    "registration": lambda c, after: enrollments.search(c, AttemptFilter(), after=after, limit=2),
    "uuid": lambda c, after: attempts.search(c, AttemptFilter(), after=after, limit=2),
    "session_id": lambda c, after: sessions.search(c, AttemptFilter(), after=after, limit=2),
    "id": lambda c, after: statements.search(c, stored_deliveries.DeliveryFilter(), after=after, limit=2),
    "position": lambda c, after: deliveries.search(c, stored_deliveries.DeliveryFilter(), after=after, limit=2),
    "oldest statement": lambda c, after: statements.search(
        c, stored_deliveries.DeliveryFilter(), order=StatementOrder.OLDEST, after=after, limit=2
    ),
    "statement of the last attempt": lambda c, after: statements.search(
        c, stored_deliveries.DeliveryFilter(), order=StatementOrder.LAST_ATTEMPT, after=after, limit=2
    ),
    "oldest delivery": lambda c, after: deliveries.search(
        c, stored_deliveries.DeliveryFilter(), order=DeliveryOrder.OLDEST, after=after, limit=2
    ),
    "name": lambda c, after: documents.search(c, DocumentFilter(), after=after, limit=2),
}


def new_attempts(count: int, at: int) -> list[Attempt]:
    return [
        Attempt(
            "lms1", f"u{'12'[number % 2]}", "a", "active", None, None, at + number // 3 if number else None, [True],
            [Statement("scored", at + number // 3, 0, {"lrs": "waiting"})],
            [dataset.Document("one", {"lrs": "waiting"})],
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.usefixtures("_reach")
@pytest.mark.parametrize("name", SEARCHES)
def test_what_was_there_is_on_the_pages_once_though_more_is_added_meanwhile(trial: Trial, name: str) -> None:
    search = SEARCHES[name]
    with trial() as connection:
        dataset.store(connection, new_attempts(7, NOW))
        expected = _all(connection, search)
        first = search(connection, None)
        with_more = [*first.rows]
        dataset.add(connection, new_attempts(3, NOW + 60_000), begins=100)
        after = first.after
        while after is not None:
            page = search(connection, after)
            with_more += page.rows
            after = page.after
        assert len(expected) >= 2
        # what never had a commit stands at the end, and so does what is added of it
        assert [row for row in with_more if row in expected] == expected
        assert len(_all(connection, search)) > len(expected)


def _all(connection: Connection, search: Search) -> list[Any]:
    rows, after = [], None
    while True:
        page = search(connection, after)
        rows += page.rows
        after = page.after
        if after is None:
            return rows


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    cursor=st.one_of(
        st.text(max_size=20),
        st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=40), st.just(uid("x"))), max_size=4).map(encode),
        st.binary(max_size=20).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
    )
)
@example(cursor=encode([NOW, 1, 2**31]))
@example(cursor=encode([2**63, 1, 1]))
def test_a_cursor_that_was_never_given_out_is_an_error_in_words_or_a_place(trial: Trial, cursor: str) -> None:
    """Never an error of the database: whatever stands in an address."""
    with trial() as connection:
        dataset.store(connection, new_attempts(2, NOW))
        for search in (*SEARCHES.values(), lambda c, after: timeline.timeline(c, uid("attempt", 1), after=after)):
            words = _refused(lambda search=search: search(connection, cursor))  # type: ignore[misc]
            assert words is None or "start from the first page" in words, search


def _refused(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except ValueError as error:
        return str(error)
    return None


@given(st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62), st.text()), max_size=4))
def test_a_cursor_holds_its_key_and_can_stand_in_an_address(key: list[int | str | None]) -> None:
    try:
        cursor = encode(key)
    except UnicodeEncodeError:
        return

    assert decode(cursor) == key
    assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_the_cursor_of_one_search_is_not_taken_by_another(trial: Trial) -> None:
    with trial() as connection:
        dataset.store(connection, new_attempts(7, NOW))
        after = SEARCHES["uuid"](connection, None).after
        assert after is not None
        for name in ("session_id", "id", "position", "name"):
            with pytest.raises(ValueError, match="another search"):
                SEARCHES[name](connection, after)


def test_rows_are_counted_exactly_up_to_a_limit(trial: Trial) -> None:
    with trial() as connection:
        dataset.store(connection, [])
        assert up_to(connection, select(lms.c.id), 1) == Count(1, is_lower_bound=True)
        assert up_to(connection, select(lms.c.id), 2) == Count(2)
        assert up_to(connection, select(lms.c.id), 3) == Count(2)


def test_a_page_reads_no_more_than_it_may_and_tells_where_to_go_on(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "READ", 3)
    with trial() as connection:
        dataset.store(connection, new_attempts(7, NOW))
        page = attempts.search(connection, AttemptFilter(status="terminated"))
        assert page.rows == []
        assert page.after is not None


def test_what_came_in_one_millisecond_is_not_all_read_for_one_page(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "READ", 3)
    none: dict[str, Search] = {
        "attempts": lambda c, after: attempts.search(c, AttemptFilter(success="failed"), after=after),
        "sessions": lambda c, after: sessions.search(c, AttemptFilter(success="failed"), after=after),
        "statements": lambda c, after: statements.search(c, stored_deliveries.DeliveryFilter(rule="none"), after=after),
        "documents": lambda c, after: documents.search(c, DocumentFilter(name="none"), after=after),
    } | {
        order.value: lambda c, after, order=order: statements.search(  # type: ignore[misc]
            c, stored_deliveries.DeliveryFilter(rule="none"), order=order, after=after
        )
        for order in StatementOrder
    }
    with trial() as connection:
        dataset.store(
            connection,
            [
                replace(attempt, at=NOW, statements=[replace(its, at=NOW) for its in attempt.statements])
                for attempt in new_attempts(7, NOW)
            ],
        )
        for name, search in none.items():
            page, looked = search(connection, None), 1
            while page.after is not None:
                assert page.rows == [], name
                page, looked = search(connection, page.after), looked + 1
            assert looked >= 3, name


def test_an_export_has_all_rows_of_all_pages(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "PAGE_SIZE", 3)
    with writing(engine) as connection:
        dataset.store(connection, new_attempts(8, NOW))
    lists = list(
        keyset.iterate_pages(
            engine, lambda c, after, limit: attempts.search(c, AttemptFilter(), after=after, limit=limit)
        )
    )
    assert [len(rows) for rows in lists] == [3, 3, 2]
    with reading(engine) as connection:
        assert [row for rows in lists for row in rows] == attempts.search(connection, AttemptFilter()).rows


def test_the_last_page_has_no_next_one() -> None:
    assert keyset.cut([3, 2, 1], 2, lambda number: (number,)) == ResultPage([3, 2], keyset.encode((2,)))
    assert keyset.cut([3, 2], 2, lambda number: (number,)) == ResultPage([3, 2], None)
    assert keyset.cut([], 2, lambda number: (number,)) == ResultPage([], None)
