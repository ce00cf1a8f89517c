"""`scorm-bridge import`: what it asks, prints and records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main
from storage.engine import reading
from storage.process_lock import only_writer
from storage.tables import audit_log, journal
from tests.cli.conftest import Run
from tests.support.accounts import register_lms
from tests.support.sql import closing_engine

MAP = '[columns]\nlearner = "user"\nactivity = "sco"\nat = "at"\n[cmi]\n"cmi.core.lesson_status" = "status"\n'
ROWS = "user,sco,at,status\nada,235,2015-01-01T10:00:00Z,completed\nbob,235,never,failed\n"
COMMAND = ("import", "csv", "rows.csv", "--lms", "campus", "--map", "map.toml")


@pytest.fixture
def settings(sqlite_url: str) -> str:
    """Settings with a target and a database that has the LMS `campus`; rows and their map are in the directory."""
    with closing_engine(sqlite_url) as engine:
        register_lms(engine, "campus")
    Path("rows.csv").write_text(ROWS, encoding="utf-8")
    Path("map.toml").write_text(MAP, encoding="utf-8")
    return (
        f'[database]\nurl = "{sqlite_url}"\n'
        '[[targets]]\nname = "archive"\nendpoint = "https://lrs.example.org/xapi/"\nversion = "1.0.3"\n'
    )


def count(sqlite_url: str) -> int:
    """Return how many commits are stored."""
    with closing_engine(sqlite_url) as engine, reading(engine) as connection:
        return len(connection.execute(journal.select()).all())


def test_a_dry_run_shows_what_would_come_and_stores_nothing(run: Run, settings: str, sqlite_url: str) -> None:
    result = run(*COMMAND, "--dry-run", "--json", file=settings)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["dry_run"], report["rows"], report["attempts"], report["commits"]) == (True, 2, 1, 1)
    assert report["skipped"] == {"its time cannot be read": 1}
    assert [example["actor"]["account"]["name"] for example in report["examples"]] == ["ada", "ada"]
    assert count(sqlite_url) == 0


def test_without_yes_it_shows_and_asks(run: Run, settings: str, sqlite_url: str) -> None:
    Path("scorm-bridge.toml").write_text(settings, encoding="utf-8")

    declined = CliRunner().invoke(main, COMMAND, input="n\n")

    assert declined.exit_code == 1
    assert "attempts to import" in declined.output
    assert "Import this? [y/N]" in declined.output
    assert count(sqlite_url) == 0
    assert CliRunner().invoke(main, COMMAND, input="y\n").exit_code == 0
    assert count(sqlite_url) == 1


def test_it_is_recorded_in_the_audit_log_and_each_attempt_in_a_report(run: Run, settings: str, sqlite_url: str) -> None:
    result = run(*COMMAND, "--yes", "--by", "otto", "--report", "report.ndjson", file=settings)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in Path("report.ndjson").read_text(encoding="utf-8").splitlines()]
    assert [(line["key"], line["outcome"]) for line in lines] == [("line 3", "skipped"), ("ada/235", "imported")]
    with closing_engine(sqlite_url) as engine, reading(engine) as connection:
        (entry,) = connection.execute(audit_log.select()).all()
    assert (entry.by, entry.action, entry.subject, entry.affected) == ("otto", "import", "campus", 1)
    assert entry.reason == "1 commits from csv"


def test_the_history_of_an_erased_learner_stays_out(run: Run, settings: str, sqlite_url: str) -> None:
    assert run(*COMMAND, "--yes", file=settings).exit_code == 0
    assert run("erase", "ada", "--yes", file=settings).exit_code == 0
    assert count(sqlite_url) == 0

    result = run(*COMMAND, "--yes", "--json", "--report", "report.ndjson", file=settings)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in Path("report.ndjson").read_text(encoding="utf-8").splitlines()]
    (line,) = (line for line in lines if line["key"] == "ada/235")
    assert (line["outcome"], line["commits"], line["refused"]) == ("refused", 0, 1)
    assert "This learner was erased here" in line["reason"]
    assert json.loads(result.stdout)["refused"] == {line["reason"]: 1}
    assert count(sqlite_url) == 0


def test_beside_a_bridge_that_serves_it_rests(
    run: Run, settings: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("bridge.cli.imports.time.sleep", waits.append)

    with only_writer(sqlite_url):
        assert run(*COMMAND, "--yes", file=settings).exit_code == 0

    assert waits
    assert min(waits) > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "csv", "rows.csv", "--lms", "campus"), "--map is needed; --suggest prints one to begin with."),
        (("import", "csv", "rows.csv", "--map", "map.toml"), "--lms is needed"),
        ((*COMMAND[:4], "nobody", *COMMAND[5:]), "nobody"),
        ((*COMMAND, "--target", "other"), "other: no such target; there are archive."),
        (("import", "moodle", ".", "--lms", "campus", "--map", "map.toml"), "--map goes with csv and ndjson"),
        (("import", "moodle", "rows.csv", "--lms", "campus"), "There is no table scorm_scoes_track"),
        (("import", "scorm-cloud", "rows.csv", "--lms", "campus"), "lacks the columns id"),
        (("import", "oracle", "rows.csv", "--lms", "campus"), "is not one of"),
    ],
)
def test_what_is_wrong_is_told_in_words(arguments: tuple[str, ...], words: str, run: Run, settings: str) -> None:
    result = run(*arguments, "--yes", file=settings)

    assert result.exit_code in {1, 2}
    assert words in result.output


def test_a_map_is_suggested_without_a_database(run: Run, settings: str) -> None:
    result = run("import", "csv", "rows.csv", "--suggest", file='[database]\nurl = "sqlite:///nowhere/x.db"\n')

    assert result.exit_code == 0, result.output
    assert 'learner = "user"\nactivity = "sco"\n' in result.stdout
