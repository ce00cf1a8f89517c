"""Rows from before there were frames are written into frames, whatever stops it and whatever goes on beside it."""

from __future__ import annotations

import json
from functools import partial

import pytest
from alembic import command
from sqlalchemy import Engine, delete, func, select, text, update

from storage import compaction, frames, journal, outbox
from storage.compaction import TABLES, CompactedTable, Place
from storage.engine import open_engine, reading, writing
from storage.frame_tables import compaction as marks
from storage.migrations import _run, migrate
from storage.prepared import write
from storage.tables import journal as journal_table
from storage.tables import statement, target_statement
from storage.target_statements import TargetStatement
from tests.storage.builders import NOW, add, append, entry, launched, statements, to, whole
from tests.storage.test_frames import TEXTS, add_dictionary

JOURNAL, STATEMENTS, FORMS = TABLES


@pytest.fixture
def plain(engine: Engine) -> Engine:
    """A database with rows that are stored as they are, and a dictionary since."""
    with writing(engine) as connection:
        for learner in ("u1", "u2", "u3"):
            session = launched(connection, learner)
            commits = [
                entry(session, number, response=f'{{"n":{number}}}', body=TEXTS[number].encode())
                for number in range(1, 5)
            ]
            repeated = entry(session, 5, duplicate_of=1, response=None, body=None)
            append(connection, [*commits, repeated])
            rows = statements(connection, session, TEXTS[:7])
            form = TargetStatement(rows[0].attempt_id, rows[0].position, "lrs", "pseudonym", '{"mine":1}')
            write(connection, outbox.adding(connection, rows, to("lrs"), [form]))
        add_dictionary(connection)
    return engine


def _contents(engine: Engine) -> list[object]:
    """Return all texts as they are read."""
    with reading(engine) as connection:
        commits = [
            (row.number, journal.content_of(connection, row.response, row.body, row.frame))
            for row in connection.execute(select(journal_table).order_by(journal_table.c.id)).all()
        ]
        bodies = [
            frames.text_of(connection, row.body, row.frame)
            for table in (statement, target_statement)
            for row in connection.execute(select(table).order_by(table.c.attempt_id, table.c.position)).all()
        ]
        claimed = outbox.claim(connection, whole("lrs"), now=NOW, limit=500, most_bytes=10**6).bodies
    return [commits, bodies, claimed]


def _plain_rows(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return [
            connection.execute(select(func.count()).select_from(of.table).where(of.is_plain)).scalar_one()
            for of in TABLES
        ]


def _compact(engine: Engine, limit: int, batches: int = 1_000) -> int:
    """Compact at most so many batches of each table, as the command does; return the rows.

    The statements of an attempt must fit into the batches: a run begins with the attempt in which the last one stopped.
    """
    count = 0
    for of in TABLES:
        with writing(engine) as connection:
            place: Place | None = compaction.first_place(connection, of)
        for _ in range(batches):
            if place is None:
                break
            with writing(engine) as connection:
                found = compaction.scan(connection, of, place, limit)
                count += compaction.compact_rows(connection, of, found).rows
            place = found.place
    return count


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_everything_is_in_frames_afterwards_and_read_as_before(plain: Engine, limit: int) -> None:
    before = _contents(plain)

    assert _plain_rows(plain) == [12, 21, 3]
    assert _compact(plain, limit) == 36
    assert _plain_rows(plain) == [0, 0, 0]
    assert _contents(plain) == before
    assert _compact(plain, limit) == 0


def test_broken_off_anywhere_it_goes_on_in_another_process(plain: Engine) -> None:
    before, count, runs = _contents(plain), 0, 0
    while any(_plain_rows(plain)):
        other = open_engine(plain.url.render_as_string(hide_password=False))
        count, runs = count + _compact(other, limit=2, batches=4), runs + 1
        other.dispose()
        assert _contents(plain) == before, runs

    assert count == 36
    assert runs > 1


def test_killed_within_a_batch_nothing_of_it_is_left(plain: Engine) -> None:
    before = _contents(plain)
    with plain.connect() as connection, connection.begin() as transaction:
        found = compaction.scan(connection, JOURNAL, (0,))
        assert compaction.compact_rows(connection, JOURNAL, found).rows == 12
        transaction.rollback()
    assert _plain_rows(plain) == [12, 21, 3]
    with reading(plain) as connection:
        assert connection.execute(select(marks)).all() == []
    assert _contents(plain) == before
    assert _compact(plain, 200) == 36


@pytest.mark.parametrize("of", [JOURNAL, FORMS], ids=lambda of: of.name)
def test_what_was_erased_or_compacted_since_it_was_found_is_left_alone(plain: Engine, of: CompactedTable) -> None:
    with writing(plain) as connection:
        found = compaction.scan(connection, of, (0,))
        gone = connection.execute(delete(of.table).where(of.key[0] == found.keys[0][0])).rowcount
        first = compaction.compact_rows(connection, of, found)
        again = compaction.compact_rows(connection, of, found)

    assert first.rows == len(found.keys) - gone
    assert again == (0, 0, 0)


def test_what_cannot_be_in_a_frame_is_passed_over(plain: Engine) -> None:
    with writing(plain) as connection:
        first = select(func.min(statement.c.attempt_id)).scalar_subquery()
        spoilt = update(statement).where(statement.c.attempt_id == first, statement.c.position == 2)
        connection.execute(spoilt.values(body='{"timestamp":"yesterday"}'))
    before = _contents(plain)

    assert _compact(plain, 1) == 35
    assert _plain_rows(plain) == [0, 1, 0]
    assert _contents(plain) == before
    assert _compact(plain, 1) == 0


STATEMENTS_OF_VIEWS = [
    {},
    {"object": {"id": "https://lms.example.org/a"}, "timestamp": "2026-01-31T10:20:30.250Z"},
    {
        "object": {
            "id": "https://lms.example.org/é",
            "definition": {"type": "http://adlnet.gov/expapi/activities/course", "name": {"en": "A"}},
        },
        "result": {
            "completion": True,
            "success": False,
            "score": {"scaled": 0.8, "raw": 80, "min": 0, "max": 100},
            "duration": "P1DT1H2.5S",
            "response": "mine",
        },
        "timestamp": "1999-12-31T23:59:59.999+01:00",
    },
    {"object": {"id": "x:y"}, "result": {"success": True, "score": {"raw": -1.5}}, "timestamp": "2026-01-31T10:20:30Z"},
]


def test_views_show_the_same_of_either_form(engine: Engine) -> None:
    def shown() -> list[dict[str, object]]:
        with reading(engine) as connection:
            rows = connection.execute(text("SELECT * FROM report_statement ORDER BY position")).mappings()
            return [dict(row) for row in rows]

    with writing(engine) as connection:
        bodies = [json.dumps(body) for body in STATEMENTS_OF_VIEWS]
        add(connection, statements(connection, launched(connection), bodies), to("lrs"))
        add_dictionary(connection)
    before = shown()

    assert before[2]["result_duration_seconds"] == 90_002.5
    assert _compact(engine, 200) == 5
    assert _plain_rows(engine)[1] == 0
    assert shown() == before


@pytest.mark.slow
def test_going_back_writes_out_what_earlier_releases_read(fresh_engine: Engine) -> None:
    migrate(fresh_engine)
    with writing(fresh_engine) as connection:
        add_dictionary(connection)
        session = launched(connection)
        append(connection, [entry(session, response='{"n":1}', body=b"\xff\n"), entry(session, 2, response=None)])
        rows = statements(connection, session, TEXTS[:3])
        form = TargetStatement(rows[0].attempt_id, rows[0].position, "lrs", "pseudonym", '{"mine":1}')
        write(connection, outbox.adding(connection, rows, to("lrs"), [form]))
    before = _contents(fresh_engine)
    assert _plain_rows(fresh_engine) == [0, 0, 0]
    _run(fresh_engine, partial(command.downgrade, revision="0034"))
    with reading(fresh_engine) as connection:
        commits = connection.execute(text("SELECT response, body FROM journal ORDER BY number")).all()
        bodies = connection.execute(text("SELECT body FROM statement ORDER BY position")).scalars().all()
        forms = connection.execute(text("SELECT body FROM target_statement")).scalars().all()
    assert [(row[0], bytes(row[1])) for row in commits] == [('{"n":1}', b"\xff\n"), (None, b"{}")]
    assert bodies == TEXTS[:3]
    assert forms == [form.body]
    migrate(fresh_engine)
    assert _contents(fresh_engine) == before
