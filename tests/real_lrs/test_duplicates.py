"""What real LRSs do with an id that they know, and what must come of it: ours, ours but for spelling, or another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bridge.settings import TargetSettings
from storage.engine import reading
from tests.real_lrs.proxy import proxy_to
from tests.real_lrs.service import PASSWORD, USERNAME, RealLrs
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import deliveries_by_id, is_settled, statements
from tests.support.lrs import NO_DOCUMENTS
from tests.support.waiting import wait_until

CMI = {"core": {"lesson_status": "passed", "score": {"raw": "85"}, "session_time": "00:01:30"}}


def _target(endpoint: str) -> TargetSettings:
    return TargetSettings(
        name="lrs",
        endpoint=endpoint,
        username=USERNAME,
        password=PASSWORD,
        version="1.0.3",
        documents=NO_DOCUMENTS,
    )


async def _stored(start: StartBridge) -> Bridge:
    bridge = await start()
    await bridge.commit(CMI, learner={"id": "u1", "name": "Ada"}, terminated=True)
    await bridge.close()
    return bridge


def _respelled(statement: dict[str, Any]) -> None:
    statement["result"]["duration"] = "PT0H1M30S"


def _renamed(statement: dict[str, Any]) -> None:
    statement["actor"]["name"] = "Ada Lovelace"


def _another(statement: dict[str, Any]) -> None:
    statement["result"]["success"] = not statement["result"]["success"]


@pytest.mark.parametrize(
    ("change", "state", "outcome"),
    [
        (_respelled, "delivered", "equivalent"),
        (_renamed, "delivered", "equivalent"),
        (_another, "dead", "conflict"),
        (lambda _: None, "delivered", "delivered"),
    ],
    ids=["respelled", "renamed", "another", "the same"],
)
async def test_what_the_lrs_has_under_our_id_decides(
    lrs: RealLrs, start: StartBridge, change: Callable[[dict[str, Any]], None], state: str, outcome: str
) -> None:
    bridge = await _stored(start)
    statement = next(line for line in statements(bridge, ["u1"]) if line.rule == "terminated")
    theirs = msgspec.json.decode(statement.body)
    change(theirs)
    assert lrs.post([theirs]) == 200
    bridge = await start(targets=(_target(lrs.endpoint),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    deliveries = deliveries_by_id(bridge)
    assert deliveries.pop(statement.id).state == state
    assert {way.state for way in deliveries.values()} == {"delivered"}
    with reading(bridge.engine) as connection:
        outcomes = {row[0] for row in connection.exec_driver_sql("SELECT outcome FROM try")}
    assert outcome in outcomes
    assert sorted(stored["id"] for stored in lrs.statements()) == sorted(line.id for line in statements(bridge, ["u1"]))


async def test_what_was_stored_although_its_answers_were_lost_is_delivered_once(
    lrs: RealLrs, start: StartBridge
) -> None:
    async with proxy_to(lrs.endpoint) as way:
        way.lose = 2
        bridge = await start(targets=(_target(way.endpoint),))
        await bridge.commit(CMI, learner={"id": "u1", "name": "Ada"}, terminated=True)

        def all_settled() -> bool:
            bridge.clock.advance(1)
            return is_settled(bridge)

        await wait_until(all_settled)
        await bridge.close()
    assert len(way.posts) > way.lose
    assert {delivery.state for delivery in deliveries_by_id(bridge).values()} == {"delivered"}
    ids = [statement.id for statement in statements(bridge, ["u1"])]
    assert [statement["id"] for statement in lrs.statements()] == ids
