"""The ledger of what arrived, and the control that shows and empties everything."""

from __future__ import annotations

from aiohttp import encode_basic_auth

from bridge.sandbox.lrs import Faults
from tests.sandbox.conftest import Clock, Lrs, MakeStatement, NewId, StartSandboxLrs


async def test_the_ledger_has_every_request_in_order_whatever_became_of_it(
    lrs: Lrs, statement: MakeStatement, new_id: NewId, clock: Clock
) -> None:
    await lrs.post([statement(new_id(1)), statement()])
    clock.move(seconds=1)
    lrs.script({"name": "down", "then": {"do": "answer", "status": 503}, "times": 1})
    await lrs.post([statement(new_id(2))])
    await lrs.post([statement(new_id(2)), statement(new_id(1))])
    await lrs.post([statement(new_id(3), verb={})])
    await lrs.get(statementId=new_id(1))
    await lrs.client.post("/xapi/statements", json=statement(new_id(1)))
    arrivals = await (await lrs.client.get("/control/ledger")).json()
    generated_id = "00000000-0000-0000-0000-000000000001"

    assert [
        (
            arrival["number"],
            arrival["method"],
            arrival["statement_ids"],
            arrival["first_arrival"],
            arrival["stored"],
            arrival["status"],
        )
        for arrival in arrivals
    ] == [
        (1, "POST", [new_id(1), None], [True, True], [new_id(1), generated_id], 200),
        (2, "POST", [new_id(2)], [True], [], 503),
        (3, "POST", [new_id(2), new_id(1)], [False, False], [new_id(2)], 200),
        (4, "POST", [new_id(3)], [True], [], 400),
        (5, "GET", [], [], [], 200),
        (6, "POST", [new_id(1)], [False], [], 400),
    ]
    assert arrivals[0]["at"] == "2026-01-31T12:00:00Z"
    assert arrivals[1]["at"] == "2026-01-31T12:00:01Z"
    assert [arrival["faults"] for arrival in arrivals] == [[], ["down"], [], [], [], []]
    assert {arrival["outcome"] for arrival in arrivals} == {"answered"}
    assert arrivals[4]["target"] == f"/xapi/statements?statementId={new_id(1)}"


async def test_one_id_twice_in_a_request_arrives_first_once(lrs: Lrs, statement: MakeStatement, new_id: NewId) -> None:
    await lrs.post([statement(new_id(1)), statement(new_id(1).upper())])

    assert lrs.last().first_arrival == (True, False)


async def test_a_body_that_is_no_json_is_in_the_ledger_too(lrs: Lrs) -> None:
    for data in (b"{", b"[1, {}]", b'{"id": 7}', b"[" * 9999):
        await lrs.ask("POST", "statements", data=data)

    assert [arrival.statement_ids for arrival in lrs.ledger.arrivals()] == [(), (None, None), (None,), ()]


async def test_unknown_addresses_and_methods_are_in_the_ledger(lrs: Lrs) -> None:
    assert (await lrs.ask("GET", "nowhere")).status == 404
    assert (await lrs.ask("PATCH", "statements")).status == 405
    assert [(arrival.outcome, arrival.status) for arrival in lrs.ledger.arrivals()] == [
        ("answered", 404),
        ("answered", 405),
    ]


async def test_the_control_itself_is_not_in_the_ledger(lrs: Lrs) -> None:
    await lrs.client.get("/control/statements")
    await lrs.client.get("/")

    assert lrs.ledger.arrivals() == ()


async def test_statements_are_given_in_order_of_first_arrival(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    for number in (2, 1, 2, 3):
        await lrs.post(statement(new_id(number)))
    statements = await (await lrs.client.get("/control/statements")).json()

    assert [stored["id"] for stored in statements] == [new_id(2), new_id(1), new_id(3)]


async def test_the_control_empties_everything_and_the_script_begins_anew(
    lrs: Lrs, statement: MakeStatement, new_id: NewId
) -> None:
    lrs.script({"then": {"do": "answer", "status": 503}, "times": 1})
    state = {"activityId": "urn:a", "agent": '{"openid": "https://a.example.org"}', "stateId": "s"}
    await lrs.get()
    await lrs.post(statement(new_id(1)))
    await lrs.ask("PUT", "activities/state", params=state, data=b"x")

    assert (await lrs.client.delete("/control")).status == 204
    assert lrs.ledger.arrivals() == ()
    assert len(lrs.store) == 0
    assert lrs.faults.report().fired == (0,)
    assert (await lrs.get()).status == 503
    assert (await lrs.ask("GET", "activities/state", params=state)).status == 404
    assert (await lrs.post(statement(new_id(1)))).status == 200
    assert lrs.last().first_arrival == (True,)


async def test_a_request_under_way_while_all_is_emptied_does_no_harm(
    start: StartSandboxLrs, statement: MakeStatement
) -> None:
    async def empty_meanwhile(_: float) -> None:
        await lrs.client.delete("/control")

    lrs = await start(faults=Faults(sleep=empty_meanwhile))
    lrs.script({"then": {"do": "delay", "seconds": 1}, "times": 1})

    assert (await lrs.post(statement())).status == 200
    assert lrs.ledger.arrivals() == ()
    assert len(lrs.store) == 1


async def test_the_control_needs_no_credentials(start: StartSandboxLrs) -> None:
    lrs = await start(credentials={"ada": "secret"})
    for path in ("/control/ledger", "/control/statements", "/control/faults", "/"):
        assert (await lrs.client.get(path)).status == 200
    headers = {"Authorization": encode_basic_auth("ada", "secret")}

    assert (await lrs.ask("GET", "statements", headers=headers)).status == 200
