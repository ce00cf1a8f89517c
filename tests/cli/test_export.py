"""`scorm-bridge export`: everything about one learner, nothing about others, the same bytes for the same data."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import delete, func, insert, select, text

from bridge.cli.options import current_user
from storage.engine import reading, writing
from storage.tables import audit_log, journal
from tests.cli.conftest import Run
from tests.support.bridge import Bridge
from tests.support.lrs import Lrs
from tests.support.sample_data import COMMENT, fill
from tests.support.sql import closing_engine

LEARNER = "u1"
TABLES = {
    "enrollments": "enrollment", "attempts": "attempt", "sessions": "session", "commits": "journal",
    "statements": "statement", "deliveries": "delivery",
}  # fmt: skip
"""Files of the zip, and the tables whose rows they have."""


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    with ZipFile(file) as archive:
        assert archive.testzip() is None
        return {
            name.removesuffix(".ndjson"): [json.loads(line) for line in archive.read(name).splitlines()]
            for name in archive.namelist()
            if name.endswith(".ndjson")
        }


def _bytes(file: str) -> bytes:
    return Path(file).read_bytes()


def _exists(file: str) -> bool:
    return Path(file).exists()


def _mode(file: str) -> int:
    return Path(file).stat().st_mode & 0o777


async def test_it_has_every_row_about_the_learner_and_none_about_others(
    bridge: Bridge, run: Run, database_url: str
) -> None:
    await fill(bridge)
    await bridge.commit({"core": {"lesson_location": "7"}}, learner={"id": LEARNER}, activity={"id": "236"})
    await bridge.close()
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    result = run("export", LEARNER, "-o", "u1.zip", "--reason", "she asked for it", "--json", **environment)
    assert result.exit_code == 0
    described = json.loads(result.stdout)

    files = _read(Path("u1.zip"))
    assert described["rows"] == {name: len(rows) for name, rows in files.items()}
    with closing_engine(database_url) as engine, reading(engine) as connection:
        owners = "SELECT id FROM enrollment WHERE learner_id = 'u1'"
        attempts = f"SELECT id FROM attempt WHERE enrollment_id IN ({owners})"
        conditions = {
            "enrollment": f"id IN ({owners})",
            "attempt": f"id IN ({attempts})",
            "session": f"attempt_id IN ({attempts})",
            "journal": f"session_id IN (SELECT session_id FROM session WHERE attempt_id IN ({attempts}))",
            "statement": f"attempt_id IN ({attempts})",
            "delivery": f"attempt_id IN ({attempts})",
        }
        for name, table in TABLES.items():
            stored = connection.execute(text(f"SELECT count(*) FROM {table} WHERE {conditions[table]}")).scalar_one()
            assert len(files[name]) == stored > 0
        entry = connection.execute(select(audit_log.c.by, audit_log.c.action, audit_log.c.subject)).one()
        assert tuple(entry) == (current_user(), "export", '{"learner":"u1"}')
    assert len(files["documents"]) >= 3
    assert {row["status"] for row in files["tries"]} == {200, 400}
    assert all(row["resource"] != "activities/profile" for row in files["documents"])
    (commit, _) = files["commits"]
    assert json.loads(commit["body"])["cmi"]["comments"] == COMMENT
    assert commit["response"]["session_id"] == commit["session_id"]
    assert commit["received_at"].endswith("Z")
    assert files["statements"][0]["body"]["actor"]["account"]["name"] == LEARNER
    with ZipFile("u1.zip") as archive:
        everything = b"".join(map(archive.read, archive.namelist())).decode()
    assert "HYPERLINK" not in everything
    assert "Ada" in everything
    assert _mode("u1.zip") == 0o600


async def test_the_same_data_gives_the_same_bytes(bridge: Bridge, run: Run, database_url: str) -> None:
    await fill(bridge)
    await bridge.close()
    for name in ("a.zip", "b.zip"):
        result = run("export", LEARNER, "-o", name, SCORM_BRIDGE_DATABASE__URL=database_url)
        assert result.exit_code == 0, name
        assert "personal data" in result.stderr, name
        with closing_engine(database_url) as engine, writing(engine) as connection:
            connection.execute(delete(audit_log))  # which has the export

    assert _bytes("a.zip") == _bytes("b.zip")


async def test_refused_requests_that_name_a_session_of_the_learner_are_in_it(
    bridge: Bridge, run: Run, database_url: str
) -> None:
    first = await bridge.commit({"core": {"lesson_location": "1"}})
    other = await bridge.commit({"core": {"lesson_location": "1"}}, learner={"id": "u2"})
    for answer in (first, other):
        status, _ = await bridge.post(f"/v1/sessions/{answer['session_id']}/commits", data=b"{no json")
        assert status == 400, answer
    body = {"learner": {"id": "u9"}, "activity": {"id": "235"}, "session_id": first["session_id"], "cmi": {}}
    assert (await bridge.post("/v1/commits", body))[0] in {409, 422}
    await bridge.close()
    assert run("export", "u1", "-o", "u1.zip", SCORM_BRIDGE_DATABASE__URL=database_url).exit_code == 0
    refusals = _read(Path("u1.zip"))["refusals"]
    assert refusals[0]["path"] == f"/v1/sessions/{first['session_id']}/commits"
    assert len(refusals) == 2
    assert other["session_id"] not in str(refusals)


async def test_only_one_lms_s_learner_is_exported_where_that_is_asked(
    bridge: Bridge, run: Run, database_url: str, lrs: Lrs
) -> None:
    await bridge.commit({"core": {"lesson_location": "1"}})
    await bridge.close()
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    other = run("tokens", "create", "--lms", "other", "--home-page", "https://other.example.org", **environment)
    assert other.exit_code == 0
    result = run("export", "u1", "--lms", "other", "-o", "u1.zip", **environment)
    assert result.exit_code == 1
    assert "Nothing is held about learner 'u1' at LMS 'other'." in result.stderr
    assert not _exists("u1.zip")
    assert run("export", "u1", "--lms", "lms", "-o", "u1.zip", **environment).exit_code == 0
    result = run("export", "u1", "-o", "u1.zip", **environment)
    assert result.exit_code == 1
    assert "not overwritten" in result.stderr


@pytest.mark.slow
async def test_memory_does_not_grow_with_what_is_held(bridge: Bridge, run: Run, database_url: str) -> None:
    """40 MB of commits are exported within 6 MB."""
    answer = await bridge.commit({"core": {"lesson_location": "1"}})
    with writing(bridge.engine) as connection:
        first = connection.execute(select(journal)).mappings().one()
        row = {name: value for name, value in first.items() if name not in {"id", "number", "body"}}
        connection.execute(
            insert(journal), [row | {"number": 2 + number, "body": b"x" * 20_000} for number in range(2_000)]
        )
    await bridge.close()
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    run("export", "u1", "-o", "first.zip", **environment)  # what is loaded once is loaded
    tracemalloc.start()
    try:
        assert run("export", "u1", "-o", "u1.zip", **environment).exit_code == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(_read(Path("u1.zip"))["commits"]) == 2_001
    assert peak < 6 * 1024 * 1024
    with closing_engine(database_url) as engine, reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(journal)).scalar_one() == 2_001
    assert answer["commit"] == 1
