"""`scorm-bridge tokens`."""

from __future__ import annotations

import json
import re

import pytest

from bridge.access import TOKEN_CACHE_TTL, TOKEN_PREFIX
from storage import audit_log, lms
from storage.engine import open_engine, reading
from storage.lms import Lms
from tests.cli.conftest import Run, Script
from tests.support.bridge import Bridge

HOME = "https://lms.example.org/moodle"
CREATE = ("tokens", "create", "--lms", "moodle", "--home-page")
URL = "sqlite:///scorm-bridge.db"


def _owner(token: str, url: str = URL) -> Lms | None:
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return lms.by_token(connection, lms.digest(token))
    finally:
        engine.dispose()


def test_the_token_stands_alone_on_standard_output(run: Run, script: Script) -> None:
    """So that `TOKEN=$(scorm-bridge tokens create …)` works."""
    run("migrate")
    result = script(*CREATE, HOME)
    assert result.returncode == 0
    assert re.fullmatch(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stderr == ""
    owner = _owner(result.stdout.strip())
    assert owner is not None
    assert (owner.name, owner.home_page, owner.origins) == ("moodle", HOME, ("https://lms.example.org",))


def test_a_token_works_on_both_databases(run: Run, database_url: str) -> None:
    result = run(*CREATE, HOME, SCORM_BRIDGE_DATABASE__URL=database_url)
    assert result.exit_code == 0
    assert _owner(result.stdout.strip(), database_url) is not None


def test_every_token_is_another_one_and_the_earlier_ones_stay_valid(run: Run) -> None:
    run("migrate")
    tokens = {run(*CREATE, HOME).stdout.strip() for _ in range(3)}
    assert len(tokens) == 3
    owners = {_owner(token) for token in tokens}
    assert len(owners) == 1
    assert None not in owners


def test_origins_that_are_given_stand_in_for_that_of_the_home_page(run: Run) -> None:
    run("migrate")
    token = run(*CREATE, HOME, "--origin", "https://b.example", "--origin", "https://a.example").stdout.strip()
    owner = _owner(token)
    assert owner is not None
    assert owner.origins == ("https://a.example", "https://b.example")


def test_the_origin_of_a_home_page_keeps_its_port(run: Run) -> None:
    run("migrate")
    owner = _owner(run(*CREATE, "http://localhost:8000/lms/").stdout.strip())
    assert owner is not None
    assert owner.origins == ("http://localhost:8000",)


def test_another_home_page_is_refused_and_no_token_is_made(run: Run) -> None:
    run("migrate")
    run(*CREATE, HOME)
    result = run(*CREATE, "https://new.example.org")
    assert (result.exit_code, result.stdout) == (1, "")
    assert HOME in result.stderr
    assert "cannot be changed" in result.stderr


@pytest.mark.parametrize(
    "home_page", ["", "lms.example.org", "ftp://lms.example.org", "https://a b", "https://", "//x"]
)
def test_a_home_page_that_is_no_full_address_is_refused(run: Run, home_page: str) -> None:
    """Learners' accounts are made of it, and an LRS would refuse every statement."""
    run("migrate")
    result = run(*CREATE, home_page)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--home-page" in result.stderr


@pytest.mark.parametrize("missing", ["--lms", "--home-page"])
def test_what_is_missing_is_told(run: Run, missing: str) -> None:
    given = {"--lms": "moodle", "--home-page": HOME}
    del given[missing]
    result = run("tokens", "create", *(part for pair in given.items() for part in pair))
    assert (result.exit_code, result.stdout) == (2, "")
    assert missing in result.stderr


def test_on_a_database_that_was_not_migrated_it_says_what_to_do(run: Run) -> None:
    result = run(*CREATE, HOME)
    assert result.exit_code != 0
    assert result.stdout == ""
    assert "scorm-bridge migrate" in result.stderr


def test_a_database_that_does_not_answer_is_told_without_its_password(run: Run) -> None:
    result = run(*CREATE, HOME, SCORM_BRIDGE_DATABASE__URL="postgresql://bridge:canary-7c1e@127.0.0.1:1/bridge")
    assert result.exit_code != 0
    assert result.stdout == ""
    assert "database" in result.stderr
    assert "canary-7c1e" not in result.stderr


async def test_a_revoked_token_is_refused_by_a_running_bridge_and_the_others_are_not(
    bridge: Bridge, run: Run, database_url: str
) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    other = run(*CREATE, HOME, **environment).stdout.strip()
    listed = json.loads(run("tokens", "list", "--json", **environment).stdout)["items"]
    assert [(row["lms"], row["revoked_at"]) for row in listed] == [("lms", None), ("moodle", None)]
    for token in (bridge.token, other):
        assert (await bridge.get("/v1/enrollments", token=token))[0] == 200

    number = str(listed[0]["id"])
    assert run("tokens", "revoke", number, "--reason", "it leaked", "--by", "ada", **environment).exit_code == 0
    bridge.clock.advance(TOKEN_CACHE_TTL / 1000)
    assert (await bridge.get("/v1/enrollments"))[0] == 401
    assert (await bridge.get("/v1/enrollments", token=other))[0] == 200
    shown = json.loads(run("tokens", "list", "--json", **environment).stdout)["items"]
    assert [row["revoked_at"] is None for row in shown] == [False, True]
    with reading(bridge.engine) as connection:
        (act,) = audit_log.newest(connection)
    assert (act.by, act.action, act.subject, act.reason) == ("ada", "revoke-token", f"lms, token {number}", "it leaked")

    again = run("tokens", "revoke", number, "--reason", "once more", **environment)
    assert again.exit_code == 1
    assert f"no token {number} that could be revoked" in again.stderr
