"""Faults by script: each action, when it fires, how often, and what the ledger says of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import ClientConnectionError

from bridge.sandbox.lrs import FaultRule, Faults, Match, faults
from tests.sandbox.conftest import Lrs, MakeStatement, NewId, StartSandboxLrs

DOWN = {"then": {"do": "answer", "status": 503, "headers": {"Retry-After": "7"}, "body": "down"}}


async def test_an_answer_comes_before_anything_is_stored(lrs: Lrs, statement: MakeStatement) -> None:
    lrs.script(DOWN)
    answer = await lrs.post(statement())

    assert (answer.status, answer.headers["Retry-After"], await answer.text()) == (503, "7", "down")
    assert len(lrs.store) == 0


async def test_store_then_answer_hides_that_all_went_well(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    lrs.script({"then": {"do": "store_then_answer", "status": 500}})

    assert (await lrs.post(statement(new_id(1)))).status == 500
    assert [stored["id"] for stored in lrs.store.statements()] == [new_id(1)]
    assert lrs.last().stored == (new_id(1),)


@pytest.mark.parametrize(("action", "count"), [("cut", 0), ("store_then_cut", 1)])
async def test_a_cut_connection_gives_no_answer(lrs: Lrs, statement: MakeStatement, action: str, count: int) -> None:
    lrs.script({"then": {"do": action}})
    with pytest.raises(ClientConnectionError):
        await lrs.post(statement())

    assert len(lrs.store) == count
    assert (lrs.last().outcome, lrs.last().status, lrs.last().faults) == ("cut", None, (action,))


async def test_the_next_request_goes_on_as_if_nothing_had_been_cut(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    lrs.script({"then": {"do": "store_then_cut"}, "times": 1})
    with pytest.raises(ClientConnectionError):
        await lrs.post(statement(new_id(1)))

    assert (await lrs.post(statement(new_id(1)))).status == 200
    assert len(lrs.store) == 1


async def test_a_delay_waits_first_and_lets_the_next_rules_speak(
    start: StartSandboxLrs, statement: MakeStatement
) -> None:
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append((seconds, len(lrs.store)))

    lrs = await start(faults=Faults(sleep=sleep))
    lrs.script(
        {"then": {"do": "delay", "seconds": 2.5}},
        {"then": {"do": "delay", "seconds": 1}, "times": 1},
        {"then": {"do": "store_then_answer", "status": 504}},
    )

    assert (await lrs.post(statement())).status == 504
    assert waited == [(2.5, 0), (1, 0)]
    assert lrs.last().faults == ("delay", "delay", "store_then_answer")


async def test_a_rule_fires_after_so_many_requests_and_so_many_times(lrs: Lrs) -> None:
    lrs.script(DOWN | {"after": 2, "times": 3})
    statuses = [(await lrs.get()).status for _ in range(7)]

    assert statuses == [200, 200, 503, 503, 503, 200, 200]
    assert lrs.faults.report().matched == (7,)
    assert lrs.faults.report().fired == (3,)


async def test_the_first_rule_that_decides_hides_the_request_from_the_rest(lrs: Lrs) -> None:
    first = {"name": "first", "then": {"do": "answer", "status": 429}, "times": 1}
    lrs.script(first, DOWN | {"name": "second", "after": 1})

    assert [(await lrs.get()).status for _ in range(3)] == [429, 200, 503]
    assert lrs.faults.report().matched == (3, 2)
    assert [arrival.faults for arrival in lrs.ledger.arrivals()] == [("first",), (), ("second",)]


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({}, True),
        ({"method": "POST"}, True),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"path": "/xapi/statements"}, True),
        ({"path": "/xapi/activities"}, False),
        ({"statement_ids": ["{second}"]}, True),
        ({"statement_ids": ["{other}", "{SECOND}"]}, True),
        ({"statement_ids": ["{other}"]}, False),
        ({"min_statements": 2}, True),
        ({"min_statements": 3}, False),
        ({"min_bytes": 300}, True),
        ({"min_bytes": 30_000}, False),
        ({"method": "POST", "statement_ids": ["{other}"]}, False),
    ],
    ids=str,
)
async def test_a_rule_is_for_the_requests_it_says(
    lrs: Lrs, statement: MakeStatement, new_id: NewId, when: dict[str, Any], *, hit: bool
) -> None:
    named = {"{second}": new_id(2), "{SECOND}": new_id(2).upper(), "{other}": new_id(3)}
    if "statement_ids" in when:
        when = when | {"statement_ids": [named[name] for name in when["statement_ids"]]}
    lrs.script(DOWN | {"when": when})
    answer = await lrs.post([statement(new_id(1)), statement(new_id(2))])

    assert answer.status == (503 if hit else 200)


async def test_a_put_matches_by_the_id_of_its_parameter(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    lrs.script(DOWN | {"when": {"statement_ids": [new_id(1)]}})

    assert (await lrs.put(new_id(1), statement())).status == 503
    assert (await lrs.put(new_id(2), statement())).status == 204


async def test_a_fault_comes_before_credentials_and_versions_are_asked_for(start: StartSandboxLrs) -> None:
    lrs = await start(credentials={"ada": "secret"})
    lrs.script(DOWN)

    assert (await lrs.client.get("/xapi/statements")).status == 503


async def test_the_page_and_the_control_are_never_spoilt(lrs: Lrs) -> None:
    lrs.script(DOWN)

    for path in ("/", "/control/ledger", "/control/faults"):
        assert (await lrs.client.get(path)).status == 200


async def test_a_never_idempotent_lrs_answers_409_to_what_it_knows(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.post(statement(new_id(1)))
    lrs.script({"then": {"do": "known_is_conflict"}})

    assert (await lrs.post(statement(new_id(1)))).status == 409
    assert (await lrs.post([statement(new_id(2)), statement(new_id(1))])).status == 409
    assert (await lrs.put(new_id(1), statement(new_id(1)))).status == 409
    assert len(lrs.store) == 1
    assert (await lrs.post(statement(new_id(3)))).status == 200
    assert lrs.last().faults == ()
    assert lrs.faults.report().fired == (3,)


async def test_an_lrs_that_leaves_known_statements_out_answers_204_when_all_are(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    await lrs.post(statement(new_id(1)))
    lrs.script({"then": {"do": "known_is_no_content"}})
    answer = await lrs.post([statement(new_id(1))])
    assert (answer.status, await answer.read()) == (204, b"")
    answer = await lrs.post([statement(new_id(1)), statement(new_id(2))])
    assert (answer.status, await answer.json()) == (200, [new_id(2)])
    assert (await lrs.post([statement(new_id(3)), statement(new_id(1), verb={"id": "urn:x"})])).status == 409
    assert len(lrs.store) == 2


async def test_an_invalid_statement_can_look_like_an_outage(lrs: Lrs, statement: MakeStatement) -> None:
    lrs.script({"then": {"do": "invalid_is_server_error"}, "times": 1})

    assert (await lrs.post(statement())).status == 200
    assert (await lrs.post(statement(actor={"mbox": "ada"}))).status == 500
    assert (await lrs.post(statement(actor={"mbox": "ada"}))).status == 400


async def test_manners_go_with_a_decision(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    await lrs.post(statement(new_id(1)))
    lrs.script({"then": {"do": "known_is_conflict"}}, {"then": {"do": "store_then_answer", "status": 502}})

    assert (await lrs.post([statement(new_id(1)), statement(new_id(2))])).status == 502
    assert lrs.last().faults == ("store_then_answer", "known_is_conflict")
    assert len(lrs.store) == 1


async def test_a_script_can_be_read_and_exchanged_while_running(lrs: Lrs, statement: MakeStatement) -> None:
    script = [DOWN | {"name": "down", "times": 2}, {"then": {"do": "delay", "seconds": 0}}]
    assert (await lrs.client.put("/control/faults", json=script)).status == 204
    assert (await lrs.post(statement())).status == 503
    report = await (await lrs.client.get("/control/faults")).json()
    assert (report["matched"], report["fired"]) == ([1, 0], [1, 0])
    assert (report["rules"][0]["name"], report["rules"][0]["times"]) == ("down", 2)
    # What is read can be put back as it is.
    assert (await lrs.client.put("/control/faults", json=report["rules"])).status == 204
    assert (await (await lrs.client.get("/control/faults")).json())["rules"] == report["rules"]


@pytest.mark.parametrize(
    ("script", "place"),
    [
        (b"{}", "Expected `array`"),
        (b"[", "truncated"),
        (b'[{"then": {"do": "explode"}}]', "$[0].then.do"),
        (b'[{"then": {"do": "answer"}}]', "$[0].then"),
        (b'[{"then": {"do": "answer", "status": 99}}]', "$[0].then.status"),
        (b'[{"then": {"do": "cut", "why": ""}}]', "$[0].then"),
        (b'[{"then": {"do": "delay", "seconds": -1}}]', "$[0].then.seconds"),
        (b'[{"then": {"do": "cut"}, "times": 0}]', "$[0].times"),
        (b'[{"then": {"do": "cut"}, "when": {"verb": "x"}}]', "$[0].when"),
    ],
)
async def test_a_wrong_script_is_refused_with_the_place_named_and_the_old_one_stays(
    lrs: Lrs, script: bytes, place: str
) -> None:
    lrs.script(DOWN)
    answer = await lrs.client.put("/control/faults", data=script)

    assert answer.status == 400
    assert place in (await answer.json())["problems"][0]
    assert lrs.faults.report().rules == faults.load(msgspec.json.encode([DOWN]))


async def test_a_script_can_be_given_in_python_at_the_start(start: StartSandboxLrs) -> None:
    rule = FaultRule(faults.Answer(429), when=Match(method="GET"), times=1)
    lrs = await start(faults=Faults([rule]))

    assert [(await lrs.get()).status for _ in range(2)] == [429, 200]
