"""Statements that met others of another history of the database: an alarm everywhere, and an act of people ends it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from storage import audit_log, deliveries, outbox
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.outbox import Settlement, Try
from storage.tables import delivery
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.browser import Visitor

QUERY = "target=analytics&state=dead&outcome=diverged"


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge one of whose statements for `analytics` met another one there, and another was refused."""
    await bridge.commit({"core": {"lesson_status": "passed", "score": {"raw": "85"}}})
    with writing(bridge.engine) as connection:
        connection.execute(update(delivery).values(target="analytics"))
        newest, second, *_ = deliveries.find(connection, DeliveryFilter(target="analytics"))
        for row, outcome, status in ((newest, "diverged", 409), (second, "refused", 400)):
            done = Try("analytics", START, 7, outcome, status, "another statement")
            outbox.settle(connection, [Settlement(done, [row.id], "dead", 0, START)])
    return bridge


def _deliveries(bridge: Bridge) -> list[deliveries.Delivery]:
    with reading(bridge.engine) as connection:
        return deliveries.find(connection, DeliveryFilter(target="analytics"))


async def test_every_page_about_targets_says_so_and_leads_to_what_can_be_done(bridge: Bridge, admin: Visitor) -> None:
    overview = await admin.text("/audit/")
    assert "1 delivery conflicts with statements of another history at analytics" in overview
    assert "state=dead&amp;target=analytics&amp;outcome=diverged" in overview
    assert "different statements under the ids of" in await admin.text("/audit/targets")
    causes = await admin.text("/audit/deliveries")
    assert "this database does not know" in causes
    assert causes.count("Re-issue under new ids…") == 1
    page = await admin.text(f"/audit/deliveries?{QUERY}")
    assert "Re-issue all results under new ids…" in page
    assert "Retry all results…" not in page


async def test_an_admin_re_issues_it_under_a_new_id_and_the_rest_stays_as_it_is(bridge: Bridge, admin: Visitor) -> None:
    before = _deliveries(bridge)
    page = f"/audit/deliveries/reissue?{QUERY}"
    assert "What\n  the LRS has stays there." in await admin.text(page)
    fields = {"target": "analytics", "state": "dead", "outcome": "diverged"}
    done = await admin.post("/audit/deliveries/reissue", page=page, reason="Tuesday's backup", **fields)
    assert done.status == 303

    new, old, *rest = _deliveries(bridge)
    assert (old.statement_id, old.state) == (before[0].statement_id, "discarded")
    assert rest == before[1:]
    assert (new.state, new.rule, new.session_id) == ("waiting", old.rule, old.session_id)
    assert new.position == len(before) + 1
    bodies = {statement.id: json.loads(statement.body) for statement in bridge.reports()[0].statements}
    assert bodies[new.statement_id] == bodies[old.statement_id] | {"id": new.statement_id}
    with reading(bridge.engine) as connection:
        act = next(entry for entry in audit_log.newest(connection) if entry.action == "reissue")
    assert (act.by, act.affected, act.reason) == ("ada", 1, "Tuesday's backup")
    assert "another history" not in await admin.text("/audit/")


async def test_the_session_goes_on_behind_it(bridge: Bridge, admin: Visitor) -> None:
    fields = {"target": "analytics", "outcome": "diverged", "reason": "restored"}
    await admin.post("/audit/deliveries/reissue", page=f"/audit/deliveries/reissue?{QUERY}", **fields)
    count = len(_deliveries(bridge))
    report = bridge.reports()[0]
    await bridge.commit({"core": {"score": {"raw": "90"}}}, session_id=report.sessions[0].session_id)
    positions = [statement.position for statement in bridge.reports()[0].statements]

    assert positions == list(range(1, count + 2))


async def test_nothing_else_can_be_re_issued(bridge: Bridge, admin: Visitor, auditor: Visitor) -> None:
    for query in ("target=analytics&outcome=refused", "target=analytics&state=waiting", ""):
        response = await admin.get(f"/audit/deliveries/reissue?{query}")
        assert response.status == 400, query
    assert (await auditor.get(f"/audit/deliveries/reissue?{QUERY}")).status == 403
    refused = await admin.post("/audit/deliveries/reissue", page=f"/audit/deliveries?{QUERY}", target="analytics")
    assert refused.status == 400  # no reason
    assert sorted(row.state for row in _deliveries(bridge)).count("dead") == 2
