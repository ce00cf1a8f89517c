"""Targets that want some statements and not others."""

from __future__ import annotations

from bridge.settings import FilterSettings
from tests.support.bridge import StartBridge
from tests.support.deliveries import DONE, is_settled
from tests.support.lrs import StartLrs
from tests.support.waiting import wait_until

COMPLETED = "http://adlnet.gov/expapi/verbs/completed"


async def test_each_target_gets_what_its_filter_lets_through_in_order(start_lrs: StartLrs, start: StartBridge) -> None:
    everything, results, rest = await start_lrs(), await start_lrs(), await start_lrs()
    bridge = await start(
        targets=(
            everything.settings("everything"),
            results.settings("results", filter=FilterSettings(only=("passed", COMPLETED))),
            rest.settings("rest", filter=FilterSettings(only=(COMPLETED, "scored"), without=("scored",))),
        )
    )
    answer = await bridge.commit(DONE)
    rules = {statement["id"]: statement["rule"] for statement in answer["statements"]}
    await wait_until(lambda: is_settled(bridge))

    assert [rules[statement_id] for statement_id in everything.ids()] == list(rules.values())
    assert [rules[statement_id] for statement_id in results.ids()] == ["completed", "passed"]
    assert [rules[statement_id] for statement_id in rest.ids()] == ["completed"]
