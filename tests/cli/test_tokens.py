"""`scorm-bridge tokens`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bridge.access import TOKEN_PREFIX
from bridge.token_monitor import TOKEN_INTERVAL
from storage import audit_log, tokens
from storage.engine import open_engine, reading
from storage.lms import Lms
from storage.states import TokenScope, TokenStatus
from storage.tokens import StoredToken
from tests.cli.conftest import Run, Script
from tests.support.bridge import Bridge
from tests.support.waiting import poll

HOME = "https://lms.example.org/moodle"
CREATE = ("tokens", "create", "--lms", "moodle", "--home-page")
URL = "sqlite:///scorm-bridge.db"


def _stored(token: str, url: str = URL) -> StoredToken | None:
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return tokens.by_digest(connection, tokens.digest(token))
    finally:
        engine.dispose()


def _owner(token: str, url: str = URL) -> Lms | None:
    stored = _stored(token, url)
    return None if stored is None else stored.lms


def _items(run: Run, **environment: str) -> Any:
    return json.loads(run("tokens", "list", "--json", **environment).stdout)["items"]


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

    assert (result.exit_code, result.stdout) == (1, "")
    assert "A home page is a full address" in result.stderr


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
    """Within a second, although it was cached and its clock stands still."""
    assert TOKEN_INTERVAL <= 1
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    other = run(*CREATE, HOME, **environment).stdout.strip()
    listed = _items(run, **environment)
    assert [(row["lms"], row["revoked_at"]) for row in listed] == [("lms", None), ("moodle", None)]
    for token in (bridge.token, other):
        assert (await bridge.get("/v1/enrollments", token=token))[0] == 200

    number = str(listed[0]["id"])
    assert run("tokens", "revoke", number, "--reason", "it leaked", "--by", "ada", **environment).exit_code == 0
    assert (await poll(lambda: bridge.get("/v1/enrollments"), lambda answer: answer[0] == 401))[0] == 401
    assert (await bridge.get("/v1/enrollments", token=other))[0] == 200
    assert [row["revoked_at"] is None for row in _items(run, **environment)] == [False, True]
    with reading(bridge.engine) as connection:
        act = audit_log.newest(connection)[0]
    assert (act.by, act.action, act.subject, act.reason) == ("ada", "revoke-token", f"lms, token {number}", "it leaked")

    again = run("tokens", "revoke", number, "--reason", "once more", **environment)
    assert again.exit_code == 1
    assert f"Token {number} was revoked already" in again.stderr


@pytest.mark.parametrize("origin", ["nonsense", "https://a.example/path", "ftp://a.example", "https://a b", "https://"])
def test_an_origin_that_no_browser_sends_is_refused_and_no_token_is_made(run: Run, origin: str) -> None:
    run("migrate")
    result = run(*CREATE, HOME, "--origin", origin)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "An origin is a scheme and a host" in result.stderr
    assert _items(run) == []


def test_an_origin_is_stored_as_browsers_send_it(run: Run) -> None:
    run("migrate")
    given = ["HTTPS://LMS.example.org:443/", "http://localhost:8000", "https://[::1]:8443", "*"]
    owner = _owner(run(*CREATE, HOME, *(part for origin in given for part in ("--origin", origin))).stdout.strip())

    assert owner is not None
    assert {*owner.origins} == {"https://lms.example.org", "http://localhost:8000", "https://[::1]:8443", "*"}


def test_a_token_has_the_scopes_and_the_lifetime_that_were_asked_for(run: Run) -> None:
    run("migrate")
    plain = _stored(run(*CREATE, HOME).stdout.strip())
    token = _stored(run(*CREATE, HOME, "--scope", "read", "--scope", "commit", "--expires", "90d").stdout.strip())
    assert plain is not None
    assert token is not None
    assert (plain.scopes, plain.expires_at) == ((TokenScope.COMMIT, TokenScope.READ), None)
    assert token.scopes == (TokenScope.COMMIT, TokenScope.READ)
    assert token.expires_at == token.created_at + 90 * 86_400_000
    first, second = _items(run)
    assert (first["status"], first["scopes"], first["expires_at"]) == ("valid", ["commit", "read"], None)
    assert second["expires_at"] is not None


@pytest.mark.parametrize(("option", "value"), [("--scope", "write"), ("--expires", "soon"), ("--expires", "-1d")])
def test_scopes_and_lifetimes_that_are_none_are_refused(run: Run, option: str, value: str) -> None:
    run("migrate")
    result = run(*CREATE, HOME, option, value)

    assert (result.exit_code, result.stdout) == (2, "")
    assert option in result.stderr


def test_a_token_that_would_have_expired_is_not_made(run: Run) -> None:
    run("migrate")
    result = run(*CREATE, HOME, "--expires", "0s")

    assert (result.exit_code, result.stdout, _items(run)) == (1, "", [])


def test_a_token_is_rotated_into_one_like_it_and_ends_after_the_overlap(run: Run) -> None:
    run("migrate")
    old = _stored(run(*CREATE, HOME, "--scope", "commit", "--expires", "30d").stdout.strip())
    assert old is not None
    result = run("tokens", "rotate", str(old.id), "--overlap", "2h", "--reason", "yearly", "--by", "ada")
    assert re.fullmatch(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9_-]{43}\n", result.stdout)
    new = _stored(result.stdout.strip())
    assert new is not None
    assert (new.lms, new.scopes, new.replaced_by) == (old.lms, (TokenScope.COMMIT,), None)
    assert new.expires_at == new.created_at + 30 * 86_400_000
    first, second = _items(run)
    assert (first["status"], first["replaced_by"], second["id"]) == ("valid", new.id, new.id)
    engine = open_engine(URL)
    with reading(engine) as connection:
        rotated = tokens.by_id(connection, old.id)
        act = audit_log.newest(connection)[0]
    engine.dispose()
    assert rotated is not None
    assert rotated.expires_at == new.created_at + 2 * 3_600_000
    assert (act.by, act.action, act.subject) == ("ada", "rotate-token", f"moodle, token {old.id}")
    assert "yearly" in act.reason
    assert result.stdout.strip() not in result.stderr + act.reason


@pytest.mark.parametrize("state", ["rotated", "revoked", "expired", "unknown"])
def test_what_is_no_valid_token_is_not_rotated(run: Run, state: str) -> None:
    run("migrate")
    run(*CREATE, HOME)
    number = "7" if state == "unknown" else "1"
    if state == "rotated":
        assert run("tokens", "rotate", "1").exit_code == 0
    elif state == "revoked":
        assert run("tokens", "revoke", "1", "--reason", "it leaked").exit_code == 0
    elif state == "expired":
        assert run("tokens", "rotate", "1", "--overlap", "0s").exit_code == 0
    before = _items(run)
    result = run("tokens", "rotate", number)

    assert (result.exit_code, result.stdout) == (1, "")
    assert {"rotated": "token 2 replaces it", "unknown": "There is no token 7"}.get(state, state) in result.stderr
    assert _items(run) == before


def test_without_an_overlap_the_old_token_ends_at_once(run: Run) -> None:
    run("migrate")
    run(*CREATE, HOME)
    run("tokens", "rotate", "1", "--overlap", "0s")

    assert [row["status"] for row in _items(run)] == [TokenStatus.EXPIRED, TokenStatus.VALID]


def test_an_act_of_the_command_line_is_in_the_audit_log_without_the_token(run: Run, database_url: str) -> None:
    environment = {"SCORM_BRIDGE_DATABASE__URL": database_url}
    token = run(*CREATE, HOME, "--by", "ada", "--reason", "new LMS", **environment).stdout.strip()
    engine = open_engine(database_url)
    with reading(engine) as connection:
        (act,) = audit_log.newest(connection)
    engine.dispose()

    assert (act.by, act.action, act.subject) == ("ada", "create-token", "moodle, token 1")
    assert act.reason == "scopes commit read; new LMS"
    assert token not in str(act)
