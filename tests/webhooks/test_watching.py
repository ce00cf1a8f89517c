"""Whoever looks after webhooks is told of one that takes nothing; what is stored of a person is given and deleted."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

from sqlalchemy import text

from bridge.alerts.conditions import of_webhooks
from bridge.backlog import count_webhooks
from bridge.operations.audit_context import AuditContext
from bridge.operations.learner_export import export_learner
from bridge.settings import AlertCondition
from storage import retention
from storage.engine import reading, writing
from storage.queries.learner_data import Learner
from tests.support.bridge import Bridge
from tests.support.sql import scalar
from tests.support.waiting import wait_until
from tests.webhooks.conftest import StartSending

CMI = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}
EVENTS = 3
"""What a commit of it tells."""


def _conditions(bridge: Bridge) -> list[tuple[AlertCondition, str]]:
    with reading(bridge.engine) as connection:
        return [(finding.condition, finding.subject) for finding in of_webhooks(count_webhooks(connection))]


async def test_an_endpoint_that_takes_nothing_is_an_alert_and_counted(start_sending: StartSending) -> None:
    sending = await start_sending()
    bridge, receiver = sending.bridge, sending.receiver
    assert _conditions(bridge) == []
    receiver.answer(503)
    await bridge.commit(CMI)
    await wait_until(lambda: _conditions(bridge) == [(AlertCondition.WEBHOOK_DOWN, "gradebook")])
    async with bridge.client.get("/metrics") as response:
        metrics = await response.text()
    assert f'scorm_bridge_waiting_webhooks{{webhook="gradebook"}} {EVENTS}.0' in metrics
    assert 'scorm_bridge_webhook_down{state="failing",webhook="gradebook"} 1.0' in metrics
    assert 'scorm_bridge_webhook_requests_total{outcome="retry",webhook="gradebook"}' in metrics
    assert "scorm_bridge_webhook_duration_seconds_count" in metrics
    receiver.answer(204)
    await wait_until(lambda: _conditions(bridge) == [])


async def test_what_is_dead_is_an_alert(start_sending: StartSending) -> None:
    sending = await start_sending()
    await sending.bridge.commit(CMI)
    await wait_until(lambda: len(sending.receiver.accepted) == EVENTS)
    _set_state(sending.bridge, "dead")

    assert _conditions(sending.bridge) == [(AlertCondition.WEBHOOK_DEAD, "gradebook")]


async def test_only_what_is_settled_becomes_old(start_sending: StartSending) -> None:
    sending = await start_sending()
    bridge = sending.bridge
    await bridge.commit(CMI)
    await wait_until(
        lambda: scalar(bridge, "SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'") == EVENTS
    )
    later = bridge.clock() + 1
    for state, expected in (("waiting", EVENTS), ("dead", EVENTS), ("delivered", 0)):
        _set_state(bridge, state)
        with reading(bridge.engine) as connection:
            scan = retention.WEBHOOKS.find(connection, 0, later)
        with writing(bridge.engine) as connection:
            retention.WEBHOOKS.remove(connection, scan.ids)
        assert scalar(bridge, "SELECT count(*) FROM webhook_delivery") == expected, state


async def test_an_export_has_what_the_lms_is_told(start_sending: StartSending, tmp_path: Path) -> None:
    sending = await start_sending("enrollment.passed")
    bridge = sending.bridge
    await bridge.commit(CMI)
    await bridge.commit(CMI, learner={"id": "u2"})
    file = tmp_path / "u1.zip"
    export_learner(bridge.engine, Learner("u1"), file, AuditContext("me", "", bridge.clock()))
    with ZipFile(file) as archive:
        lines = archive.read("webhook_deliveries.ndjson").decode().splitlines()
    (row,) = map(json.loads, lines)

    assert (row["webhook"], row["type"]) == ("gradebook", "enrollment.passed")
    assert row["body"]["data"]["learner"] == {"id": "u1"}
    assert sending.secret not in lines[0]


def _set_state(bridge: Bridge, state: str) -> None:
    with writing(bridge.engine) as connection:
        # what waits is not due
        query = "UPDATE webhook_delivery SET state = :state, not_before = :later"
        connection.execute(text(query), {"state": state, "later": bridge.clock() + 60_000})
