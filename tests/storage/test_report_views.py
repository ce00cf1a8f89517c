"""The views of reports: the same rows on both databases, whatever content sent, and nothing else for who reads them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState
from sqlalchemy import Connection, Engine, inspect, text, update
from sqlalchemy.engine import make_url

from mappings.cmi.interactions import interaction
from mappings.cmi.times import CmiTimeError, duration, read_time, timespan
from storage.engine import reading, writing
from storage.report_views import STATEMENT, VIEWS, ColumnKind, ReportView
from storage.tables import attempt, metadata
from tests.documentation.blocks import SQL, all_blocks
from tests.storage.builders import launched, queue

DOCUMENT = Path(__file__).parents[2] / "docs/reports.md"

TYPES = {
    ColumnKind.KEY: "bigint", ColumnKind.INTEGER: "integer", ColumnKind.NUMBER: "double precision",
    ColumnKind.TEXT: "text", ColumnKind.UUID: "uuid", ColumnKind.BOOLEAN: "boolean",
    ColumnKind.TIME: "timestamp with time zone", ColumnKind.LIST: "jsonb",
}  # fmt: skip
"""Of the views on PostgreSQL."""


def _rows(connection: Connection, view: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text(f"SELECT * FROM {view}")).mappings()]


def _milliseconds(engine: Engine, times: Sequence[Any]) -> list[str | None]:
    """Return times as SQLite's view has them."""
    if engine.dialect.name == "sqlite":
        return [*times]
    return [time and time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") for time in times]


def _hold(connection: Connection, attempt_id: int, interactions: Any, **snapshot: Any) -> None:
    state = {"snapshot": {"interactions": interactions} | snapshot}
    connection.execute(update(attempt).where(attempt.c.id == attempt_id).values(state=json.dumps(state)))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_has_the_columns_of_the_contract(engine: Engine, view: ReportView) -> None:
    columns = {column["name"]: column for column in inspect(engine).get_columns(view.name)}
    assert [*columns] == [column.name for column in view.columns]
    if engine.dialect.name == "postgresql":
        query = text("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = :name")
        with reading(engine) as connection:
            types = {row[0]: row[1] for row in connection.execute(query, {"name": view.name})}
        assert types == {column.name: TYPES[column.kind] for column in view.columns}


def _documented(heading: str) -> list[tuple[str, str]]:
    """Return name and type of each column in the table below a heading of docs/reports.md."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    return re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_each_column_is_documented(view: ReportView) -> None:
    whose = _documented("Columns of all views")

    assert len(whose) == 7
    assert {*whose, *_documented(view.name)} == {(column.name, column.kind.value) for column in view.columns}


SCORM_12 = {
    "id": "Q1",
    "type": "choice",
    "student_response": "a,b",
    "correct_responses": {"10": {"pattern": "c"}, "0": {"pattern": "a,b"}, "1": {"pattern": ""}},
    "objectives": {"0": {"id": "O1"}},
    "result": "wrong",
    "weighting": "1.5",
    "latency": "00:01:05.5",
    "time": "10:20:30",
}
SCORM_2004 = {
    "id": "urn:q:2",
    "type": "fill-in",
    "description": "What?",
    "learner_response": "{lang=en}forty two",
    "result": "correct",
    "weighting": "2",
    "latency": "PT1M5.5S",
    "timestamp": "2026-01-31T10:20:30.5+01:00",
}


def test_an_interaction_of_either_version_has_the_same_columns(engine: Engine) -> None:
    with writing(engine) as connection:
        first = launched(connection).attempt
        other = launched(connection, "u2").attempt
        _hold(connection, first.id, {"0": SCORM_12, "1": {"id": "Q2", "result": "incorrect", "type": "likert"}})
        _hold(connection, other.id, {"0": SCORM_2004 | {"result": "0.25"}, "3": SCORM_2004, "4": {"type": "choice"}})
    with reading(engine) as connection:
        rows = sorted(
            _rows(connection, "report_interaction"), key=lambda row: (row["attempt_key"], row["interaction_index"])
        )
    is_sqlite = engine.dialect.name == "sqlite"
    names = ("interaction_id", "type", "description", "learner_response", "result", "success", "result_score",
             "weighting", "latency_seconds")  # fmt: skip
    old, unanswered, scored, new = [tuple(row[name] for name in names) for row in rows]
    assert old == ("Q1", "choice", None, "a,b", "incorrect", False, None, 1.5, 65.5)
    assert unanswered == ("Q2", "likert", None, None, None, None, None, None, None)
    assert scored == ("urn:q:2", "fill-in", "What?", "{lang=en}forty two", "0.25", None, 0.25, 2.0, 65.5)
    assert new == ("urn:q:2", "fill-in", "What?", "{lang=en}forty two", "correct", True, None, 2.0, 65.5)
    assert [row["interaction_index"] for row in rows] == [0, 1, 0, 3]
    lists = [rows[0][name] for name in ("correct_responses", "objectives")]
    assert [json.loads(value) if is_sqlite else value for value in lists] == [["a,b", "c"], ["O1"]]
    assert (rows[1]["correct_responses"], rows[1]["objectives"]) == (None, None)
    times = [rows[0]["timestamp"], rows[3]["timestamp"], rows[0]["attempt_started_at"]]
    assert _milliseconds(engine, times) == [None, "2026-01-31T09:20:30.500Z", "2026-01-01T00:00:00.000Z"]


def _interactions(engine: Engine, items: Sequence[Any], **snapshot: Any) -> list[dict[str, Any]]:
    """Store interactions of an attempt and return the rows of the view, in their order."""
    with writing(engine) as connection:
        owner = launched(connection).attempt
        _hold(connection, owner.id, {str(number): item for number, item in enumerate(items)}, **snapshot)
    with reading(engine) as connection:
        return sorted(_rows(connection, "report_interaction"), key=lambda row: row["interaction_index"])


def _python_seconds(value: str) -> float | None:
    try:
        return read_time(value) / 100
    except CmiTimeError:
        return None


def test_latencies_are_read_as_the_core_reads_them(engine: Engine) -> None:
    random = Random(16)
    lengths = [random.randrange(10 ** random.randrange(1, 10)) for _ in range(100)]
    values = [form(length) for length in lengths for form in (duration, timespan)]
    values += [
        "P1DT2H",
        "P1Y",
        "P2M3D",
        "P1Y1D",
        "PT0S",
        "PT",
        "PT5M",
        "P1M",
        "PT1H1S",
        "PT61M",
        "P400D",
        "9999:99:99.99",
    ]
    rows = _interactions(engine, [{"id": "Q", "latency": value} for value in values])

    expected = [_python_seconds(value) for value in values]

    assert {value: row["latency_seconds"] for value, row in zip(values, rows, strict=True)} == pytest.approx(
        dict(zip(values, expected, strict=True))
    )
    assert None in expected


def test_what_is_written_otherwise_is_null_and_never_an_error(engine: Engine) -> None:
    """One attempt must not take a view from all others."""
    random = Random(49)
    alphabet = [*"PTHMSDY:.-+eZ05é'", "12", "2026", "\\u0000"]
    values = ["".join(random.choices(alphabet, k=random.randrange(12))) for _ in range(400)]
    values += ["2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T10:00:60Z", "1e999",
               "9" * 400, "0000-01-01T00:00:00Z", "2026-01-01T10:00:00+99:00", "NaN", "Infinity", "1,5",
               "0x10", "-"]  # fmt: skip
    names = ("latency", "timestamp", "weighting", "result", "type", "description", "student_response")
    rows = _interactions(engine, [{"id": "Q"} | dict.fromkeys(names, value) for value in values])

    assert len(rows) == len(values)
    for value, row in zip(values, rows, strict=True):
        if row["latency_seconds"] is not None:
            assert row["latency_seconds"] == pytest.approx(_python_seconds(value), abs=0.01)
        if row["weighting"] is not None:
            assert row["weighting"] == float(value)
        assert row["type"] == "other"
    assert [row["timestamp"] for row in rows if row["timestamp"]] == []
    assert sum(row["latency_seconds"] is not None for row in rows) < len(rows) / 2


def test_nul_in_what_content_stores_keeps_no_attempt_from_the_views(engine: Engine) -> None:
    hostile = "a\0b \\u0000 \\\0 \\\\"
    rows = _interactions(engine, [SCORM_12 | {"description": "\\u0000\\"}], suspend_data=hostile, location="\0")

    assert [(row["interaction_id"], row["description"]) for row in rows] == [("Q1", "\\u0000\\")]


def test_what_is_no_text_is_no_id_and_no_response(engine: Engine) -> None:
    items = {"0": {"id": "inside"}}
    assert (
        _interactions(engine, [{"id": items}, {"id": "Q", "learner_response": items, "correct_responses": "a"}]) != []
    )
    with reading(engine) as connection:
        (row,) = _rows(connection, "report_interaction")
    assert (row["interaction_id"], row["learner_response"], row["correct_responses"]) == ("Q", None, None)


@pytest.mark.parametrize("item", [SCORM_12, SCORM_2004, SCORM_12 | {"result": "7.5", "type": "True_False"}])
def test_a_row_says_what_statements_say(engine: Engine, item: dict[str, Any]) -> None:
    parsed = interaction(item)
    (row,) = _interactions(engine, [item])

    assert parsed is not None
    assert (row["interaction_id"], row["type"], row["success"], row["result_score"]) == (
        parsed.id, parsed.type, parsed.success, parsed.raw,
    )  # fmt: skip
    assert row["latency_seconds"] == (parsed.duration or 0) / 100


def test_statements_have_what_lrss_get_of_them(engine: Engine) -> None:
    body = {
        "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
        "object": {
            "id": "https://lms.example.org/a",
            "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
        },
        "result": {"score": {"scaled": 0.8, "raw": 80, "min": 0, "max": 100}, "success": True, "duration": "PT1H2.5S"},
        "timestamp": "2026-01-31T10:20:30.250Z",
    }
    with writing(engine) as connection:
        queue(connection, launched(connection), 2)
        connection.execute(text("UPDATE statement SET body = :body WHERE position = 0"), {"body": json.dumps(body)})
        connection.execute(text("UPDATE statement SET problem = 'no IRI', body = '{}' WHERE position = 1"))
    with reading(engine) as connection:
        stored, empty = sorted(_rows(connection, "report_statement"), key=lambda row: row["position"])
    names = [column.name for column in STATEMENT.columns if column.name.startswith(("object", "result"))]

    assert [stored[name] for name in names] == [
        "https://lms.example.org/a", "http://adlnet.gov/expapi/activities/course", None, True, 0.8, 80, 0, 100, 3602.5,
    ]  # fmt: skip
    assert _milliseconds(engine, [stored["timestamp"]]) == ["2026-01-31T10:20:30.250Z"]
    assert {empty[name] for name in names} | {empty["timestamp"]} == {None}
    assert (stored["quarantined"], empty["quarantined"]) == (False, True)


def test_the_queries_of_the_documentation_run_on_both_databases(engine: Engine) -> None:
    queries = [block.text for block in all_blocks(*SQL) if not block.title]
    assert queries
    with writing(engine) as connection:
        queue(connection, launched(connection), 2)
    with reading(engine) as connection:
        for query in queries:
            assert len(connection.execute(text(query)).all()) == 1


def test_a_role_that_may_read_the_views_can_read_nothing_else(postgresql_url: str) -> None:
    """By the commands that docs/reports.md has."""
    (script,) = (block.text for block in all_blocks(*SQL) if block.title == "Run as the database's owner")
    role, database = f"reports_{uuid.uuid4().hex}", make_url(postgresql_url).database
    commands = script.replace("scorm_reports", role).replace("DATABASE scorm ", f"DATABASE {database} ")
    with psycopg.connect(postgresql_url, autocommit=True) as owner:
        owner.execute(commands)
        try:
            login = make_conninfo(postgresql_url, user=role, password="a password of your own")
            with psycopg.connect(login, autocommit=True) as connection:
                _check_role(connection)
        finally:
            owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def _check_role(connection: psycopg.Connection[Any]) -> None:
    for view in VIEWS:
        assert connection.execute(f"SELECT * FROM {view.name}").fetchall() == []
    for table in [*metadata.tables, "alembic_version"]:
        with pytest.raises(InsufficientPrivilege):
            connection.execute(f'SELECT * FROM "{table}"')
    connection.execute("SET default_transaction_read_only = off")  # which the role may do, and gains nothing by
    for command in ("DELETE FROM attempt", "UPDATE lms SET name = ''", "CREATE TABLE mine (id int)"):
        with pytest.raises(InsufficientPrivilege):
            connection.execute(command)
    with pytest.raises(ObjectNotInPrerequisiteState):
        connection.execute("DELETE FROM report_attempt")
