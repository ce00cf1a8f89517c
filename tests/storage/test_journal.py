"""The journal: every commit as it was received."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from storage import journal
from storage.engine import reading, writing
from storage.journal import JournalEntry, PriorEntry
from storage.tables import journal as table
from tests.storage.builders import append, entry, launched, uid


def _stored(connection: Connection) -> list[JournalEntry]:
    columns = [table.c[name] for name in JournalEntry._fields]
    return [JournalEntry(*row) for row in connection.execute(select(*columns).order_by(table.c.id))]


def test_every_column_of_a_commit_comes_back_as_it_went_in(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        full = entry(
            session,
            content_type="text/plain;charset=UTF-8",
            wire_format="scorm-again",
            sequence=2**40,
            idempotency_key="k ☃",
            response='{"result":true}',
        )
        bare = entry(session, 2, disposition="duplicate", duplicate_of=1, response=None, body=None)
        append(connection, [full, bare])
    with reading(engine) as connection:
        assert _stored(connection) == [full, bare]


def test_bytes_are_kept_that_are_no_text_at_all(engine: Engine) -> None:
    bodies = [b"", b"\x00", bytes(range(256)) * 8, b"\xff\xfe{}", "☃ 🎓".encode("utf-16"), b"x" * 1_048_576]
    with writing(engine) as connection:
        session = launched(connection)
        append(connection, [entry(session, number, body=body) for number, body in enumerate(bodies, 1)])
    with reading(engine) as connection:
        assert [row.body for row in _stored(connection)] == bodies


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.binary(max_size=200), max_size=5))
def test_any_body_comes_back_byte_for_byte(engine: Engine, bodies: list[bytes]) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        session = launched(connection)
        append(connection, [entry(session, number, body=body) for number, body in enumerate(bodies, 1)])
        assert [row.body for row in _stored(connection)] == bodies
        transaction.rollback()


def test_the_earlier_commits_that_may_be_repeated_are_found_by_digest_sequence_or_key(engine: Engine) -> None:
    with writing(engine) as connection:
        session, other = launched(connection), launched(connection, "u2")
        append(
            connection,
            [
                entry(session, 3, sequence=7, response='{"n":3}'),
                entry(session, 2, disposition="duplicate", duplicate_of=1, response=None, body=None),
                entry(session, 1, idempotency_key="k", response='{"n":1}'),
                entry(session, 4, disposition="stale"),
                entry(other, 1, sequence=7, idempotency_key="k"),
            ],
        )
    with reading(engine) as connection:

        def numbers(number: int = 9, sequence: int | None = None, key: str | None = None) -> list[int]:
            rows = journal.earlier(
                connection, session.session_id, digest=f"{number:064x}", sequence=sequence, idempotency_key=key
            )
            return [row.number for row in rows]

        assert numbers() == []
        assert numbers(4) == [4]
        assert numbers(2) == []  # it repeats another
        assert numbers(sequence=7) == [3]
        assert numbers(4, 7, "k") == [1, 3, 4]
        assert journal.earlier(connection, session.session_id, digest="", sequence=None, idempotency_key="k") == [
            PriorEntry(1, f"{1:064x}", None, "k")
        ]
        assert journal.response(connection, session.session_id, 1) == '{"n":1}'


def test_one_commit_that_cannot_be_added_takes_the_others_with_it(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        append(connection, [entry(session, 1), entry(session, 2), entry(session, 1)])
    with reading(engine) as connection:
        assert _stored(connection) == []


def test_a_commit_of_an_unknown_session_is_not_taken(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        append(connection, [entry(session)._replace(session_id=uid("unknown"))])
