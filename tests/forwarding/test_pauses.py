"""Paused targets: by people, and by an LRS that does not let the bridge in."""

from __future__ import annotations

import pytest

from bridge.sandbox.lrs import LEDGER, FaultRule, Match, faults
from storage import pauses
from storage.engine import reading, writing
from storage.pauses import Pause
from tests.support.accounts import START
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.deliveries import DONE, deliveries_by_id, expect_in_order, is_settled, store_statements
from tests.support.lrs import Lrs, StartLrs
from tests.support.waiting import wait_until

BY_PEOPLE = Pause("lrs", START, "ada", "moving house", automatic=False)


def _paused(bridge: Bridge) -> dict[str, Pause]:
    with reading(bridge.engine) as connection:
        return pauses.current(connection)


async def test_a_paused_target_gets_nothing_until_people_end_it_and_others_go_on(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    lrs, other = await start_lrs(), await start_lrs()
    before, _ = await store_statements(start, ids=(ids := Ids()))
    with writing(before.engine) as connection:
        pauses.begin(connection, BY_PEOPLE)
    bridge = await start(targets=(other.settings("other"), lrs.settings()), token=before.token, ids=ids)
    await bridge.commit(DONE, learner={"id": "u9"})

    def other_has_all() -> bool:
        way = bridge.reports("u9")[0].statements[-1].deliveries
        return {delivery.target: delivery.state for delivery in way}.get("other") == "delivered"

    await wait_until(other_has_all)
    assert not lrs.app[LEDGER].arrivals()
    assert {way.state for way in deliveries_by_id(bridge).values()} <= {"waiting"}
    with writing(bridge.engine) as connection:
        pauses.end(connection, "lrs")
    await wait_until(lambda: is_settled(bridge))
    assert sorted(lrs.ids()) == sorted(other.ids())


@pytest.mark.parametrize("status", [401, 403])
async def test_an_lrs_that_does_not_let_the_bridge_in_is_paused_and_loses_nothing(
    lrs: Lrs, start: StartBridge, status: int
) -> None:
    lrs.script(FaultRule(faults.Answer(status, body="who are you"), when=Match(path="/xapi/")))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(DONE)
    await wait_until(lambda: _paused(bridge))
    pause = _paused(bridge)["lrs"]
    assert (pause.automatic, pause.by) == (True, "scorm-bridge")
    assert pause.reason.startswith(f"the LRS answered {status}: who are you")
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"waiting"}
    status_told, readiness = await bridge.get("/readyz", token=None)
    assert (status_told, readiness["paused"]["lrs"]["automatic"]) == (200, True)

    lrs.script()

    def later() -> bool:
        bridge.clock.advance(1)
        return is_settled(bridge) and not _paused(bridge)

    await wait_until(later)
    expect_in_order(lrs, bridge)


async def test_a_pause_of_people_outlasts_an_lrs_that_lets_the_bridge_in(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),), ids=(ids := Ids()))
    await bridge.commit(DONE)
    await wait_until(lambda: is_settled(bridge))
    with writing(bridge.engine) as connection:
        pauses.begin(connection, BY_PEOPLE)
    await bridge.close()
    again = await start(targets=(lrs.settings(),), token=bridge.token, ids=ids)
    await again.commit(DONE, learner={"id": "u2"})
    await again.close()

    assert _paused(again) == {"lrs": BY_PEOPLE}
    assert {delivery.state for line in again.reports("u2")[0].statements for delivery in line.deliveries} == {"waiting"}
