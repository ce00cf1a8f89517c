"""Made-up databases that are forgotten again, and searches that must read little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from storage.queries import deliveries, documents, enrollment_filter, keyset, statements
from storage.queries.keyset import ResultPage

Trial = Callable[[], AbstractContextManager[Connection]]


@pytest.fixture
def trial(engine: Engine) -> Trial:
    """Return connections whose changes are undone."""

    @contextmanager
    def begin() -> Iterator[Connection]:
        with engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    return begin


@pytest.fixture(params=[True, False], ids=["few", "many"])
def _reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run once as with few rows, which are sorted, and once as with many, which are walked, two on a page at most."""
    if not request.param:
        for module in (keyset, deliveries):
            monkeypatch.setattr(module, "READ", 2)
        for module in (enrollment_filter, statements, documents):
            monkeypatch.setattr(module, "MAX_SORTED_ROWS", 0)


def through(page: Callable[[str | None], ResultPage[Any]], most_pages: int = 80) -> list[Any]:
    """Return the rows of all pages, one after the other."""
    rows: list[Any] = []
    after = None
    for _ in range(most_pages):
        result = page(after)
        rows += result.rows
        if result.after is None:
            return rows
        after = result.after
    raise AssertionError("the pages do not come to an end")
