"""`scorm-bridge accounts`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from bridge import passwords
from bridge.cli import main
from storage import accounts, audit_log
from storage.accounts import NewAccount
from storage.engine import open_engine, reading, writing
from tests.cli.conftest import Run

URL = "SCORM_BRIDGE_DATABASE__URL"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return str(path)


def _listed(run: Run, url: str) -> list[dict[str, object]]:
    items: list[dict[str, object]] = json.loads(run("accounts", "list", "--json", **{URL: url}).stdout)["items"]
    return [{name: value for name, value in item.items() if name != "created_at"} for item in items]


def test_an_account_is_made_changed_and_removed_and_it_is_kept_who_did_it(
    run: Run, database_url: str, password_file: str
) -> None:
    environment = {URL: database_url}
    by = ("--by", "root")
    result = run("accounts", "create", "ada", "--role", "admin", "--password-file", password_file, *by, **environment)
    assert (result.exit_code, result.stdout) == (0, "")
    assert _listed(run, database_url) == [
        {"name": "ada", "role": "admin", "sees_names": True, "signs_in_at": None},
    ]
    assert run("accounts", "set-role", "ada", "reader", "--reason", "holiday", *by, **environment).exit_code == 0
    assert _listed(run, database_url)[0] == {"name": "ada", "role": "reader", "sees_names": False, "signs_in_at": None}
    assert run("accounts", "set-role", "ada", "reader", "--sees-names", *by, **environment).exit_code == 0
    assert "yes" in run("accounts", "list", **environment).stdout
    changed = run("accounts", "set-password", "ada", "--password-file", password_file, *by, **environment)
    assert changed.exit_code == 0
    assert run("accounts", "remove", "ada", "--yes", *by, **environment).exit_code == 0
    assert _listed(run, database_url) == []
    assert "There are no accounts yet" in run("accounts", "list", **environment).stderr
    engine = open_engine(database_url)
    with reading(engine) as connection:
        assert [(act.by, act.action, act.subject, act.reason) for act in reversed(audit_log.newest(connection))] == [
            ("root", "make-account", "ada", "admin"),
            ("root", "change-role", "ada", "admin -> reader; holiday"),
            ("root", "change-role", "ada", "reader -> reader who sees names"),
            ("root", "change-password", "ada", ""),
            ("root", "remove-account", "ada", ""),
        ]
    engine.dispose()


def test_a_password_is_asked_for_twice_and_never_shown(run: Run, database_url: str) -> None:
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    result = CliRunner().invoke(main, ["accounts", "create", "ada"], input=typed, env={URL: database_url})
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    engine = open_engine(database_url)
    with reading(engine) as connection:
        account = accounts.by_name(connection, "ada")
    engine.dispose()
    assert account is not None
    assert account.role == "reader"
    assert passwords.verify_password(PASSWORD, account.password)


def test_a_password_can_come_from_standard_input(database_url: str) -> None:
    arguments = ["accounts", "create", "ada", "--password-file", "-"]

    assert CliRunner().invoke(main, arguments, input=PASSWORD, env={URL: database_url}).exit_code == 0


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("ada", "short", "A password has 12 to 1000 characters."),
        ("ada", "x" * 1001, "A password has 12 to 1000 characters."),
        (" ada", PASSWORD, "no space at its beginning or end"),
        ("", PASSWORD, "A name has"),
        ("a\x1bda", PASSWORD, "A name has"),
    ],
)
def test_what_will_not_do_is_told_and_nothing_is_made(
    run: Run, database_url: str, tmp_path: Path, name: str, password: str, words: str
) -> None:
    file = tmp_path / "password"
    file.write_text(password)
    result = run("accounts", "create", name, "--password-file", str(file), **{URL: database_url})

    assert (result.exit_code, words in result.stderr) == (1, True)
    assert _listed(run, database_url) == []


def test_names_are_given_once_and_unknown_ones_are_told(run: Run, database_url: str, password_file: str) -> None:
    environment = {URL: database_url}
    create = ("accounts", "create", "ada", "--password-file", password_file)
    run(*create, **environment)
    again = run(*create, **environment)
    assert (again.exit_code, "There is an account ada already" in again.stderr) == (1, True)
    for command in (("set-role", "bob", "admin"), ("set-password", "bob"), ("remove", "bob")):
        result = run("accounts", *command, **environment)
        assert (result.exit_code, "There is no account bob" in result.stderr) == (1, True), command


def test_who_signs_in_elsewhere_gets_no_password_here(run: Run, database_url: str, password_file: str) -> None:
    elsewhere = NewAccount("ada", "admin", sees_names=False, issuer="https://login.example.org", subject="7")
    engine = open_engine(database_url)
    with writing(engine) as connection:
        accounts.add(connection, elsewhere, 0)
    engine.dispose()
    result = run("accounts", "set-password", "ada", "--password-file", password_file, **{URL: database_url})

    assert (result.exit_code, "signs in at https://login.example.org" in result.stderr) == (1, True)
    assert "https://login.example.org" in run("accounts", "list", **{URL: database_url}).stdout


def test_a_removal_is_asked_about(run: Run, database_url: str, password_file: str) -> None:
    run("accounts", "create", "ada", "--password-file", password_file, **{URL: database_url})
    result = CliRunner().invoke(main, ["accounts", "remove", "ada"], input="n\n", env={URL: database_url})

    assert result.exit_code == 1
    assert len(_listed(run, database_url)) == 1
