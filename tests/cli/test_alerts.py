"""`scorm-bridge alerts`: what has begun, and whether the channels work."""

from __future__ import annotations

import json

from storage import alerts
from storage.alerts import Alert
from storage.engine import open_engine, writing
from storage.states import NotificationState
from tests.cli.conftest import Run
from tests.support.accounts import START

CHANNEL = {"name": "ops", "type": "webhook", "url": "http://127.0.0.1:1/"}


def test_what_has_begun_is_listed_with_whom_it_was_told_to(run: Run) -> None:
    run("migrate")
    assert "Nothing is wrong." in run("alerts", "list").stderr
    engine = open_engine("sqlite:///scorm-bridge.db")
    with writing(engine) as connection:
        alerts.begin(connection, Alert("low-disk", "", START, "3 MiB are left"), ["ops"], START)
        (waiting,) = alerts.due(connection, START)
        alerts.settle(connection, [waiting.id], NotificationState.WAITING, not_before=START + 1, error="no route")
    engine.dispose()
    (item,) = json.loads(run("alerts", "list", "--json").stdout)["items"]
    assert (item["condition"], item["since"], item["detail"]) == (
        "low-disk",
        "2026-01-01T00:00:00.000Z",
        "3 MiB are left",
    )
    assert [(one["channel"], one["state"], one["error"]) for one in item["notifications"]] == [
        ("ops", "waiting", "no route")
    ]
    table = run("alerts", "list").stdout
    assert all(words in table for words in ("low-disk", "3 MiB are left", "began (ops)", "no route"))


def test_a_channel_that_does_not_work_is_said_with_the_reason(run: Run) -> None:
    result = run("alerts", "test", SCORM_BRIDGE_ALERTS=json.dumps([CHANNEL]))

    assert result.exit_code == 1
    assert result.stdout.startswith("ops: not sent: ")


def test_without_channels_it_says_how_to_get_one(run: Run) -> None:
    result = run("alerts", "test")

    assert result.exit_code == 1
    assert "add an [[alerts]] section" in result.stderr
