"""`scorm-bridge report`: every row once, in each format, as of one moment, and as pages and the API show it."""

from __future__ import annotations

import csv
import io
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet
import pytest
from sqlalchemy import insert, select, text

from bridge.cli.options import current_user
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.reports import formats, report
from bridge.reports.formats import ReportFormat
from bridge.reports.report import ReportRequest, write_report
from bridge.reports.report_rows import VIEWS, ReportKind
from mappings.cmi.times import duration
from mappings.generation.target_forms import PseudonymKey
from storage.engine import reading, writing
from storage.erasures import Later
from storage.queries.learner_data import Learner
from storage.tables import attempt, audit_log
from tests.cli.conftest import Run
from tests.support.accounts import START, add_account
from tests.support.bridge import Bridge
from tests.support.browser import new_visitor
from tests.support.report_data import SAFETY, fill_reports, old
from tests.support.sql import scalar

Report = Callable[..., Any]
Rows = list[dict[str, Any]]

COUNTS = {"enrollments": "enrollment", "attempts": "attempt", "statements": "statement"}
KEY = "k" * 32
PSEUDONYMS = (
    '[[targets]]\nname = "research"\nendpoint = "https://lrs.example.org/xapi"\nactor = "pseudonym"\n'
    "free_text = false\n"
    '[[targets.pseudonym_keys]]\nid = "k1"\nkey_env = "KEY"\n'
)


@pytest.fixture
def write(run: Run, database_url: str) -> Report:
    """Write a report into `out.FORMAT` or where options say, and return its summary."""

    def runner(kind: str, *options: str, form: str = "ndjson", **settings: Any) -> Any:
        output = () if "-o" in options else ("-o", f"out.{form}", "--replace")
        result = run(
            "report", kind, "--format", form, *output, *options, "--json",
            SCORM_BRIDGE_DATABASE__URL=database_url, **settings,
        )  # fmt: skip
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return runner


def _content(path: str) -> str:
    return Path(path).read_bytes().decode()


def _read(path: str = "out.ndjson") -> Rows:
    return [json.loads(line) for line in _content(path).splitlines()]


def _shown(score: dict[str, float] | None) -> list[float | None]:
    return [(score or {}).get(part) for part in ("scaled", "raw", "min", "max")]


async def test_every_row_is_in_it_once(bridge: Bridge, write: Report) -> None:
    await fill_reports(bridge)
    for kind, table in COUNTS.items():
        summary = write(kind)
        assert summary["rows"] == len(_read()) == scalar(bridge, f"SELECT count(*) FROM {table}") > 0, kind
    summary = write("interactions")

    assert summary["rows"] == len(_read()) == 6
    assert (summary["learners"], summary["files"][0]["rows"]) == ("by id", 6)
    assert scalar(bridge, "SELECT count(*) FROM audit_log WHERE action = 'report'") == 4


async def test_it_says_what_the_api_says(bridge: Bridge, write: Report) -> None:
    await fill_reports(bridge)
    _, answer = await bridge.get("/v1/enrollments")
    write("enrollments", "--names")
    rows = {row["registration"]: row for row in _read()}
    assert len(answer["enrollments"]) == len(rows) == 5
    for shown in answer["enrollments"]:
        row = rows[shown["registration"]]
        assert [row["learner_id"], row["learner_name"]] == [shown["learner"]["id"], shown["learner"]["name"]]
        assert [row["activity_id"], row["activity_name"]] == [shown["activity"]["id"], shown["activity"]["name"]]
        assert [row["course_id"], row["course_name"]] == [shown["course"]["id"], shown["course"]["name"]]
        assert [row[f"best_score_{part}"] for part in ("scaled", "raw", "min", "max")] == _shown(shown["best_score"])
        assert duration(round(row["total_time_seconds"] * 100)) == shown["total_time"]
        for name in ("total_attempts", "completion_status", "success_status", "first_commit_at", "last_commit_at"):
            assert row[name] == shown[name], name
    write("attempts")
    for row in _read():
        _, answer = await bridge.get(f"/v1/attempts/{row['attempt_id']}")
        shown = answer["attempt"]
        assert [row[f"score_{part}"] for part in ("scaled", "raw", "min", "max")] == _shown(shown["score"])
        assert [row["started_at"], row["last_commit_at"]] == [answer["started_at"], answer["last_commit_at"]]
        assert [row["attempt_number"], row["status"]] == [shown["number"], shown["status"]]
        for name in ("scorm_version", "completion_status", "success_status", "progress_measure"):
            assert row[name] == shown[name], name


async def test_it_has_the_statements_of_the_pages(bridge: Bridge, write: Report) -> None:
    await fill_reports(bridge)
    add_account(bridge.engine, "otto", "auditor")
    visitor = new_visitor(bridge.url)
    await visitor.sign_in("otto")
    pages = [json.loads(line) for line in (await visitor.text("/audit/statements.ndjson")).splitlines()]
    await visitor.close()
    write("statements")
    rows = _read()

    names = ("created_at", "rule", "lms", "learner_id", "activity_id", "attempt_id", "session_id", "commit_number")

    assert {(row["statement_id"], row["verb_id"], *(row[name] for name in names)) for row in rows} == {
        (row["id"], row["verb"], *(row[name] for name in names)) for row in pages
    }
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)


@pytest.mark.parametrize("kind", ReportKind)
async def test_each_format_has_the_same_rows(bridge: Bridge, write: Report, kind: ReportKind) -> None:
    await fill_reports(bridge)
    for form in ("ndjson", "csv", "parquet"):
        write(kind.value, form=form)
    rows = _read()
    table = pyarrow.parquet.read_table("out.parquet")
    parquet = [
        {name: _text(value) if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    cells = list(csv.DictReader(io.StringIO(_content("out.csv").removeprefix("\ufeff"), newline="")))

    assert parquet == rows != []
    assert [*cells] == [{name: _as_cell(value) for name, value in row.items()} for row in rows]


def _text(value: Any) -> str:
    return str(value.isoformat(timespec="milliseconds")).replace("+00:00", "Z")


def _as_cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, str) and value[:1] in {"=", "-"}:
        return f"'{value}"
    return "" if value is None else str(value)


async def test_a_directory_has_a_file_for_each_month_that_tools_read_as_one_table(
    bridge: Bridge, write: Report
) -> None:
    await fill_reports(bridge)
    summary = write("attempts", "-o", "lake", form="parquet")
    table = pyarrow.dataset.dataset("lake/attempts", partitioning="hive").to_table()
    months = {row["month"]: row["rows"] for row in summary["files"]}

    assert months == {"2026-01": 4, "2026-02": 1}
    assert sorted(table["month"].to_pylist()) == ["2026-01"] * 4 + ["2026-02"]
    assert {row["file"] for row in summary["files"]} == {
        f"lake/attempts/month={month}/attempts.parquet" for month in months
    }
    assert oct(_mode("lake/attempts/month=2026-01/attempts.parquet")) == "0o600"


def _mode(path: str) -> int:
    return Path(path).stat().st_mode & 0o777


async def test_a_month_has_the_rows_of_that_month(bridge: Bridge, write: Report) -> None:
    await fill_reports(bridge)
    for kind, january in (("enrollments", 4), ("attempts", 4), ("interactions", 5)):
        assert write(kind, "--month", "2026-01")["rows"] == january, kind
        assert write(kind, "--month", "2026-02")["rows"] == 1, kind
        assert write(kind, "--month", "2025-12")["rows"] == 0, kind
        assert write(kind, "--month", "2026-01", "--course", "c2")["rows"] == 1, kind
        assert write(kind, "--since", "2026-01-06", "--until", "2026-01-14", "--lms", "lms")["rows"] == 2, kind
    months = [write("statements", "--month", month)["rows"] for month in ("2026-01", "2026-02")]

    assert sum(months) == scalar(bridge, "SELECT count(*) FROM statement")
    assert min(months) > 0


@pytest.mark.parametrize("kind", ReportKind)
async def test_a_parquet_file_has_its_schema_with_and_without_rows(
    bridge: Bridge, write: Report, kind: ReportKind
) -> None:
    await fill_reports(bridge)
    write(kind.value, "--month", "2026-01", "-o", "lake", form="parquet")
    write(kind.value, "--month", "2025-12", "-o", "lake", form="parquet")
    full, empty = (
        pyarrow.parquet.read_table(f"lake/{kind.value}/month={month}/{kind.value}.parquet", partitioning=None)
        for month in ("2026-01", "2025-12")
    )

    assert full.num_rows > empty.num_rows == 0
    assert full.schema == empty.schema
    assert full.schema.names == [column.name for column in VIEWS[kind].columns]
    assert not [field for field in full.schema if pyarrow.types.is_null(field.type)]


async def test_it_is_of_one_moment_and_holds_no_commit_up(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_reports(bridge)
    monkeypatch.setattr("storage.queries.report_rows.BATCH_SIZE", 2)
    before = scalar(bridge, "SELECT count(*) FROM attempt")
    seen: list[int] = []

    def commit_meanwhile(rows: int) -> None:
        with writing(bridge.engine) as connection:
            connection.execute(text("UPDATE attempt SET status = 'abandoned'"))
            first = dict(connection.execute(select(attempt).order_by(attempt.c.id)).mappings().first() or {})
            row = first | {"id": 1_000 + len(seen), "number": 100 + rows, "uuid": f"00000000-0000-4000-9000-{rows:012}"}
            connection.execute(insert(attempt).values(row))
        seen.append(rows)

    (file,) = write_report(
        bridge.engine,
        ReportRequest(ReportKind.ATTEMPTS, ReportFormat.NDJSON, tmp_path / "one.ndjson"),
        pause=commit_meanwhile,
    )

    assert seen == [2, 4, 5]
    assert file.rows == before == 5
    assert {row["status"] for row in _read(str(tmp_path / "one.ndjson"))} != {"abandoned"}
    assert scalar(bridge, "SELECT count(*) FROM attempt WHERE status = 'abandoned'") == 8


async def test_learners_have_the_pseudonyms_that_the_target_knows(
    bridge: Bridge, write: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    await fill_reports(bridge)
    home_page, key = scalar(bridge, "SELECT home_page FROM lms"), PseudonymKey("k1", KEY.encode())
    pseudonyms = {key.pseudonym(home_page, f"u{number}") for number in range(1, 5)}
    for kind in ReportKind:
        summary = write(kind.value, "--pseudonyms", "research", file=PSEUDONYMS)
        assert {row["learner_id"] for row in _read()} <= pseudonyms, kind
        assert '"u1"' not in _content("out.ndjson"), kind
        assert summary["learners"] == "by pseudonym as research knows them", kind
    write("interactions", "--pseudonyms", "research", file=PSEUDONYMS)

    assert [row["learner_response"] for row in _read()] == ["a", None, "b", None, "c", "a"]


async def test_what_was_erased_leaves_the_files_that_are_replaced(bridge: Bridge, write: Report) -> None:
    await fill_reports(bridge)
    assert len(write("attempts", "-o", "lake")["files"]) == 2
    context = AuditContext("me", "asked for it", START)
    erase_learner(
        bridge.engine,
        ErasureRequest(Learner("u4"), Later.ACCEPT, {}, context),
        now=bridge.clock,
        new_id=lambda: "00000000-0000-4000-a000-000000000001",
    )
    summary = write("attempts", "-o", "lake", "--replace")
    assert [(row["month"], row["rows"]) for row in summary["files"]] == [("2026-01", 4), ("2026-02", 0)]
    assert _read("lake/attempts/month=2026-02/attempts.ndjson") == []


async def test_the_audit_log_says_who_wrote_what(bridge: Bridge, write: Report) -> None:
    await fill_reports(bridge)
    write("attempts", "--names", "--month", "2026-01", "--course", "c1", "--reason", "yearly report")
    with reading(bridge.engine) as connection:
        entry = connection.execute(select(audit_log)).mappings().one()

    assert (entry["by"], entry["action"], entry["subject"], entry["affected"]) == (
        current_user(),
        "report",
        "attempts",
        3,
    )
    assert entry["reason"] == (
        "learners by id and name, format ndjson, since 2026-01-01T00:00:00.000Z, until 2026-02-01T00:00:00.000Z,"
        " course c1; yearly report"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "there.csv"), "there.csv exists already"),
        (("-o", "x.csv", "--lms", "nobody"), "There is no LMS 'nobody'; there are none."),
        (("-o", "lake", "--since", "2026-01-15"), "begin and end with the first of a month"),
        (("-o", "missing/x.csv"), "missing is not a directory"),
        (("-o", "x.csv", "--pseudonyms", "research"), 'has actor = "pseudonym"'),
        (("-o", "x.csv", "--month", "2026-13"), "is not a month"),
        (("-o", "x.csv", "--month", "2026-12", "--since", "2026-12-01"), "--month goes without"),
        (("-o", "x.csv", "--names", "--pseudonyms", "research"), "--names goes without"),
    ],
)
def test_what_does_not_go_says_why(run: Run, sqlite_url: str, options: tuple[str, ...], words: str) -> None:
    Path("there.csv").touch()
    result = run("report", "attempts", "--format", "csv", *options, SCORM_BRIDGE_DATABASE__URL=sqlite_url)

    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert {path.name for path in Path().iterdir() if not path.name.startswith("bridge.db")} == {"there.csv"}


def test_parquet_says_which_package_it_needs(run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    options = ("report", "attempts", "--month", "2026-01", "--format")
    result = run(*options, "parquet", "-o", "x.parquet", SCORM_BRIDGE_DATABASE__URL=sqlite_url)

    assert result.exit_code == 1
    assert "pip install 'scorm-xapi-bridge[reports]'" in result.stderr
    assert run(*options, "csv", "-o", "x.csv", SCORM_BRIDGE_DATABASE__URL=sqlite_url).exit_code == 0


@pytest.mark.parametrize("form", ReportFormat)
async def test_memory_does_not_grow_with_the_rows(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: ReportFormat
) -> None:
    """3,000 rows of some 2 kB take less than 4 MB, also where they are of many months."""
    monkeypatch.setattr(formats, "ROW_GROUP_ROWS", 200)
    monkeypatch.setattr(report, "MAX_PENDING_ROWS", 500)
    await bridge.commit(old("passed", "90"), **SAFETY)
    with writing(bridge.engine) as connection:
        first = dict(connection.execute(select(attempt)).mappings().one())
        connection.execute(text("UPDATE enrollment SET activity_name = :name"), {"name": "n" * 2_000})
        rows = [
            first | {"id": 10 + number, "number": 10 + number, "uuid": f"00000000-0000-4000-9000-{number:012}",
                     "started_at": START + number % 24 * 31 * 86_400_000}
            for number in range(3_000)
        ]  # fmt: skip
        connection.execute(insert(attempt), rows)
    rows.clear()
    request = ReportRequest(ReportKind.ATTEMPTS, form, tmp_path / "lake", is_directory=True)
    tracemalloc.start()
    try:
        files = write_report(bridge.engine, request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sum(file.rows for file in files) == 3_001
    assert len(files) >= 24
    assert peak < 4 * 1024 * 1024
