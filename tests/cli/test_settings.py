"""Settings: everything wrong with them is told at once, and nothing of them that is secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.settings import LimitSettings, SettingsError, load_settings
from tests.cli.conftest import Run, Script

CANARY = "canary-7c1e"
TARGET = '[[targets]]\nname = "lrs"\nendpoint = "https://lrs.example.org/xapi"\n'

MANY_WRONGS = f"""
[server]
port = "many"
host = 1
prot = 2
public_url = "lms.example.org"
commit_token_lifetime = 1

[database]
url = "mysql://bridge:{CANARY}@db/bridge"

[[targets]]
name = "no spaces"
version = "1.0"

[[targets]]
name = "second"
endpoint = "ftp://lrs.example.org"
password = "{CANARY}"
password_env = "ALSO"

[log]
level = "loud"

[alerting]
removals_late_after = 600

[servr]
port = 1
"""


def test_all_that_is_wrong_is_told_at_once(run: Run) -> None:
    result = run("migrate", file=MANY_WRONGS)
    assert result.exit_code == 78
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == "The settings cannot be used:"
    places = {line.partition(":")[0] for line in lines[1:]}
    assert places == {
        "server.port",
        "server.host",
        "server.prot",
        "server.public_url",
        "server.commit_token_lifetime",
        "database.url",
        "targets[0].name",
        "targets[0].endpoint",
        "targets[0].version",
        "targets[1].endpoint",
        "log.level",
        "alerting.removals_late_after",
        "servr",
    }
    assert "server.prot: is not a known setting" in lines
    assert CANARY not in result.stderr


def test_the_installed_script_tells_it_on_standard_error_and_leaves_with_78(script: Script) -> None:
    Path("scorm-bridge.toml").write_text(MANY_WRONGS)
    for command in (["serve"], ["verify", "u1", "235"]):
        result = script(*command)
        assert (result.returncode, result.stdout) == (78, ""), command
        assert "server.port" in result.stderr, command
        assert "targets[1].endpoint" in result.stderr, command
        assert CANARY not in result.stderr, command


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("[server]\nport = 65536", "server.port: Input should be less than or equal to 65535"),
        ("[server]\nport = -1", "server.port: Input should be greater than or equal to 0"),
        ("[server]\npublic_url = 'bridge.example.org'", "server.public_url: must begin with http:// or https://"),
        ("[server]\nhost = '0.0.0.0'", "server: public_url is needed where host is '0.0.0.0'"),
        ("[server]\nhost = '::'", "server: public_url is needed where host is '::'"),
        ("[server]\nhost = ''", "server: public_url is needed where host is ''"),
        ("[server]\nhost = '192.0.2.7'", "server: public_url is needed where host is '192.0.2.7'"),
        (
            "[server]\nhost = 'localhost.example.org'",
            "server: public_url is needed where host is 'localhost.example.org'",
        ),
        ("[server]\nheader_timeout = 0", "server.header_timeout:"),
        ("[server]\nmax_connections = 0", "server.max_connections:"),
        ("[server]\nmax_unread_bytes = 1", "server.max_unread_bytes:"),
        ("server = 7", "server:"),
        ("targets = 7", "targets:"),
        ("[targets]\nname = 'lrs'", "targets"),
        ("[database]\nurl = 'scorm-bridge.db'", "database.url: is not a database URL"),
        ("[database]\nurl = 'sqlite://'", "database.url: must name a file"),
        ("[database]\nurl = 'mysql://db/x'", "database.url: names mysql"),
        ("[database]\nurl = 'postgresql://db:port/x'", "database.url: is not a database URL"),
        (f"{TARGET}{TARGET}", "targets: two targets have the name lrs"),
        (f"{TARGET}password = 'a'\npassword_env = 'PATH'", "targets[0]: give only one of"),
        (f"{TARGET}password_env = 'NOT_THERE'", "targets[0]: password_env names NOT_THERE, which is not set"),
        (f"{TARGET}password_file = 'not-there'", "targets[0]: password_file names not-there, which is not a file"),
        (f"{TARGET}version = 2", "targets[0].version:"),
        (f"{TARGET}timeout = 2", "targets[0].timeout: is not a known setting"),
        (f"{TARGET}username = 'a:b'", "targets[0].username:"),
        (f"{TARGET}documents = true", "targets[0].documents:"),
        (f"{TARGET}documents = ['agent-profile']", "targets[0].documents:"),
        (f"{TARGET}documents = {{ agent-profile = 'maybe' }}", "targets[0].documents.agent-profile:"),
        (f"{TARGET}documents = {{ agent-profile = {{}} }}", "targets[0].documents.agent-profile:"),
        (f"{TARGET}[documents]\nagent-profile = false", "documents: is not a known setting"),
        (TARGET.replace("lrs.example.org", f"ada:{CANARY}@lrs.example.org"), "targets[0].endpoint:"),
        (TARGET.replace("lrs.example.org/xapi", ""), "targets[0].endpoint:"),
        (TARGET.replace("https://lrs", "lrs"), "targets[0].endpoint: must begin with http:// or https://"),
        (TARGET.replace('"lrs"', '""'), "targets[0].name:"),
        ("[mapping]\ndocument = 7", "mapping.document:"),
        ("[log]\nformat = 'xml'", "log.format:"),
        ("[server\nport = 1", "scorm-bridge.toml is not TOML:"),
        ("[server]\nport = 1\nport = 2", "scorm-bridge.toml is not TOML:"),
        (b"[server]\nhost = '\xff'", "scorm-bridge.toml is not TOML:"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(run: Run, file: str | bytes, line: str) -> None:
    result = run("migrate", file=file)

    assert (result.exit_code, result.stdout) == (78, "")
    assert line in result.stderr
    assert CANARY not in result.stderr
    assert not Path("scorm-bridge.db").exists()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SCORM_BRIDGE_SERVER__PORT", "many", "server.port:"),
        ("SCORM_BRIDGE_SERVER__PROT", "1", "server.prot: is not a known setting"),
        ("SCORM_BRIDGE_DATABASE__URL", f"postgresql://bridge:{CANARY}/db", "database.url:"),
        ("SCORM_BRIDGE_LOG__LEVEL", "loud", "log.level:"),
        ("SCORM_BRIDGE_TARGETS", f'[{{"password": "{CANARY}"', "SCORM_BRIDGE_TARGETS: a list or table"),
        ("SCORM_BRIDGE_TARGETS", f'[{{"name": "lrs", "password": "{CANARY}"}}]', "targets[0].endpoint:"),
        (
            "SCORM_BRIDGE_TARGETS",
            '[{"name": "lrs", "endpoint": "https://lrs.example.org", "documents": {"agent-profile": null}}]',
            "targets[0].documents.agent-profile:",
        ),
        ("SCORM_BRIDGE_SERVER", "here", "SCORM_BRIDGE_SERVER: a list or table"),
    ],
)
def test_what_is_wrong_in_the_environment_is_told_like_the_rest(run: Run, name: str, value: str, line: str) -> None:
    result = run("migrate", file="[log]\nformat = 'xml'\n", **{name: value})

    assert (result.exit_code, result.stdout) == (78, "")
    assert line in result.stderr
    assert CANARY not in result.stderr


def test_a_file_that_is_not_there_is_an_error_only_when_it_was_asked_for(run: Run) -> None:
    result = run("--config", "other.toml", "migrate")

    assert (result.exit_code, result.stdout) == (78, "")
    assert "there is no settings file other.toml" in result.stderr
    assert run("migrate").exit_code == 0


def test_a_file_that_is_asked_for_is_read_instead_of_the_usual_one(run: Run) -> None:
    Path("other.toml").write_text("[database]\nurl = 'sqlite:///other.db'\n")

    assert run("--config", "other.toml", "migrate", file="[server]\nport = 'wrong'").exit_code == 0
    assert Path("other.db").exists()


def test_without_settings_everything_has_its_default() -> None:
    settings = load_settings(None)

    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.database.url == "sqlite:///scorm-bridge.db"
    assert (settings.targets, settings.mapping.document, settings.log.level) == ((), "scorm-profile", "info")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_on_loopback_no_public_url_is_needed(host: str) -> None:
    Path("scorm-bridge.toml").write_text(f"[server]\nhost = '{host}'\n")

    assert load_settings(None).server.public_url == ""


def test_the_environment_wins_over_the_file_key_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("scorm-bridge.toml").write_text(
        "[server]\nport = 1234\nhost = '0.0.0.0'\npublic_url = 'https://bridge.example.org'\n[database]\nurl = 'sqlite:///file.db'\n"
        + TARGET
    )
    monkeypatch.setenv("SCORM_BRIDGE_SERVER__PORT", "4321")
    monkeypatch.setenv("SCORM_BRIDGE_LOG__FORMAT", "json")
    settings = load_settings(None)

    assert (settings.server.port, settings.server.host) == (4321, "0.0.0.0")
    assert (settings.log.format, settings.log.level) == ("json", "info")
    assert settings.database.url == "sqlite:///file.db"
    assert [target.name for target in settings.targets] == ["lrs"]


def test_targets_can_be_given_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORM_BRIDGE_TARGETS", '[{"name": "lrs", "endpoint": "https://lrs.example.org"}]')

    assert [(target.name, target.endpoint) for target in load_settings(None).targets] == [
        ("lrs", "https://lrs.example.org/")
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "documents = { agent-profile = false, adl-suspend-data = true }\n",
        "documents.agent-profile = false\ndocuments.adl-suspend-data = true\n",
        "[targets.documents]\nagent-profile = false\nadl-suspend-data = true\n",
    ],
    ids=["inline", "dotted", "table"],
)
def test_documents_are_switched_by_name_for_each_target(lines: str) -> None:
    Path("scorm-bridge.toml").write_text(TARGET + lines + TARGET.replace('"lrs"', '"second"'))

    assert {target.name: target.documents for target in load_settings(None).targets} == {
        "lrs": {"agent-profile": False, "adl-suspend-data": True},
        "second": {},
    }


def test_documents_can_be_switched_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    target = {"name": "lrs", "endpoint": "https://lrs.example.org", "documents": {"agent-profile": False}}
    monkeypatch.setenv("SCORM_BRIDGE_TARGETS", json.dumps([target]))

    assert [settings.documents for settings in load_settings(None).targets] == [{"agent-profile": False}]


def test_a_password_comes_from_wherever_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRS_PASSWORD", " in the environment ☃")
    Path("password").write_text("in a file ☃\n", encoding="utf-8")
    lines = {
        "plain": "password = 'in the settings'",
        "environment": "password_env = 'LRS_PASSWORD'",
        "file": "password_file = 'password'",
        "none": "",
    }
    sections = [f"{TARGET.replace('lrs', name, 1)}{line}\n" for name, line in lines.items()]
    Path("scorm-bridge.toml").write_text("".join(sections))

    assert {target.name: target.secret("password") for target in load_settings(None).targets} == {
        "plain": "in the settings",
        "environment": " in the environment ☃",
        "file": "in a file ☃",
        "none": "",
    }


def test_a_password_file_that_is_no_text_is_told_before_anything_starts(run: Run) -> None:
    Path("password").write_bytes(b"\xff\xfe")
    run("migrate")
    result = run("serve", file=f"{TARGET}password_file = 'password'\n")

    assert result.exit_code == 78
    assert "password_file" in result.stderr


def test_the_endpoint_ends_with_a_slash_however_it_was_written() -> None:
    for written in (TARGET, TARGET.replace("/xapi", "/xapi/")):
        Path("scorm-bridge.toml").write_text(written)
        assert load_settings(None).targets[0].endpoint == "https://lrs.example.org/xapi/", written


def test_settings_that_cannot_be_used_are_an_error_for_programs_too() -> None:
    Path("scorm-bridge.toml").write_text(MANY_WRONGS)
    with pytest.raises(SettingsError, match=r"server\.port") as raised:
        load_settings(None)

    assert CANARY not in str(raised.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            "token = 'a'\nusername = 'b'",
            "targets[0]: configure only one kind of authentication, not username and password, token",
        ),
        ("client_id = 'a'", "targets[0]: client_id needs token_url and client_secret"),
        ("client_id = 'a'\ntoken_url = 'https://id.example.org/token'", "targets[0]: client_id needs client_secret"),
        ("token_url = 'https://id.example.org/token'", "targets[0]: token_url, client_secret and scope go with"),
        ("token_url = 'id.example.org'", "targets[0].token_url: must begin with http"),
        ("token = 'a'\ntoken_env = 'PATH'", "targets[0]: give only one of token, token_env and token_file"),
        ("client_secret_env = 'NOT_THERE'", "targets[0]: client_secret_env names NOT_THERE, which is not set"),
        ("rate = 0", "targets[0].rate:"),
        ("rate = 'fast'", "targets[0].rate:"),
        ("filter = {onyl = ['passed']}", "targets[0].filter.onyl: is not a known setting"),
    ],
)
def test_what_cannot_be_meant_of_a_target_is_told(run: Run, more: str, words: str) -> None:
    result = run("migrate", file=f"{TARGET}{more}\n")

    assert result.exit_code == 78
    assert words in result.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            "filter = {only = ['pased']}",
            "targets.lrs.filter: pased is no rule or verb of the mapping document; there",
        ),
        ("filter = {without = ['passed', 'http://x.example/verb']}", "http://x.example/verb is no rule or verb"),
        ("documents = {bookmark = true}", "targets.lrs.documents: bookmark is no document of the mapping document"),
    ],
)
def test_a_target_that_names_what_the_mapping_has_not_keeps_the_bridge_from_starting(
    run: Run, more: str, words: str
) -> None:
    run("migrate", file=f"{TARGET}{more}\n")
    result = run("serve", file=f"{TARGET}{more}\n")

    assert result.exit_code == 78
    assert words in result.stderr


def test_a_limit_that_is_set_leaves_the_others_as_they_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("scorm-bridge.toml").write_text("[limits.session]\nmib = 8\n", encoding="utf-8")
    monkeypatch.setenv("SCORM_BRIDGE_LIMITS__LMS__COMMITS", "0")
    limits, default = load_settings(None).limits, LimitSettings()

    assert limits.session == default.session.model_copy(update={"mib": 8})
    assert limits.lms == default.lms.model_copy(update={"commits": 0})
    assert (limits.learner, limits.min_free_mib) == (default.learner, default.min_free_mib)
