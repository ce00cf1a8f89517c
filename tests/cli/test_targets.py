"""`scorm-bridge targets`."""

from __future__ import annotations

import json

from storage import audit_log, target_alarms
from storage.engine import open_engine, reading, writing
from storage.target_alarms import TargetAlarm
from tests.cli.conftest import Run
from tests.support.accounts import START
from tests.support.bridge import StartBridge
from tests.support.deliveries import add_removals

FILE = """
[[targets]]
name = "analytics"
endpoint = "https://lrs.example.org/xapi/"
"""
URL = "SCORM_BRIDGE_DATABASE__URL"


def test_a_target_is_paused_and_resumed_and_it_is_kept_who_did_it(run: Run, database_url: str) -> None:
    environment = {"file": FILE, URL: database_url}
    paused = run("targets", "pause", "analytics", "--reason", "moving house", "--by", "ada", **environment)
    assert (paused.exit_code, paused.stdout) == (0, "")
    listed = run("targets", "list", **environment)
    assert "analytics is paused by ada, since" in listed.stdout
    assert "moving house" in listed.stdout
    (row,) = json.loads(run("targets", "list", "--json", **environment).stdout)["items"]
    assert (row["state"], row["waiting"], row["pause"]["by"]) == ("paused", 0, "ada")
    assert run("targets", "resume", "analytics", "--by", "bob", **environment).exit_code == 0
    (row,) = json.loads(run("targets", "list", "--json", **environment).stdout)["items"]
    assert (row["state"], row["pause"]) == ("flowing", None)
    engine = open_engine(database_url)
    with reading(engine) as connection:
        assert [(act.action, act.by, act.subject, act.reason) for act in audit_log.newest(connection)] == [
            ("resume", "bob", "analytics", ""),
            ("pause", "ada", "analytics", "moving house"),
        ]
    engine.dispose()


def test_pausing_twice_and_resuming_what_flows_is_told(run: Run, database_url: str) -> None:
    environment = {"file": FILE, URL: database_url}
    run("targets", "pause", "analytics", "--reason", "x", **environment)
    again = run("targets", "pause", "analytics", "--reason", "y", **environment)
    assert again.exit_code == 1
    assert "analytics is already paused" in again.stderr
    run("targets", "resume", "analytics", **environment)
    again = run("targets", "resume", "analytics", **environment)
    assert again.exit_code == 1
    assert "analytics is not paused" in again.stderr


def test_a_target_that_is_not_configured_cannot_be_paused(run: Run, database_url: str) -> None:
    result = run("targets", "pause", "analytic", "--reason", "x", file=FILE, **{URL: database_url})

    assert result.exit_code == 2
    assert "no target has the name 'analytic'; there are: analytics" in result.stderr


def test_an_lrs_that_does_not_let_the_bridge_in_is_told_apart_from_one_that_people_paused(
    run: Run, database_url: str
) -> None:
    engine = open_engine(database_url)
    with writing(engine) as connection:
        alarm = TargetAlarm("analytics", "statements", "not-allowed", START, START, "the LRS answered 401: no")
        target_alarms.begin(connection, alarm)
    engine.dispose()
    shown = run("targets", "list", file=FILE, **{URL: database_url}).stdout
    assert "analytics denies the bridge access, since 2026-01-01T00:00:00.000Z: the LRS answered 401: no" in shown
    (row,) = json.loads(run("targets", "list", "--json", file=FILE, **{URL: database_url}).stdout)["items"]
    assert (row["state"], row["pause"]["reason"]) == ("unauthorized", "the LRS answered 401: no")


def test_a_target_that_is_unreachable_shows_since_when(run: Run, database_url: str) -> None:
    engine = open_engine(database_url)
    with writing(engine) as connection:
        alarm = TargetAlarm(
            "analytics", "statements", "unreachable", START, START + 60_000, "the LRS answered 503: down"
        )
        target_alarms.begin(connection, alarm)
        documents = TargetAlarm("analytics", "documents", "not-allowed", START, START, "the LRS answered 403: no")
        target_alarms.begin(connection, documents)
    engine.dispose()
    shown = run("targets", "list", file=FILE, **{URL: database_url}).stdout
    assert "analytics is unreachable since 2026-01-01T00:00:00.000Z: the LRS answered 503: down" in shown
    assert "unreachable since 2026-01-01T00:00:00.000Z  " in shown
    assert "analytics denies the bridge access (documents), since 2026-01-01T00:00:00.000Z" in shown
    (row,) = json.loads(run("targets", "list", "--json", file=FILE, **{URL: database_url}).stdout)["items"]
    assert (row["state"], row["pause"]) == ("unreachable", None)
    assert (row["state"], row["since"]) == ("unreachable", "2026-01-01T00:00:00.000Z")
    assert [(entry["requests"], entry["state"], entry["since"]) for entry in row["alarms"]] == [
        ("statements", "unreachable", "2026-01-01T00:00:00.000Z"),
        ("documents", "not-allowed", "2026-01-01T00:00:00.000Z"),
    ]
    assert run("targets", "resume", "analytics", file=FILE, **{URL: database_url}).exit_code == 0
    (row,) = json.loads(run("targets", "list", "--json", file=FILE, **{URL: database_url}).stdout)["items"]
    assert (row["state"], row["alarms"]) == ("flowing", [])


async def test_what_waits_is_counted_whether_its_target_is_configured_or_not(
    start: StartBridge, run: Run, database_url: str
) -> None:
    bridge = await start()
    await bridge.commit({"core": {"lesson_status": "passed"}})
    await bridge.let_documents_follow()
    add_removals(bridge, "gone", 2)
    rows = json.loads(run("targets", "list", "--json", file=FILE, **{URL: database_url}).stdout)["items"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("analytics", "flowing"), ("", "not configured"), ("gone", "not configured"),
    ]  # fmt: skip
    assert [(row["waiting_removals"], row["oldest_removal"]) for row in rows] == [
        (0, None), (0, None), (2, "2026-01-01T00:00:00.000Z"),
    ]  # fmt: skip
    assert rows[1]["waiting"] == len(bridge.rules())
    assert rows[1]["waiting_documents"] > 0
    assert rows[1]["oldest_waiting"] == "2026-01-01T00:00:00.000Z"
    shown = run("targets", "list", file=FILE, **{URL: database_url}).stdout
    assert "(no LRS yet)" in shown
    (gone,) = (line.split() for line in shown.splitlines() if line.strip().startswith("gone"))
    assert gone == ["gone", "not", "configured", "0", "0", "2", "0", "0"]
