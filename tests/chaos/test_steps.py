"""Whichever statement of a transaction fails, nothing of the commit is stored, and sent again it is stored whole."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bridge.app import SEARCH_INDEXER
from storage.engine import reading
from storage.schema import metadata
from tests.support.bridge import Bridge
from tests.support.sql import observe_statements

CMI = {"core": {"lesson_status": "passed", "score": {"raw": "85"}, "session_time": "0000:01:00"}, "suspend_data": "s"}
MAX_STATEMENTS = 200
"""Statements that no transaction has."""


class _Fault:
    """Fails the statement of this number that the commit path's thread executes."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.hit: str | None = None

    def __call__(self, statement: str) -> None:
        if not threading.current_thread().name.startswith("commits") or " lease" in statement:
            return
        self.left -= 1
        if self.left == 0:
            self.hit = statement
            raise OSError("the disk is gone")


def _counts(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name != "lease"
        }


@pytest.mark.parametrize("session", ["new", "known"])
async def test_a_commit_is_stored_whole_or_not_at_all_whatever_fails(bridge: Bridge, session: str) -> None:
    """The statements are failed one after the other until a run gets through."""
    hit: list[str] = []
    assert bridge.client.app is not None
    indexer = bridge.client.app[SEARCH_INDEXER]
    indexer.stop()  # it stores what it finds on the same thread, or between two counts
    await indexer.join()
    for number in range(1, MAX_STATEMENTS):
        who: dict[str, Any] = {"learner": {"id": f"u{number}"}, "activity": {"id": "235"}}
        if session == "known":
            first = await bridge.commit({"core": {"lesson_status": "incomplete"}}, **who)
            who["session_id"] = first["session_id"]
        before = _counts(bridge.engine)
        fault = _Fault(number)
        with observe_statements(fault):
            status, answer = await bridge.post("/v1/commits", who | {"cmi": CMI, "sequence": 2})
        if fault.hit is None:
            break
        hit.append(fault.hit)
        assert (status, answer["result"]) == (503, False), number
        assert _counts(bridge.engine) == before, number
        again = await bridge.commit(CMI, **who, sequence=2)
        assert again["disposition"] == "applied", number
        (report,) = bridge.reports(f"u{number}")
        assert [statement.id for statement in report.statements][-len(again["statements"]) :] == [
            statement["id"] for statement in again["statements"]
        ], number
        assert all(len(statement.deliveries) == 1 for statement in report.statements), number
    else:
        pytest.fail("no run got through")
    tables = {word for sql in hit for word in sql.split() if word in metadata.tables}

    assert tables >= {"enrollment", "session", "journal", "statement", "delivery"}
