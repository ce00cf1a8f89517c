"""Databases with many attempts in them: one real attempt, played through the service, multiplied with SQL.

Every copy has an enrollment, an attempt, a session that ended, its commit in the journal, its statements and documents,
all of them delivered.
"""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from sqlalchemy import Connection, Engine, text

from benchmarks import workload
from benchmarks.processes import Bridge
from storage.engine import open_engine, reading, writing

SESSION_ID = "00000000-0000-4000-8000-000000000000"
TABLES = ("enrollment", "attempt", "session", "journal", "statement", "delivery", "document", "document_delivery")
DEADLINE = 20
"""Seconds."""
FASTER = {"sqlite": "PRAGMA cache_size = -4000000", "postgresql": "SET LOCAL session_replication_role = replica"}
"""Makes a million rows bearable: ids in no order touch pages all over, and what is copied refers to what is there."""
COUNTED = ("enrollment", "attempt", "journal", "delivery")
"""Tables whose ids PostgreSQL counts in sequences."""


def fill(bridge: Bridge, attempts: int) -> None:
    """Fill a running bridge's empty database with so many attempts, of the enrollments from 0 on."""
    _play(bridge)
    engine = open_engine(bridge.url)
    _wait_for_documents(engine)
    with writing(engine) as connection:
        connection.execute(text(FASTER[engine.dialect.name]))
        for table in ("delivery", "document_delivery"):
            connection.execute(text(f"UPDATE {table} SET state = 'delivered', settled_at = 1"))
        for table in TABLES:
            _multiply(connection, table, attempts)
        if connection.dialect.name == "postgresql":
            for table in COUNTED:
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
                )
    if engine.dialect.name == "postgresql":
        # as autovacuum does by itself before long
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    engine.dispose()


def _play(bridge: Bridge) -> None:
    body = json.dumps(workload.body(0, 1) | {"session_id": SESSION_ID, "terminated": True})
    for hole, value in ((workload.LEARNER, workload.learner(0)), (workload.ACTIVITY, workload.activity(0))):
        body = body.replace(json.dumps(hole)[1:-1], value)
    request = urllib.request.Request(
        f"http://127.0.0.1:{bridge.port}/v1/commits",
        data=body.encode(),
        headers={"Authorization": f"Bearer {bridge.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        response.read()


def _wait_for_documents(engine: Engine) -> None:
    """Wait until the documents of what was played were made."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        with reading(engine) as connection:
            if connection.execute(text("SELECT count(*) FROM document")).scalar_one():
                return
        time.sleep(0.1)
    raise TimeoutError(f"no documents were made in {DEADLINE} s")


def _multiply(connection: Connection, table: str, attempts: int) -> None:
    """Copy every row of a table for the attempts from the second on."""
    order = "document_id" if table == "document_delivery" else "1"
    rows = connection.execute(text(f"SELECT * FROM {table} ORDER BY {order}")).mappings().all()
    series = numbers(connection.dialect.name, 1)
    for index, row in enumerate(rows):
        new = _changed(connection.dialect.name, table, index, row)
        names = [name for name in row if not (name == "id" and table in {"journal", "delivery"})]
        parameters = {f"p_{name}": row[name] for name in names if name not in new}
        values = ", ".join(new.get(name) or _parameter(connection, table, name) for name in names)
        connection.execute(
            text(f"{series} INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM series"),
            parameters | {"last": attempts - 1},
        )


def _parameter(connection: Connection, table: str, name: str) -> str:
    """Return a copied value's parameter; PostgreSQL must be told its type."""
    if connection.dialect.name != "postgresql":
        return f":p_{name}"
    kind = connection.execute(
        text("SELECT data_type FROM information_schema.columns WHERE table_name = :t AND column_name = :c"),
        {"t": table, "c": name},
    ).scalar_one()
    return f"CAST(:p_{name} AS {kind})"


def _changed(dialect: str, table: str, index: int, row: Any) -> dict[str, str]:
    """Return column -> SQL for what differs in each copy."""
    session = uuid_of(dialect, 1)
    document = {"id": uuid_of(dialect, 100 + index), "attempt_id": "n + 1", "session_id": session}
    learner = "'u' || lpad(CAST(n / 20 AS text), 8, '0')" if dialect == "postgresql" else "printf('u%08d', n / 20)"
    activity = "lpad(CAST(100 + n % 20 AS text), 4, '0')" if dialect == "postgresql" else "printf('%04d', 100 + n % 20)"
    columns: dict[str, dict[str, str]] = {
        "enrollment": {
            "id": "n + 1", "registration": uuid_of(dialect, 2), "learner_id": learner, "activity_id": activity,
        },
        "attempt": {"id": "n + 1", "uuid": uuid_of(dialect, 3), "enrollment_id": "n + 1"},
        "session": {"session_id": session, "attempt_id": "n + 1"},
        "journal": {"session_id": session},
        "statement": {"attempt_id": "n + 1", "id": uuid_of(dialect, 10 + index), "session_id": session},
        "delivery": {"attempt_id": "n + 1"},
        "document": document,
        "document_delivery": {"document_id": uuid_of(dialect, 100 + index)},
    }  # fmt: skip
    return {name: sql for name, sql in columns[table].items() if name in row}


def numbers(dialect: str, first: int, last: str = ":last") -> str:
    """Return SQL for a table `series` of the numbers n from the first to the last."""
    if dialect == "postgresql":
        return f"WITH series(n) AS (SELECT * FROM generate_series({first}, {last}))"
    return f"WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last})"


def uuid_of(dialect: str, salt: int, number: str = "n") -> str:
    """Return SQL that makes a UUID of a number, in no order."""
    first = f"((CAST({number} AS bigint) * 2654435761 + {salt * 7919}) % 4294967296)"
    if dialect == "postgresql":
        last = f"lpad(to_hex({number}), 12, '0')"
        return f"CAST(lpad(to_hex({first}), 8, '0') || '-{salt:04x}-4000-8000-' || {last} AS uuid)"
    return f"printf('%08x-{salt:04x}-4000-8000-%012x', {first}, {number})"
