"""`scorm-bridge doctor` finds what is wrong, says what to do, and shows where each setting comes from."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from storage.disk_space import free_and_total
from storage.poolers import SHARED_CONNECTIONS, SHARED_CONNECTIONS_REMEDY
from tests.cli.conftest import Run, Script
from tests.support.lrs import Lrs, StartLrs
from tests.support.pgbouncer import pgbouncer
from tests.support.waiting import TIMEOUT

CANARY = "canary-password"
LMS = ("tokens", "create", "--lms", "campus", "--home-page", "https://lms.example.org")


def _checks(result: Any) -> dict[str, tuple[str, str, str]]:
    """Return verdict, summary and remedy of each check."""
    content = json.loads(result.stdout)
    return {one["check"]: (one["verdict"], one["summary"], one["remedy"]) for one in content["checks"]}


def _target(endpoint: str, **more: str) -> str:
    return json.dumps([{"name": "lrs", "endpoint": endpoint} | more])


async def _diagnose(script: Script, **environment: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
    async with asyncio.timeout(TIMEOUT):
        result = await asyncio.to_thread(script, "doctor", "--json", **environment)
    assert "Traceback" not in result.stderr
    return result.returncode, _checks(result)


async def test_a_bridge_that_is_well_is_called_well(run: Run, script: Script, lrs: Lrs) -> None:
    run("migrate")
    run(*LMS)
    code, checks = await _diagnose(script, SCORM_BRIDGE_TARGETS=_target(lrs.endpoint, username="u", password=CANARY))

    assert code == 0
    assert {verdict for verdict, *_ in checks.values()} == {"ok"}, checks
    assert checks.keys() >= {"settings", "alerts", "database", "schema", "clock", "disk", "mapping", "target lrs"}
    assert "connected and let in" in checks["target lrs"][1]
    assert CANARY not in str(checks)


async def test_an_lrs_that_lets_nobody_in_or_is_away_is_an_error(run: Run, script: Script, start_lrs: StartLrs) -> None:
    run("migrate")
    lrs = await start_lrs(credentials={"u": "p"})
    code, checks = await _diagnose(script, SCORM_BRIDGE_TARGETS=_target(lrs.endpoint, username="u", password=CANARY))
    assert (code, checks["target lrs"][0]) == (1, "error")
    assert "401" in checks["target lrs"][1]
    assert "Correct the credentials" in checks["target lrs"][2]

    code, checks = await _diagnose(script, SCORM_BRIDGE_TARGETS=_target("http://127.0.0.1:9/xapi/"))
    assert (code, checks["target lrs"][0]) == (1, "error")
    assert "Check the endpoint" in checks["target lrs"][2]


def test_a_database_that_is_missing_old_or_away_is_an_error_with_a_remedy(run: Run) -> None:
    result = run("doctor", "--json")
    assert (result.exit_code, _checks(result)["database"][0]) == (1, "error")
    assert "scorm-bridge migrate" in _checks(result)["database"][2]
    assert not Path("scorm-bridge.db").exists()

    Path("scorm-bridge.db").touch()
    assert "scorm-bridge migrate" in _checks(run("doctor", "--json"))["schema"][2]
    url = f"postgresql://bridge:{CANARY}@127.0.0.1:1/bridge"
    result = run("doctor", "--json", SCORM_BRIDGE_DATABASE__URL=url)
    assert "Connection refused" in _checks(result)["database"][1]
    assert CANARY not in result.stdout


def test_a_database_that_others_may_read_and_a_bridge_without_lms_and_lrs_are_warnings(run: Run) -> None:
    run("migrate")
    Path("scorm-bridge.db").chmod(0o644)
    result = run("doctor", "--json")
    checks = _checks(result)

    assert result.exit_code == 0
    assert {name for name, (verdict, *_) in checks.items() if verdict == "warning"} == {
        "database files",
        "LMSs",
        "targets",
    }
    assert json.loads(result.stdout)["verdict"] == "warning"
    assert "chmod 600" in checks["database files"][2]


def test_a_disk_that_is_nearly_full_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("migrate")
    measured = free_and_total([Path()])
    assert measured is not None
    monkeypatch.setattr("storage.disk_space.free_and_total", lambda _places: (1024, measured[1]))
    result = run("doctor", "--json")

    assert (result.exit_code, _checks(result)["disk"][0]) == (1, "error")


def test_a_clock_that_differs_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("migrate")
    monkeypatch.setattr("bridge.cli.checks.system_now", lambda: 4_102_444_800_000)
    verdict, summary, remedy = _checks(run("doctor", "--json"))["clock"]

    assert (verdict, "ahead of the database's" in summary, "NTP" in remedy) == ("warning", True, True)


def test_a_mapping_that_is_not_there_is_an_error(run: Run) -> None:
    run("migrate")
    result = run("doctor", "--json", SCORM_BRIDGE_MAPPING__DOCUMENT="nowhere.toml")

    assert (result.exit_code, _checks(result)["mapping"][0]) == (1, "error")


def test_settings_that_cannot_be_used_are_all_named(run: Run) -> None:
    result = run("doctor", "--json", file='[server]\nport = "x"\nprot = 1\n')
    verdict, summary, _ = _checks(result)["settings"]

    assert (result.exit_code, verdict) == (78, "error")
    assert "server.port" in summary
    assert "server.prot: is not a known setting" in summary


def test_variables_that_look_like_settings_and_are_none_are_named_with_what_was_meant(run: Run) -> None:
    run("migrate")
    target = _target("http://127.0.0.1:9/", username="u", password_env="SCORM_BRIDGE_LRS_PASSWORD")
    result = run(
        "doctor", "--json", SCORM_BRIDGE_SEVER__PORT="1", SCORM_BRIDGE_TARGETS=target, SCORM_BRIDGE_LRS_PASSWORD=CANARY
    )
    verdict, summary, _ = _checks(result)["settings"]

    assert verdict == "warning"
    assert summary.endswith("no settings: SCORM_BRIDGE_SEVER__PORT (did you mean SCORM_BRIDGE_SERVER__PORT?)")


def test_each_setting_is_shown_with_where_it_comes_from_and_no_secret(run: Run) -> None:
    run("migrate")
    file = f'[server]\ndrain_delay = 2\n[metrics]\naccess = "token"\ntoken = "{CANARY}"\n'
    file += f'[[targets]]\nname = "lrs"\nendpoint = "http://127.0.0.1:9/"\nusername = "u"\npassword = "{CANARY}"\n'
    environment = {"SCORM_BRIDGE_LOG__LEVEL": "error", "SCORM_BRIDGE_LIMITS": '{"min_free_mib": 1}'}
    result = run("doctor", "--json", file=file, **environment)
    settings = {one["key"]: (one["value"], one["source"]) for one in json.loads(result.stdout)["settings"]}
    assert settings["server.drain_delay"] == ("2.0", "file")
    assert settings["log.level"] == ('"error"', "environment")
    assert settings["limits.min_free_mib"] == ("1", "environment")
    assert settings["server.header_timeout"] == ("10.0", "default")
    assert settings["targets[0].endpoint"] == ('"http://127.0.0.1:9/"', "file")
    assert settings["targets[0].password"] == settings["metrics.token"] == ("(hidden)", "file")
    assert CANARY not in result.stdout
    table = run("doctor", "--settings", **environment).stdout
    assert CANARY not in table
    assert "server.drain_delay" in table
    assert "Free some space" not in table


def test_shared_connections_of_a_pooler_are_told_with_the_remedy(postgresql_url: str, script: Script) -> None:
    with pgbouncer(postgresql_url, "transaction") as url:
        result = script("doctor", "--json", SCORM_BRIDGE_DATABASE__URL=url)

    assert _checks(result)["database connections"] == ("error", SHARED_CONNECTIONS, SHARED_CONNECTIONS_REMEDY)
    assert result.returncode != 0
