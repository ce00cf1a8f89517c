"""Statements for many rows, several of them together."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from storage import attempts, journal, outbox, prepared
from storage.attempts import Attempt, Session
from storage.change_set import ChangeSet
from storage.engine import reading, writing
from storage.prepared import write
from storage.tables import attempt, delivery, session, statement
from storage.tables import journal as journal_table
from tests.storage.builders import NOW, add_enrollment, add_lms, entry, launched, statements, to, uid


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of all statements for many rows that were executed."""
    texts: list[str] = []
    execute = prepared.execute

    def noting(connection: Any, text: str, parameters: Any = ()) -> Any:
        texts.append(text)
        return execute(connection, text, parameters)

    monkeypatch.setattr(prepared, "execute", noting)
    return texts


def test_rows_that_refer_to_each_other_are_stored_together(engine: Engine, executed: list[str]) -> None:
    with writing(engine) as connection:
        rows = statements(connection, launched(connection, "u1"), ["{}", "{}"])
        owner = add_enrollment(connection, add_lms(connection, "another"), "u2")
        (attempt_id,) = attempts.new_attempt_ids(connection, 1)
        its = Attempt(attempt_id, uid("its"), owner, 1, "1.2", "active", "{}", NOW, new=True)
        begun = Session(uid("begun"), its, "ab-initio", "{}", NOW, new=True)
        new_rows = [
            row._replace(attempt_id=attempt_id, session_id=begun.session_id, id=uid("made", row.position))
            for row in rows
        ]
        changed = ChangeSet()
        changed.enrollment(owner)
        changed.attempt(its)
        changed.session(begun)
        executed.clear()
        write(
            connection,
            [
                *changed.writes(),
                journal.appending(connection, [entry(begun)]),
                *outbox.adding(connection, new_rows, to("lrs", "mirror")),
            ],
        )
    with reading(engine) as connection:
        counts = [
            connection.execute(select(func.count()).where(column == value)).scalar_one()
            for column, value in (
                (attempt.c.uuid, its.uuid),
                (session.c.session_id, begun.session_id),
                (journal_table.c.session_id, begun.session_id),
                (statement.c.attempt_id, attempt_id),
                (delivery.c.attempt_id, attempt_id),
            )
        ]

    assert counts == [1, 1, 1, 2, 4]
    assert len(executed) == {"postgresql": 1, "sqlite": 6}[engine.dialect.name]


def test_nothing_is_executed_where_there_are_no_rows(engine: Engine, executed: list[str]) -> None:
    with writing(engine) as connection:
        executed.clear()
        write(connection, [])
        write(
            connection,
            [*ChangeSet().writes(), journal.appending(connection, []), *outbox.adding(connection, [], to("lrs"))],
        )

    assert executed == []
