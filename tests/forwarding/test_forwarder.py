"""The forwarder at work: from a commit to the LRS, in order, across restarts and to several LRSs."""

from __future__ import annotations

import asyncio
import socket

from sqlalchemy import text

from bridge.sandbox.lrs import FaultRule, Faults, faults
from storage import leases, outbox
from storage.engine import reading, writing
from storage.outbox import Settlement, Try
from tests.storage.builders import hold, whole
from tests.support.accounts import START
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.deliveries import (
    DONE,
    LEARNERS,
    advance_until,
    deliveries_by_id,
    expect_in_order,
    is_settled,
    statements,
    store_statements,
    wait_until_settled,
)
from tests.support.lrs import POST, Lrs, StartLrs
from tests.support.waiting import wait_until


async def test_statements_arrive_in_order_and_byte_for_byte_as_they_were_stored(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    for number in range(4):
        for learner in LEARNERS:
            await bridge.commit(
                {"core": {"score": {"raw": str(number)}}}, learner={"id": learner, "name": "Ana Ćirić ☃"}
            )
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)
    bodies = {statement.id: statement.body for statement in statements(bridge)}

    for raw, arrival in zip(lrs.bodies, lrs.posts(), strict=True):
        assert (
            raw.decode() == "[" + ",".join(bodies[statement_id or ""] for statement_id in arrival.statement_ids) + "]"
        )
    assert {(way.state, way.tries, way.last_status) for way in deliveries_by_id(bridge).values()} == {
        ("delivered", 1, 200)
    }


async def test_many_statements_go_together_but_never_too_many(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(ids=(ids := Ids()))
    for number in range(60):
        await bridge.commit({"core": {"score": {"raw": str(number)}}})
    await bridge.close()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, ids=ids)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)

    assert [len(post.statement_ids) for post in lrs.posts()] == [50, len(lrs.ids()) - 50]


async def test_what_waits_when_the_bridge_stops_is_sent_when_it_starts_again(lrs: Lrs, start: StartBridge) -> None:
    lrs.script(FaultRule(faults.Answer(503), when=POST))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(DONE)
    await wait_until(lambda: len(lrs.posts()) >= 2)
    await bridge.close()
    assert not is_settled(bridge)
    lrs.script()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)


async def test_what_was_stored_before_any_lrs_was_configured_goes_to_all_that_are_then(
    lrs: Lrs, start: StartBridge
) -> None:
    bridge, ids = await store_statements(start)
    assert {(way.state, way.tries) for way in deliveries_by_id(bridge, outbox.UNASSIGNED).values()} == {("waiting", 0)}
    assert list(deliveries_by_id(bridge, outbox.UNASSIGNED)) == ids
    bridge = await start(targets=(lrs.settings("first"), lrs.settings("second")), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    assert {way.state for way in deliveries_by_id(bridge, "first").values()} == {"delivered"}
    assert {way.state for way in deliveries_by_id(bridge, "second").values()} == {"delivered"}
    assert sorted(lrs.ids()) == sorted(ids)


async def test_no_statement_overtakes_one_of_its_attempt_that_waits_to_be_tried_again(
    lrs: Lrs, start: StartBridge
) -> None:
    bridge, _ = await store_statements(start)
    first, other_ids = (
        statements(bridge, ["u1"])[0].id,
        {statement.id for statement in statements(bridge, ["u2", "u3"])},
    )
    with writing(bridge.engine) as connection:
        hold(connection, [outbox.UNASSIGNED])
        claimed = outbox.claim(connection, whole(outbox.UNASSIGNED), now=START, limit=50, most_bytes=10**6).claimed
        leases.give_back(connection, owner=whole().owner)
        delivery = next(row.id for row in claimed if row.statement_id == first)
        failed = Try("lrs", START, 1, "retry", 503, "down")
        outbox.settle(connection, [Settlement(failed, [delivery], "waiting", START + 60_000, None)])
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: set(lrs.ids()) == other_ids)
    await bridge.commit({"core": {"score": {"raw": "99"}}}, learner={"id": "u2"})
    await wait_until(lambda: set(lrs.ids()) == {statement.id for statement in statements(bridge, ["u2", "u3"])})
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered", "waiting"}
    await wait_until_settled(bridge, 60)
    expect_in_order(lrs, bridge)


async def test_an_lrs_that_asks_for_time_is_given_it_and_stopping_does_not_wait_for_it(
    lrs: Lrs, start: StartBridge
) -> None:
    lrs.script(FaultRule(faults.Answer(503, {"Retry-After": "600"}, "back soon"), when=POST))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(DONE)
    await wait_until(lambda: all(way.tries for way in deliveries_by_id(bridge).values()))
    async with asyncio.timeout(10):
        await bridge.close()
    assert len(lrs.posts()) == 1
    with reading(bridge.engine) as connection:
        times = connection.execute(text("SELECT DISTINCT not_before FROM delivery WHERE tries > 0")).scalars().all()
    assert times == [START + 600_000]
    lrs.script()
    bridge.clock.advance(600)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, clock=bridge.clock)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)


async def test_stopping_waits_for_the_request_under_way_and_notes_what_came_of_it(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def gate(_seconds: float) -> None:
        arrived.set()
        await go_on.wait()

    lrs = await start_lrs(faults=Faults([FaultRule(faults.Delay(1), when=POST)], sleep=gate))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"core": {"score": {"raw": "1"}}})
    await arrived.wait()
    under_way = {statement_id for statement_id in lrs.posts()[0].statement_ids if statement_id}
    stopping = asyncio.create_task(bridge.close())
    await wait_until(lambda: not _listens(bridge))
    go_on.set()
    await stopping

    assert {
        statement_id for statement_id, way in deliveries_by_id(bridge).items() if way.state == "delivered"
    } == under_way
    assert set(lrs.ids()) == under_way


def _listens(bridge: Bridge) -> bool:
    try:
        socket.create_connection((bridge.client.host, bridge.client.port)).close()
    except OSError:
        return False
    return True


async def test_every_lrs_gets_every_statement(start_lrs: StartLrs, start: StartBridge) -> None:
    lrss = {name: await start_lrs() for name in ("first", "second", "third")}
    bridge = await start(targets=tuple(lrs.settings(name) for name, lrs in lrss.items()))
    for learner in LEARNERS:
        await bridge.commit(DONE, learner={"id": learner})
    await wait_until(lambda: is_settled(bridge))
    for name, lrs in lrss.items():
        assert {way.state for way in deliveries_by_id(bridge, name).values()} == {"delivered"}
        for learner in LEARNERS:
            its = [statement.id for statement in statements(bridge, [learner])]
            assert [statement_id for statement_id in lrs.ids() if statement_id in its] == its


async def test_an_lrs_that_is_down_holds_up_no_other(start_lrs: StartLrs, start: StartBridge) -> None:
    down, up = await start_lrs(), await start_lrs()
    down.script(FaultRule(faults.Answer(503), when=POST))
    bridge = await start(targets=(down.settings("down"), up.settings("up")))
    await bridge.commit(DONE)
    await wait_until(lambda: {way.state for way in deliveries_by_id(bridge, "up").values()} == {"delivered"})
    assert {way.state for way in deliveries_by_id(bridge, "down").values()} == {"waiting"}
    down.script()
    await wait_until(lambda: is_settled(bridge))
    assert down.ids() == up.ids()


async def test_what_a_process_without_an_lrs_stores_goes_on_its_way_in_order(lrs: Lrs, start: StartBridge) -> None:
    """Any process takes commits of any session; only some know where statements go."""
    ids = Ids()
    sending = await start(targets=(lrs.settings(),), ids=ids)
    silent = await start(token=sending.token, ids=ids, clock=sending.clock)
    opened = await silent.commit({"core": {"score": {"raw": "0"}}})
    for raw in range(1, 9):
        taking = silent if raw % 2 else sending
        await taking.commit({"core": {"score": {"raw": str(raw)}}}, session_id=opened["session_id"])
        sending.clock.advance(2)
    await advance_until(sending, lambda: len(lrs.ids()) == 10, 1)

    (report,) = sending.reports()

    assert lrs.ids() == [statement.id for statement in report.statements]
