"""Importing through the code of live commits: at original times, once, whatever stops it, with live ones beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.imports.sources.column_map import ColumnMap
from bridge.settings import TargetSettings
from storage import erasures
from storage.engine import writing
from tests.imports.conftest import DIGEST_KEY, Importing, importing
from tests.support import replay
from tests.support.accounts import register_lms
from tests.support.bridge import StartBridge
from tests.support.mapping import DEFAULT

MAP = ColumnMap(
    {"learner": "user", "activity": "sco", "attempt": "attempt", "at": "at"},
    {"scorm_version": "1.2"},
    {"cmi.core.lesson_status": "status", "cmi.core.score.raw": "raw", "cmi.core.session_time": "time"},
)
HEADER = "user,sco,attempt,at,status,raw,time"
ROWS = [
    "u1,235,1,2014-05-01T09:00:00Z,incomplete,,00:01:00",
    "u1,235,1,2014-05-01T09:30:00Z,failed,20,00:31:00",
    "u1,235,2,2016-02-29T09:00:00Z,passed,90,00:10:00",
    "u2,235,1,2014-05-02T09:00:00+02:00,incomplete,,00:02:00",
]


def write(path: Path, rows: list[str]) -> Path:
    """Write rows as CSV."""
    path.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of some learners' commits, in no order."""
    return write(tmp_path / "rows.csv", ROWS[::-1])


def everything(import_history: Importing) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows that an import may add or change."""
    names = ("enrollment", "attempt", "session", "journal", "statement", "delivery")
    return {name: sorted(import_history.rows(f"SELECT * FROM {name}"), key=str) for name in names}


def test_each_commit_is_stored_at_its_own_time(import_history: Importing, rows: Path) -> None:
    report = import_history("csv", rows, MAP)
    assert (report.attempts, report.commits, report.present) == (3, 4, 0)
    times = {(who, rule): json.loads(body)["timestamp"] for who, rule, body in import_history.statements()}
    assert times["u1", "passed"] == "2016-02-29T09:00:00.000Z"
    assert times["u1", "failed"] == "2014-05-01T09:30:00.000Z"
    assert times["u2", "initialized"] == "2014-05-02T07:00:00.000Z"


def test_a_source_that_says_nothing_of_ends_is_told_without_any(import_history: Importing, rows: Path) -> None:
    import_history("csv", rows, MAP)

    rules = {rule for _, rule, _ in import_history.statements()}

    assert not rules & {"terminated", "suspended", "abandoned"}


def test_importing_again_adds_and_changes_nothing(import_history: Importing, rows: Path) -> None:
    import_history("csv", rows, MAP)
    before = everything(import_history)

    report = import_history("csv", rows, MAP)

    assert (report.attempts, report.commits, report.present) == (0, 0, 4)
    assert {line.outcome for line in import_history.lines} == {"present"}
    assert everything(import_history) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_same_history_makes_the_same_statements_in_every_database(
    import_history: Importing, import_once: Importing, rows: Path
) -> None:
    import_history("csv", rows, MAP)
    import_once("csv", rows, MAP)

    assert import_once.statements() == import_history.statements()


def test_a_replay_of_the_journal_tells_what_the_import_told(import_history: Importing, rows: Path) -> None:
    import_history("csv", rows, MAP)

    assert replay.replayed(import_history.engine, DEFAULT) == replay.stored(import_history.engine)


def test_a_dry_run_counts_the_same_and_stores_nothing(import_history: Importing, rows: Path) -> None:
    empty = everything(import_history)

    dry = import_history("csv", rows, MAP, dry_run=True)
    assert everything(import_history) == empty
    real = import_history("csv", rows, MAP)
    assert (dry.rows, dry.attempts, dry.commits, dry.statements) == (
        real.rows, real.attempts, real.commits, real.statements,
    )  # fmt: skip
    assert json.loads(dry.examples[0])["verb"]["display"]["en-US"] == "initialized"


def test_what_cannot_be_imported_is_told_with_its_reason(import_history: Importing, tmp_path: Path) -> None:
    path = write(
        tmp_path / "rows.csv",
        [*ROWS[:1], "u3,235,1,yesterday,passed,,", "u4,235,1,2014-05-01T09:00:00Z,,,", "u5,235,x,2014-05-01,passed,,",
         f"{'u' * 1001},235,1,2014-05-01,passed,,"],
    )  # fmt: skip

    report = import_history("csv", path, MAP)

    assert report.attempts == 1
    assert dict(report.skipped) == {
        "its time cannot be read": 1,
        "it has no CMI data": 1,
        "its attempt is no number from 1": 1,
        "learner.id is longer than 1000 bytes.": 1,
    }


@pytest.mark.parametrize("is_dry", [True, False])
def test_an_erased_learner_is_refused_and_each_attempt_says_so(
    import_history: Importing, rows: Path, *, is_dry: bool
) -> None:
    with writing(import_history.engine) as connection:
        digest = erasures.learner_digest(DIGEST_KEY, import_history.lms_id, "u1")
        erasures.refuse(connection, {import_history.lms_id: digest})

    report = import_history("csv", rows, MAP, dry_run=is_dry)

    ((reason, number),) = report.refused.items()
    assert "This learner was erased here" in reason
    assert (number, report.attempts, report.commits, dict(report.skipped)) == (3, 1, 1, {})
    assert {line.key: line[1:] for line in import_history.lines} == {
        "u1/235/1": ("refused", 0, 2, reason),
        "u1/235/2": ("refused", 0, 1, reason),
        "u2/235/1": ("imported", 1, 0, ""),
    }
    stored = [] if is_dry else [("u2",)]
    assert import_history.rows("SELECT learner_id FROM enrollment") == stored


def test_of_an_attempt_some_of_whose_commits_are_refused_the_others_are_stored_and_both_are_told(
    import_history: Importing, tmp_path: Path
) -> None:
    sessions = [f"3c0f4a52-8d8e-4b39-8f7e-0d9c6f7f000{number}" for number in range(2)]
    path = tmp_path / "rows.csv"
    by_session = ColumnMap(MAP.columns | {"session": "session"}, MAP.constants, MAP.cmi)
    path.write_text(f"session,{HEADER}\n{sessions[1]},{ROWS[3]}\n", encoding="utf-8")
    import_history("csv", path, by_session)
    # the other session is another learner's
    lines = [f"{session},{row}" for session, row in zip(sessions, ROWS, strict=False)]
    path.write_text("\n".join((f"session,{HEADER}", *lines)) + "\n", encoding="utf-8")

    report = import_history("csv", path, by_session)

    (line,) = import_history.lines
    assert (line.outcome, line.commits, line.refused) == ("partial", 1, 1)
    assert dict(report.refused) == {line.reason: 1}
    assert (report.attempts, report.commits) == (1, 1)
    stored = import_history.rows(
        "SELECT count(*) FROM journal j JOIN session s ON s.session_id = j.session_id JOIN attempt a ON"
        " a.id = s.attempt_id JOIN enrollment e ON e.id = a.enrollment_id WHERE e.learner_id = 'u1'"
    )
    assert stored == [(1,)]


def test_deliveries_go_to_the_targets_that_are_asked_for(database_url: str, rows: Path) -> None:
    target = TargetSettings(name="archive", endpoint="https://lrs.example.org/xapi/")
    for import_to_one in importing(database_url, (target,)):
        import_to_one("csv", rows, MAP)

        assert {row[0] for row in import_to_one.rows("SELECT target FROM delivery")} == {"archive"}
        assert {row[0] for row in import_to_one.rows("SELECT target FROM document_delivery")} == {"archive"}


async def test_a_learner_goes_on_live_where_the_history_ends(
    import_history: Importing, rows: Path, start: StartBridge
) -> None:
    import_history("csv", rows, MAP)
    bridge = await start(token=register_lms(import_history.engine).token)

    opened = await bridge.open(learner={"id": "u2"}, scorm_version="1.2")
    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (1, "resume")
    await bridge.commit({"core": {"lesson_status": "completed"}}, learner={"id": "u2"}, session_id=opened["session_id"])
    other = await bridge.commit({"core": {"lesson_status": "incomplete"}}, learner={"id": "u1"})
    assert other["attempt"]["number"] == 3
    assert bridge.rules("u2") == ["initialized", "resumed", "completed"]


async def test_a_live_commit_without_a_session_begins_one_of_its_own(
    import_history: Importing, rows: Path, start: StartBridge
) -> None:
    import_history("csv", rows, MAP)
    imported = {row[0] for row in import_history.rows("SELECT session_id FROM session")}
    bridge = await start(token=register_lms(import_history.engine).token)

    answer = await bridge.commit({"core": {"lesson_status": "completed"}}, learner={"id": "u2"})

    assert answer["session_id"] not in {str(session_id) for session_id in imported}


async def test_an_imported_session_that_speaks_again_is_live_from_then_on(
    import_history: Importing, tmp_path: Path, start: StartBridge
) -> None:
    session_id = "3c0f4a52-8d8e-4b39-8f7e-0d9c6f7f0001"
    path = tmp_path / "rows.csv"
    path.write_text(f"session,{HEADER}\n{session_id},{ROWS[3]}\n", encoding="utf-8")
    import_history("csv", path, ColumnMap(MAP.columns | {"session": "session"}, MAP.constants, MAP.cmi))
    bridge = await start(token=register_lms(import_history.engine).token)

    await bridge.commit({"core": {"lesson_status": "completed"}}, learner={"id": "u2"}, session_id=session_id)

    assert import_history.rows("SELECT source FROM session") == [("server",)]


async def test_an_attempt_that_live_commits_began_is_left_alone(
    import_history: Importing, rows: Path, start: StartBridge
) -> None:
    bridge = await start(token=register_lms(import_history.engine).token)
    await bridge.commit({"core": {"lesson_status": "incomplete"}}, learner={"id": "u2"})

    report = import_history("csv", rows, MAP)

    assert (report.attempts, sum(report.skipped.values())) == (2, 1)
    assert bridge.rules("u2") == ["initialized"]
