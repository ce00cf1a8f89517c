"""`scorm-bridge deliveries`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from storage import audit_log, outbox, pauses
from storage import deliveries as stored
from storage.deliveries import DeliveryFilter
from storage.engine import open_engine, reading, writing
from storage.outbox import Settlement, Try
from storage.pauses import Pause
from storage.tables import delivery
from tests.cli.conftest import Run
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge

URL = "SCORM_BRIDGE_DATABASE__URL"
PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}


@pytest.fixture
async def bridge(start: StartBridge) -> Bridge:
    """Two learners' statements for `analytics`, u1's second of them dead."""
    bridge = await start()
    for learner in ("u1", "u2"):
        await bridge.commit(PASSED, learner={"id": learner})
    with writing(bridge.engine) as connection:
        connection.execute(update(delivery).values(target="analytics"))
        (row,) = stored.find(connection, DeliveryFilter(statement=_ids(bridge)[1]))
        done = Try("analytics", START, 7, "refused", 400, "no such verb here")
        outbox.settle(connection, [Settlement(done, [row.id], "dead", 0, START)])
    return bridge


def _ids(bridge: Bridge, learner: str = "u1") -> list[str]:
    return [statement.id for statement in bridge.reports(learner)[0].statements]


def _states(bridge: Bridge) -> list[str]:
    return [way.state for statement in bridge.reports()[0].statements for way in statement.deliveries]


@pytest.fixture
def run_json(run: Run, database_url: str) -> Any:
    """Run a command and read the JSON that it prints."""

    def runner(*arguments: str) -> Any:
        result = run("deliveries", *arguments, "--json", **{URL: database_url})
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return runner


async def test_deliveries_are_listed_by_what_is_asked_for(bridge: Bridge, run_json: Any) -> None:
    assert [item["statement_id"] for item in run_json("list", "--learner", "u2")["items"]] == _ids(bridge, "u2")[::-1]
    (dead,) = run_json("list", "--state", "dead")["items"]
    assert (dead["statement_id"], dead["status"], dead["answer"]) == (_ids(bridge)[1], 400, "no such verb here")
    assert run_json("list", "--since", "2026-01-02") == {"items": [], "next": None}
    assert run_json("list", "--until", "2026-01-01T01:00:00+01:00", "--learner", "u1")["items"] == []
    assert len(run_json("list", "--since", "2026-01-01", "--learner", "u1")["items"]) == len(_ids(bridge))


async def test_a_list_goes_on_where_the_last_page_ended(
    bridge: Bridge, run_json: Any, run: Run, database_url: str
) -> None:
    first = run_json("list", "--limit", "2")
    rest = run_json("list", "--after", first["next"])
    expected = (_ids(bridge) + _ids(bridge, "u2"))[::-1]
    assert [item["statement_id"] for item in first["items"] + rest["items"]] == expected
    shown = run("deliveries", "list", "--limit", "2", **{URL: database_url})
    assert f"--after {first['next']}" in shown.stderr
    assert expected[0] in shown.stdout
    assert expected[2] not in shown.stdout


async def test_a_statement_is_explained_with_its_commit_its_rule_and_what_the_lrs_said(
    bridge: Bridge, run_json: Any, run: Run, database_url: str
) -> None:
    report = bridge.reports()[0]
    statement = run_json("explain", _ids(bridge)[1], "--body")
    assert (statement["rule"], statement["learner"], statement["activity"]) == (report.statements[1].rule, "u1", "235")
    assert (statement["session"], statement["commit"]["number"], statement["commit"]["format"]) == (
        report.statements[1].session_id,
        1,
        "native",
    )
    assert statement["mapping"] == "scorm-profile"
    assert statement["body"]["id"] == _ids(bridge)[1]
    (way,) = statement["deliveries"]
    assert (way["state"], way["tries"][0]["status"], way["tries"][0]["duration_ms"]) == ("dead", 400, 7)
    assert "a retry sends it again" in way["next"]
    shown = run("deliveries", "explain", _ids(bridge)[1], **{URL: database_url})
    assert "to analytics: dead; next: nothing, the LRS refused it" in shown.stdout
    assert "400 refused in 7 ms: no such verb here" in shown.stdout


async def test_what_a_waiting_delivery_waits_for_is_told(bridge: Bridge, run_json: Any) -> None:
    first, third = _ids(bridge)[0], _ids(bridge)[2]
    assert "as soon as" in run_json("explain", first)["deliveries"][0]["next"]
    waits_for = run_json("explain", third)["deliveries"][0]["next"]
    assert waits_for == f"it waits for 1 earlier statement of its attempt, the first is {first}"
    with writing(bridge.engine) as connection:
        pauses.begin(connection, Pause("analytics", START, "ada", "moving house", automatic=False))
    assert "ada paused analytics: moving house" in run_json("explain", first)["deliveries"][0]["next"]


async def test_dead_ones_wait_again_under_the_same_id(bridge: Bridge, run: Run, database_url: str) -> None:
    before = _ids(bridge)
    done = run("deliveries", "retry", "--target", "analytics", "--yes", "--by", "ada", **{URL: database_url})
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Retry: 1 done." in done.stderr
    assert set(_states(bridge)) == {"waiting"}
    assert _ids(bridge) == before
    with reading(bridge.engine) as connection:
        (act,) = [entry for entry in audit_log.newest(connection) if entry.action == "retry"]
    assert (act.by, act.action, act.affected, json.loads(act.subject)) == (
        "ada",
        "retry",
        1,
        {"target": "analytics", "state": "dead"},
    )


async def test_what_is_discarded_stays_to_be_seen(bridge: Bridge, run: Run, database_url: str, run_json: Any) -> None:
    done = run("deliveries", "discard", "--learner", "u1", "--reason", "a test learner", "--yes", **{URL: database_url})

    assert done.exit_code == 0
    assert set(_states(bridge)) == {"discarded"}
    assert len(run_json("list", "--state", "discarded")["items"]) == len(_ids(bridge))
    assert run_json("explain", _ids(bridge)[0])["deliveries"][0]["next"] == "nothing, it was discarded"


async def test_nothing_is_done_without_a_yes(bridge: Bridge, run: Run, database_url: str) -> None:
    before = _states(bridge)
    done = run("deliveries", "discard", "--learner", "u1", "--reason", "x", **{URL: database_url})

    assert done.exit_code == 1
    assert _states(bridge) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("retry", "--yes"), "Select deliveries first"),
        (("retry", "--state", "delivered", "--yes"), "that are delivered cannot be selected for retry"),
        (("list", "--since", "yesterday"), "'yesterday' is not a time"),
        (("explain", "12"), "'12' is not a UUID"),
        (("explain", "00000000-0000-4000-8000-000000000000"), "No statement has the id"),
        (("discard", "--target", "x", "--yes"), "Missing option '--reason'"),
    ],
)
async def test_what_cannot_be_done_is_told_in_words(
    bridge: Bridge, run: Run, database_url: str, arguments: tuple[str, ...], words: str
) -> None:
    before = _states(bridge)
    result = run("deliveries", *arguments, **{URL: database_url})

    assert result.exit_code != 0
    assert words in result.stderr
    assert _states(bridge) == before


async def test_many_are_done_in_parts_and_none_is_left(bridge: Bridge, run: Run, database_url: str) -> None:
    for number in range(180):
        await bridge.commit(PASSED, learner={"id": f"v{number}"})
    engine = open_engine(database_url)
    with writing(engine) as connection:
        connection.execute(update(delivery).values(state="dead"))
    done = run("deliveries", "retry", "--state", "dead", "--yes", **{URL: database_url})
    assert done.exit_code == 0
    with reading(engine) as connection:
        assert stored.find(connection, DeliveryFilter(state="dead")) == []
        parts = [act.affected for act in audit_log.newest(connection) if act.action == "retry"]
    engine.dispose()
    assert len(parts) > 1
    assert sum(parts) == 182 * len(_ids(bridge))
