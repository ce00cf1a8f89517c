"""What Prometheus reads, and who else may not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from bridge.commits import batch_executor
from bridge.http.services import SERVICES
from bridge.metrics.catalog import BY_NAME, METRICS
from bridge.settings import MetricsSettings, TargetSettings
from storage import pauses
from storage.engine import writing
from storage.pauses import Pause
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import add_removals
from tests.support.lrs import Lrs
from tests.support.waiting import poll, wait_until

NOWHERE = TargetSettings(name="gone", endpoint="http://127.0.0.1:9/xapi/")
Values = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


async def read(bridge: Bridge, **headers: str) -> tuple[int, str]:
    """Return status and text of the metrics."""
    async with bridge.client.get("/metrics", headers=headers) as response:
        return response.status, await response.text()


async def scrape(bridge: Bridge) -> Values:
    """Return the value of each sample."""
    status, text = await read(bridge)
    assert status == 200
    families = parse_text(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(values: Values, name: str, **labels: str) -> float | None:
    """Return the value of a sample; None where there is none."""
    return values.get((name, frozenset(labels.items())))


async def test_commits_are_counted_by_format_and_disposition(bridge: Bridge) -> None:
    for _ in range(2):
        await bridge.commit({"suspend_data": "x"}, sequence=1)
    await bridge.commit({"completion_status": "completed"}, sequence=2)
    values = await scrape(bridge)

    assert value(values, "scorm_bridge_commits_total", format="native", disposition="applied") == 2
    assert value(values, "scorm_bridge_commits_total", format="native", disposition="duplicate") == 1
    assert value(values, "scorm_bridge_commit_duration_seconds_count") == 3
    assert value(values, "scorm_bridge_transaction_duration_seconds_bucket", le="+Inf") == 3
    assert value(values, "scorm_bridge_batch_commands_sum") == 3
    assert value(values, "scorm_bridge_statements_total") == len(bridge.rules())
    assert value(values, "scorm_bridge_queue_commands") == value(values, "scorm_bridge_queue_bytes") == 0
    assert value(values, "scorm_bridge_database_up") == 1
    assert (value(values, "scorm_bridge_database_bytes") or 0) > 10_000


async def test_deliveries_are_counted_by_target_and_outcome_with_what_is_dead(start: StartBridge, lrs: Lrs) -> None:
    lrs.script(lrs.refuse(400, times=1))
    bridge = await start(targets=(lrs.settings(documents=dict.fromkeys(("activity-state",), False)),))
    await bridge.commit({"suspend_data": "x"})
    values = await poll(
        lambda: scrape(bridge),
        lambda now: value(now, "scorm_bridge_lrs_duration_seconds_count", target="lrs", kind="statements"),
    )

    assert value(values, "scorm_bridge_deliveries_total", target="lrs", kind="statements", outcome="refused") == 1
    assert value(values, "scorm_bridge_breaker_open", target="lrs", kind="statements") == 0


async def test_what_waits_for_an_lrs_that_is_down_is_shown_with_its_age(start: StartBridge) -> None:
    bridge = await start(targets=(NOWHERE,))
    await bridge.commit({"suspend_data": "x"})
    assert bridge.client.app is not None
    metrics = bridge.client.app[SERVICES].metrics
    await wait_until(lambda: metrics.collect()["scorm_bridge_breaker_open"].get(("gone", "statements")) == [1])
    bridge.clock.advance(90)
    values = await scrape(bridge)

    assert value(values, "scorm_bridge_waiting_deliveries", target="gone", kind="statements") == 1
    assert value(values, "scorm_bridge_oldest_waiting_seconds", target="gone") == 90
    assert (value(values, "scorm_bridge_deliveries_total", target="gone", kind="statements", outcome="retry") or 0) >= 1


async def test_what_a_target_has_still_to_remove_is_shown_with_its_age(bridge: Bridge) -> None:
    add_removals(bridge, "gone", 2)
    bridge.clock.advance(90)
    values = await scrape(bridge)

    assert value(values, "scorm_bridge_waiting_removals", target="gone") == 2
    assert value(values, "scorm_bridge_oldest_removal_seconds", target="gone") == 90
    assert value(values, "scorm_bridge_waiting_deliveries", target="gone", kind="statements") == 0


async def test_pauses_and_refusals_are_shown(bridge: Bridge) -> None:
    with writing(bridge.engine) as connection:
        pauses.begin(connection, Pause("lrs", 1, "anna", "maintenance", automatic=False))
    await bridge.post("/v1/commits", {"cmi": {}}, token="sxb_unknown")
    values = await scrape(bridge)

    assert value(values, "scorm_bridge_target_paused", target="lrs") == 1
    assert value(values, "scorm_bridge_refusals_total", status="401", code="unknown-token") == 1


async def test_a_database_that_stores_nothing_is_down(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_connection: Connection, *_: Any) -> None:
        raise OperationalError("INSERT", None, Exception("disk I/O error"))

    monkeypatch.setattr(batch_executor, "write", fail)
    await bridge.post("/v1/commits", {"learner": {"id": "u1"}, "activity": {"id": "1"}, "cmi": {"suspend_data": "x"}})
    values = await scrape(bridge)

    assert value(values, "scorm_bridge_database_up") == 0
    assert value(values, "scorm_bridge_failed_transactions_total") == 1
    assert value(values, "scorm_bridge_alarm", alarm="commits-not-stored") == 1


async def test_every_background_task_shows_that_it_runs(bridge: Bridge) -> None:
    values = await poll(
        lambda: scrape(bridge), lambda now: value(now, "scorm_bridge_task_runs_total", task="PauseMonitor")
    )
    tasks = {dict(labels)["task"] for name, labels in values if name == "scorm_bridge_task_success_age_seconds"}

    assert tasks >= {"DocumentBuilder", "IdleSessionReaper", "MappingReloader", "PauseMonitor", "Refusals"}
    assert value(values, "scorm_bridge_task_failures_total", task="PauseMonitor") == 0


async def test_everything_that_is_shown_is_in_the_catalog_and_no_value_is_a_persons(bridge: Bridge) -> None:
    await bridge.commit(
        {"suspend_data": "canary-data"},
        learner={"id": "canary-id", "name": "canary-name"},
        activity={"id": "canary-sco"},
    )
    _, text = await read(bridge)
    families = {family.name: family for family in parse_text(text)}
    known = {metric.name.removesuffix("_total"): metric for metric in METRICS}

    assert families.keys() <= known.keys()
    assert {name: family.type for name, family in families.items()} == {name: known[name].kind for name in families}
    assert {name: known[name].description for name in families} == {
        name: family.documentation for name, family in families.items()
    }
    assert "canary" not in text
    assert len(BY_NAME) > len(families) > 20


async def test_openmetrics_is_given_to_whoever_asks_for_it(bridge: Bridge) -> None:
    async with bridge.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    ) as response:
        assert response.content_type == "application/openmetrics-text"
        names = [family.name for family in parse_openmetrics(await response.text())]

    assert "scorm_bridge_build" in {name.removesuffix("_info") for name in names}


async def test_by_default_only_this_machine_may_read_and_no_proxy_on_it(bridge: Bridge) -> None:
    assert (await read(bridge))[0] == 200
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        status, text = await read(bridge, **{header: "203.0.113.7"})
        assert (status, json.loads(text)["code"]) == (403, "metrics-forbidden"), header


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        ("public", {"X-Forwarded-For": "203.0.113.7"}, 200),
        ("off", {}, 404),
        ("token", {}, 401),
        ("token", {"Authorization": "Bearer wrong"}, 401),
        ("token", {"Authorization": "Basic c2VjcmV0"}, 401),
        ("token", {"Authorization": "Bearer secret", "X-Forwarded-For": "203.0.113.7"}, 200),
    ],
)
async def test_settings_say_who_may_read(start: StartBridge, access: str, headers: dict[str, str], status: int) -> None:
    token = "secret" if access == "token" else ""
    bridge = await start(metrics=MetricsSettings.model_validate({"access": access, "token": token}))

    assert (await read(bridge, **headers))[0] == status
