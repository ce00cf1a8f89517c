"""Bytes that a commit takes: of the database on disk, by table and index, and of the log that is written before it.

Run with `make bench` or `python -m benchmarks.disk`. The service gets sessions of the workload over HTTP and forwards
their statements to an LRS that keeps nothing; what is counted is what is there when all of it has arrived. Sizes are
of whole pages, without those of the empty database. SQLite's log is counted while a reader keeps it from starting over;
PostgreSQL's with the page images after checkpoints.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from benchmarks.commits import check
from benchmarks.processes import Bridge, Databases, Lrs, databases, load
from benchmarks.report import Report
from storage.engine import open_engine, reading

KINDS = ("SQLite", "PostgreSQL")
MAX_BYTES = 1_500
"""Of a commit on disk."""
DEADLINE = 120
"""Seconds for the last statements to arrive and the last documents to be made."""
SIZES = {
    "sqlite": "SELECT name, sum(pgsize) FROM dbstat GROUP BY name",
    "postgresql": """
        SELECT c.relname, pg_relation_size(c.oid) + coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')""",
}
TABLES = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_schema",
    "postgresql": """
        SELECT i.relname, t.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_class t ON t.oid = x.indrelid""",
}
"""Each index with its table."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What so many commits took, in bytes, by table or index."""

    commits: int
    statements: int
    sizes: dict[str, int]
    tables: dict[str, str]
    log: int

    @property
    def total(self) -> float:
        """Return the bytes of a commit on disk."""
        return sum(self.sizes.values()) / self.commits


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_500, help="of six commits; resumptions come on top")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--unkept", action="store_true", help="print the result and leave benchmarks/results as it is")
    options = parser.parse_args(arguments)
    report = Report("disk", __doc__ or "", kept=not options.unkept)
    with databases() as database_set, Lrs() as lrs:
        usages = {
            kind: _measure(database_set, lrs, kind, options.sessions, options.connections) for kind in options.kinds
        }
        _print(report, usages, options.connections)


def _measure(database_set: Databases, lrs: Lrs, kind: str, sessions: int, connections: int) -> Usage:
    url = database_set.make(kind, f"disk_{kind.lower()}")
    target = f'[[targets]]\nname = "analytics"\nendpoint = "{lrs.endpoint}"\n'
    with Bridge(database_set.directory / kind, url, target) as bridge:
        engine = open_engine(url)
        before = _sizes(engine)
        log = _Log(url)
        result = load(
            {
                "port": bridge.port, "token": bridge.token, "connections": connections, "seconds": 600, "warm_up": 0,
                "server": bridge.pid, "first": 0, "sessions": sessions,
            }
        )  # fmt: skip
        check("bridge", url, result)
        _until_settled(engine)
        written = log.bytes()
        after = _sizes(engine)
        with reading(engine) as connection:
            statements: int = connection.execute(text("SELECT count(*) FROM statement")).scalar_one()
            rows = connection.execute(text(TABLES[engine.dialect.name]))
            tables = {name: table for name, table in rows if name != table}
        engine.dispose()
    sizes = {name: size - before.get(name, 0) for name, size in after.items() if size > before.get(name, 0)}
    return Usage(sum(result["answered"].values()), statements, sizes, tables, written)


class _Log:
    """Counts what is written to a database's log from now on."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._reader: sqlite3.Connection | None = None
        if self._engine.dialect.name == "sqlite":
            self._reader = sqlite3.connect(str(self._engine.url.database), isolation_level=None)
            self._reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            # as long as somebody reads what is there now, the log only grows
            self._reader.execute("BEGIN").execute("SELECT count(*) FROM lms").fetchall()
        self._before = self._position()

    def bytes(self) -> int:
        """Return how much was written; SQLite's log is emptied into its file."""
        written = self._position() - self._before
        if self._reader is not None:
            self._reader.execute("COMMIT").execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._reader.close()
        self._engine.dispose()
        return written

    def _position(self) -> int:
        if self._reader is not None:
            return Path(f"{self._engine.url.database}-wal").stat().st_size
        with self._engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").scalar_one())


def _sizes(engine: Engine) -> dict[str, int]:
    if engine.dialect.name == "postgresql":
        # what updates have left behind is given back, as autovacuum does before long
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
    with reading(engine) as connection:
        return {name: int(size) for name, size in connection.execute(text(SIZES[engine.dialect.name]))}


def _until_settled(engine: Engine) -> None:
    deadline = time.monotonic() + DEADLINE
    waiting = (
        "SELECT (SELECT count(*) FROM delivery WHERE state = 'waiting')"
        " + (SELECT count(*) FROM document_delivery WHERE state = 'waiting')"
        " + (SELECT count(*) FROM attempt WHERE documents_due IS NOT NULL)"
    )
    while time.monotonic() < deadline:
        with reading(engine) as connection:
            if not connection.execute(text(waiting)).scalar_one():
                return
        time.sleep(0.5)
    raise TimeoutError(f"statements or documents have not arrived in {DEADLINE} s")


def _print(report: Report, usages: dict[str, Usage], connections: int) -> None:
    report.table(
        f"Bytes a commit, at {connections} connections",
        ["database", "commits", "statements a commit", "on disk", "at most", "written to the log"],
        [
            [
                kind,
                f"{usage.commits:,}",
                f"{usage.statements / usage.commits:.2f}",
                f"{usage.total:,.0f}",
                f"{MAX_BYTES:,}",
                f"{usage.log / usage.commits:,.0f}",
            ]
            for kind, usage in usages.items()
        ],
    )
    for kind, usage in usages.items():
        by_size = sorted(usage.sizes.items(), key=lambda entry: -entry[1])
        report.table(
            f"{kind}: bytes a commit on disk, by table and index",
            ["table or index", "of table", "bytes"],
            [
                [name, usage.tables.get(name, ""), f"{size / usage.commits:,.0f}"]
                for name, size in by_size
                if size >= usage.commits
            ],
        )


if __name__ == "__main__":
    main()
