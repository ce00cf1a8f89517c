"""`scorm-bridge keys`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bridge.browser_keys import KEY_PREFIX
from bridge.tap.script import load_script
from storage import audit_log, browser_keys
from storage.browser_keys import BrowserKey
from storage.engine import open_engine, reading
from tests.cli.conftest import Run, Script

CREATE = ("keys", "create", "--lms", "campus", "--origin")
PAGE = "https://lms.example.org"
URL = "sqlite:///scorm-bridge.db"


def _items(run: Run, **environment: str) -> Any:
    return json.loads(run("keys", "list", "--json", **environment).stdout)["items"]


def _stored(url: str = URL) -> list[BrowserKey]:
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return browser_keys.of_lms(connection)
    finally:
        engine.dispose()


def test_the_key_stands_alone_on_standard_output_and_the_line_for_pages_before_it(run: Run, script: Script) -> None:
    """So that `KEY=$(scorm-bridge keys create …)` works."""
    run("migrate")
    result = script(*CREATE, PAGE, SCORM_BRIDGE_SERVER__PUBLIC_URL="https://bridge.example.org")

    assert result.returncode == 0
    assert re.fullmatch(re.escape(KEY_PREFIX) + r"[A-Za-z0-9_-]{43}\n", result.stdout)
    assert load_script().element("https://bridge.example.org", result.stdout.strip()) in result.stderr


def test_a_key_has_what_it_was_created_with_on_both_databases(run: Run, database_url: str) -> None:
    result = run(
        *CREATE, PAGE, "--origin", "http://localhost:8000/", "--activity", "235", "--activity", "lessons/*",
        "--expires", "90d", SCORM_BRIDGE_DATABASE__URL=database_url,
    )  # fmt: skip
    assert result.exit_code == 0
    (item,) = _items(run, SCORM_BRIDGE_DATABASE__URL=database_url)
    assert item["key"] == result.stdout.strip()
    assert (item["lms"], item["status"], item["last_used_at"]) == ("campus", "valid", None)
    assert (item["origins"], item["activities"]) == (["http://localhost:8000", PAGE], ["235", "lessons/*"])
    (stored,) = _stored(database_url)
    assert stored.expires_at == stored.created_at + 90 * 86_400_000


def test_an_lms_that_is_new_has_the_first_origin_as_home_page_unless_one_is_given(run: Run) -> None:
    run("migrate")
    run(*CREATE, PAGE)
    run("keys", "create", "--lms", "other", "--origin", PAGE, "--home-page", "https://other.example.org/moodle")

    assert [key.lms.home_page for key in _stored()] == [PAGE, "https://other.example.org/moodle"]


def test_an_lms_that_is_known_stays_as_it_is(run: Run) -> None:
    """Its own origins get answers with credentials; those of its keys do not."""
    run("migrate")
    run("tokens", "create", "--lms", "campus", "--home-page", "https://campus.example.org")
    assert run(*CREATE, PAGE).exit_code == 0

    (key,) = _stored()
    assert (key.lms.home_page, key.lms.origins) == ("https://campus.example.org", ("https://campus.example.org",))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*CREATE, "*"), "origins that are named"),
        ((*CREATE, "lms.example.org"), "An origin is"),
        ((*CREATE, PAGE, "--activity", " "), "An activity is its id"),
        ((*CREATE, PAGE, "--activity", "a\nb"), "An activity is its id"),
        ((*CREATE, PAGE, "--home-page", "campus"), "A home page is"),
        (("keys", "revoke", "7", "--reason", "gone"), "There is no key 7"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_stored(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    run("migrate")
    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert _stored() == []


def test_a_key_is_revoked_once_with_a_reason(run: Run) -> None:
    run("migrate")
    run(*CREATE, PAGE)
    assert run("keys", "revoke", "1").exit_code == 2
    assert run("keys", "revoke", "1", "--reason", "the pages are gone").exit_code == 0
    again = run("keys", "revoke", "1", "--reason", "once more")
    assert (again.exit_code, _items(run)[0]["status"]) == (1, "revoked")
    assert "already" in again.stderr


def test_what_was_done_with_keys_is_in_the_audit_log(run: Run) -> None:
    run("migrate")
    run(*CREATE, PAGE, "--activity", "235", "--by", "ada")
    run("keys", "revoke", "1", "--reason", "the pages are gone", "--by", "ada")

    engine = open_engine(URL)
    with reading(engine) as connection:
        entries = audit_log.newest(connection)
    engine.dispose()

    assert [(entry.action, entry.subject) for entry in entries] == [
        ("revoke-browser-key", "campus, key 1"),
        ("create-browser-key", "campus, key 1"),
    ]
    assert f"for {PAGE}, activities 235" in entries[1].reason


def test_an_lms_without_learners_is_removed_with_its_keys(run: Run) -> None:
    run("migrate")
    run(*CREATE, PAGE)

    assert run("lms", "remove", "campus", "--yes").exit_code == 0
    assert _stored() == []


def test_a_table_of_keys_says_for_which_pages_they_are(run: Run) -> None:
    run("migrate")
    key = run(*CREATE, PAGE).stdout.strip()

    table = run("keys", "list").stdout

    assert key in table
    assert PAGE in table


def test_rules_for_ids_that_pages_say_are_changed_one_by_one(run: Run) -> None:
    run("migrate")
    run(*CREATE, PAGE)
    assert run("lms", "change", "campus", "--learner-pattern", "user-{id}", "--learner-trim").exit_code == 0
    assert run("lms", "change", "campus", "--learner-case", "lower", "--no-learner-trim").exit_code == 0

    (item,) = json.loads(run("lms", "list", "--json").stdout)["items"]
    assert item["learner_ids"] == {"trim": False, "pattern": "user-{id}", "case": "lower", "prefix": ""}
    refused = run("lms", "change", "campus", "--learner-pattern", "user")
    assert (refused.exit_code, "{id}" in refused.stderr) == (1, True)
