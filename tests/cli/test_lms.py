"""`scorm-bridge lms`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from storage import audit_log, tables
from storage.audit_log import AuditEntry
from storage.engine import open_engine, reading
from tests.cli.conftest import Run
from tests.support.bridge import Bridge

HOME = "https://lms.example.org/moodle"
CREATE = ("tokens", "create", "--lms", "moodle", "--home-page", HOME)
URL = "sqlite:///scorm-bridge.db"


def _items(run: Run, **environment: str) -> Any:
    return json.loads(run("lms", "list", "--json", **environment).stdout)["items"]


def _newest_act(url: str = URL) -> AuditEntry:
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return audit_log.newest(connection)[0]
    finally:
        engine.dispose()


async def test_lmss_are_listed_with_what_they_have(bridge: Bridge, run: Run, database_url: str) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    run(*CREATE, **environment)
    run("tokens", "rotate", "2", "--overlap", "0s", **environment)
    await bridge.commit({"core": {"lesson_status": "passed"}})
    first, second = _items(run, **environment)

    assert (first["name"], first["tokens"], first["enrollments"]) == ("lms", 1, 1)
    assert first["last_commit_at"] == "2026-01-01T00:00:00.000Z"
    assert second | {"created_at": ""} == {
        "name": "moodle",
        "home_page": HOME,
        "origins": ["https://lms.example.org"],
        "learner_ids": {"trim": False, "pattern": "", "case": "keep", "prefix": ""},
        "tokens": 1,
        "enrollments": 0,
        "enrollments_is_lower_bound": False,
        "created_at": "",
        "last_request_at": None,
        "last_commit_at": None,
    }
    assert "moodle" in run("lms", "list", **environment).stdout


def test_where_there_is_none_it_says_how_to_make_one(run: Run) -> None:
    run("migrate")
    result = run("lms", "list")

    assert result.stdout == ""
    assert "tokens create --lms" in result.stderr


def test_origins_are_added_and_removed(run: Run) -> None:
    run("migrate")
    run(*CREATE)
    added = ("--origin", "https://A.example/", "--origin", "http://b.example:80")
    result = run(
        "lms",
        "change",
        "moodle",
        *added,
        "--remove-origin",
        "https://lms.example.org",
        "--by",
        "ada",
        "--reason",
        "move",
    )
    assert result.exit_code == 0
    assert _items(run)[0]["origins"] == ["http://b.example", "https://a.example"]
    act = _newest_act()
    assert (act.by, act.action, act.subject) == ("ada", "change-lms", "moodle")
    assert act.reason == "added http://b.example, added https://a.example, removed https://lms.example.org; move"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--origin", "nonsense"), "An origin is a scheme and a host"),
        (("--origin", "https://lms.example.org/"), "changes nothing"),
        (("--remove-origin", "https://b.example"), "does not have the origin https://b.example"),
        (("--home-page", "nonsense"), "A home page is a full address"),
        ((), "changes nothing"),
    ],
)
def test_what_cannot_be_changed_is_refused_in_words(run: Run, options: tuple[str, ...], words: str) -> None:
    run("migrate")
    run(*CREATE)
    before = _items(run)
    result = run("lms", "change", "moodle", *options)

    assert (result.exit_code, words in result.stderr) == (1, True)
    assert _items(run) == before


def test_the_home_page_changes_while_there_are_no_learners(run: Run) -> None:
    run("migrate")
    run(*CREATE)

    assert run("lms", "change", "moodle", "--home-page", "https://new.example.org").exit_code == 0
    assert _items(run)[0]["home_page"] == "https://new.example.org"
    assert "home page https://lms.example.org/moodle -> https://new.example.org" in _newest_act().reason


async def test_the_home_page_of_learners_stays_and_an_lms_with_data_is_not_removed(
    bridge: Bridge, run: Run, database_url: str
) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    await bridge.commit({"core": {"lesson_status": "passed"}})
    before = _items(run, **environment)
    changed = run("lms", "change", "lms", "--home-page", "https://new.example.org", **environment)
    assert (changed.exit_code, "other people" in changed.stderr) == (1, True)
    removed = run("lms", "remove", "lms", "--yes", **environment)
    assert (removed.exit_code, removed.stdout) == (1, "")
    assert "lms has 1 enrollments, 1 attempts, 1 sessions, 1 commits, 3 statements" in removed.stderr
    assert _items(run, **environment) == before
    assert (await bridge.get("/v1/enrollments"))[0] == 200


async def test_an_lms_is_removed_with_its_data_once_that_is_asked_for_and_confirmed(
    bridge: Bridge, run: Run, database_url: str
) -> None:
    """Another LMS keeps all it has, and sessions of the removed one are known no longer."""
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    kept = run(*CREATE, **environment).stdout.strip()
    for learner in ("u1", "u2"):
        await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": learner, "name": "Ada"})
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"core": {"lesson_status": "passed"}}}
    assert (await bridge.post("/v1/commits", body, token=kept))[0] == 200
    opened = await bridge.open()
    await bridge.let_documents_follow()
    refused = run("lms", "remove", "lms", "--with-data", **environment)
    assert (refused.exit_code, "Remove lms and its tokens with 2 enrollments" in refused.stderr) == (1, True)
    assert (await bridge.get("/v1/enrollments"))[0] == 200

    result = run("lms", "remove", "lms", "--with-data", "--yes", "--by", "ada", "--reason", "closed", **environment)
    assert (result.exit_code, "Removed lms with 2 enrollments" in result.stderr) == (0, True)
    assert [(row["name"], row["enrollments"]) for row in _items(run, **environment)] == [("moodle", 1)]
    act = _newest_act(database_url)
    assert (act.by, act.action, act.subject) == ("ada", "remove-lms", "lms")
    with reading(bridge.engine) as connection:
        for table in (tables.enrollment, tables.attempt, tables.session, tables.journal):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 1
    path = "/" + opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    status, answer = await bridge.post(path, {"cmi": {"core": {"lesson_status": "passed"}}}, token=None)
    assert (status, answer["code"]) == (404, "session-unknown")
    assert (await bridge.post("/v1/commits", body, token=kept))[0] == 200


def test_an_lms_without_data_is_removed_with_its_tokens_once_that_is_confirmed(run: Run) -> None:
    run("migrate")
    run(*CREATE)
    assert run("lms", "remove", "moodle").exit_code == 1
    assert [row["name"] for row in _items(run)] == ["moodle"]
    assert run("lms", "remove", "moodle", "--yes", "--by", "ada").exit_code == 0
    assert _items(run) == []
    assert json.loads(run("tokens", "list", "--json").stdout)["items"] == []
    act = _newest_act()
    assert (act.by, act.action, act.subject) == ("ada", "remove-lms", "moodle")


@pytest.mark.parametrize("command", [("change", "--origin", "https://a.example"), ("remove", "--yes")])
def test_an_lms_that_is_not_there_is_named(run: Run, command: tuple[str, ...]) -> None:
    run("migrate")
    result = run("lms", command[0], "nobody", *command[1:])

    assert (result.exit_code, "There is no LMS nobody" in result.stderr) == (1, True)
