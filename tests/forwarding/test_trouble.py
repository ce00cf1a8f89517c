"""What an LRS, the way to it and the database can do to statements, and that none of it loses or doubles one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select, text

from bridge.forwarding import forwarder
from bridge.sandbox.lrs import FAULTS, LEDGER, STATEMENTS, Edition, FaultRule, Match, faults
from bridge.settings import TargetSettings
from storage import outbox, unassigned
from storage.engine import writing
from storage.outbox import Settlement, Try
from storage.tables import delivery, statement
from tests.support.accounts import START
from tests.support.bridge import StartBridge
from tests.support.deliveries import (
    DONE,
    LEARNERS,
    deliveries_by_id,
    expect_in_order,
    is_settled,
    statements,
    store_statements,
    wait_until_settled,
)
from tests.support.lrs import GET, POST, Lrs, StartLrs
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    "trouble",
    [
        faults.Answer(503),
        faults.Answer(429),
        faults.Answer(404),
        faults.Answer(302, {"Location": "https://elsewhere.invalid/"}),
        faults.Answer(200, {"Content-Type": "text/html"}, "<title>Sign in</title>"),
        faults.Answer(401),
        faults.Answer(403),
        faults.Cut(),
        faults.StoreThenCut(),
        faults.StoreThenAnswer(500),
        faults.StoreThenAnswer(504, body="upstream"),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'status', '')}",
)
async def test_trouble_with_the_lrs_or_the_way_is_outlasted_and_everything_stored_once(
    lrs: Lrs, start: StartBridge, trouble: faults.Decision
) -> None:
    lrs.script(FaultRule(trouble, when=POST, times=3))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(DONE)
    await wait_until_settled(bridge)
    expect_in_order(lrs, bridge)

    assert len(lrs.posts()) >= 4
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
    # what the LRS breaks on (500) is parted, so that some of it is tried once more
    assert max(way.tries for way in deliveries_by_id(bridge).values()) in {3, 4, 5}


async def test_trouble_that_comes_in_between_puts_nothing_out_of_order(lrs: Lrs, start: StartBridge) -> None:
    lrs.script(
        FaultRule(faults.StoreThenCut(), when=POST, after=1, times=2),
        FaultRule(faults.KnownIsNoContent()),
        FaultRule(faults.Answer(503), when=POST, after=2, times=2),
        FaultRule(faults.Answer(413), when=Match(method="POST", min_statements=3)),
    )
    bridge = await start(targets=(lrs.settings(),))
    for number in range(5):
        for learner in LEARNERS:
            await bridge.commit({"core": {"score": {"raw": str(number)}}}, learner={"id": learner})
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)

    assert sum(lrs.app[FAULTS].report().fired) >= 4


async def test_the_second_half_of_a_batch_waits_for_the_first(lrs: Lrs, start: StartBridge) -> None:
    """It may hold later statements of the same attempts, which must not arrive before the earlier ones."""
    bridge = await start()
    for number in range(8):
        await bridge.commit({"core": {"score": {"raw": str(number)}}})
    await bridge.close()
    lrs.script(FaultRule(faults.Answer(413), when=POST, times=1), FaultRule(faults.Answer(503), when=POST, times=1))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)

    assert [len(post.statement_ids) for post in lrs.posts()] == [9, 4, 4, 5]


@pytest.mark.parametrize(
    "trouble",
    [faults.Answer(503), faults.StoreThenCut(), faults.Answer(413), faults.Answer(500)],
    ids=["away", "cut", "too large", "broke"],
)
async def test_what_was_read_ahead_does_not_overtake_what_failed(
    lrs: Lrs, start: StartBridge, monkeypatch: pytest.MonkeyPatch, trouble: faults.Decision
) -> None:
    """Pages are small here, so that many are read while others are sent."""
    monkeypatch.setattr(forwarder, "BATCH_SIZE", 2)
    monkeypatch.setattr(forwarder, "REQUESTS_PER_CLAIM", 2)
    bridge = await start()
    for number in range(12):
        for learner in LEARNERS:
            await bridge.commit({"core": {"score": {"raw": str(number)}}}, learner={"id": learner})
    await bridge.close()
    several = Match(method="POST", min_statements=2)  # a single one that is too large is dead
    lrs.script(*(FaultRule(trouble, when=several, after=after, times=1) for after in (1, 3, 6)))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until_settled(bridge)
    expect_in_order(lrs, bridge)

    assert sum(lrs.app[FAULTS].report().fired) == 3
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}


@pytest.mark.parametrize("status", [400, 422])
async def test_a_poison_dies_alone_and_its_reason_is_kept(lrs: Lrs, start: StartBridge, status: int) -> None:
    bridge, ids = await store_statements(start)
    poison = statements(bridge, ["u2"])[1].id
    lrs.script(lrs.refuse(status, Match(method="POST", statement_ids=(poison,)), body="actor: ☃ is missing"))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge, but=[poison])
    dead = deliveries_by_id(bridge)[poison]

    assert (dead.state, dead.last_status, dead.last_answer) == ("dead", status, "actor: ☃ is missing")
    assert {way.state for statement_id, way in deliveries_by_id(bridge).items() if statement_id != poison} == {
        "delivered"
    }
    assert len(lrs.posts()) <= 3 * len(ids).bit_length()


async def test_a_statement_that_is_dead_does_not_hold_back_what_comes_after_it(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    lrs.script(lrs.refuse(400, times=1))
    await bridge.commit({"core": {"score": {"raw": "1"}}})
    await bridge.commit(DONE)
    await wait_until(lambda: is_settled(bridge))

    assert lrs.ids()
    assert bridge.rules()[-1] in {line.rule for line in statements(bridge) if line.id == lrs.ids()[-1]}


async def test_a_statement_that_breaks_the_lrs_holds_back_nothing_but_its_attempt(lrs: Lrs, start: StartBridge) -> None:
    """It cannot be told from an LRS in trouble, so it is tried for ever; once the LRS bears it, all is in order."""
    bridge, ids = await store_statements(start)
    its = [line.id for line in statements(bridge, ["u2"])]
    lrs.script(lrs.refuse(500, Match(method="POST", statement_ids=(its[1],))))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await bridge.commit({"core": {"score": {"raw": "99"}}}, learner={"id": "u3"})
    await wait_until(lambda: set(lrs.ids()) == {line.id for line in statements(bridge)} - set(its[1:]))
    assert {way.state for statement_id, way in deliveries_by_id(bridge).items() if statement_id in its[1:]} == {
        "waiting"
    }
    lrs.script()
    await wait_until_settled(bridge)
    expect_in_order(lrs, bridge)
    assert set(ids) <= set(lrs.ids())


async def test_how_long_a_statement_that_broke_the_lrs_waits_does_not_grow_with_tries_while_it_was_away(
    lrs: Lrs, start: StartBridge
) -> None:
    bridge, ids = await store_statements(start)
    first = statements(bridge, ["u1"])[0].id
    with writing(bridge.engine) as connection:
        unassigned.assign_waiting(connection, "lrs")
        its = select(delivery.c.id).join(statement).where(statement.c.id == first)
        waiting = list(connection.execute(its).scalars())
        for _ in range(12):
            away = Try("lrs", START, 1, "retry", 503, "down")
            outbox.settle(connection, [Settlement(away, waiting, "waiting", 0, None)])
    lrs.script(lrs.refuse(500, Match(method="POST", statement_ids=(first,)), times=1))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, random=lambda: 0.004)
    await wait_until(lambda: deliveries_by_id(bridge)[first].tries == 13)
    await wait_until_settled(bridge)

    assert sorted(lrs.ids()) == sorted(ids)


async def test_an_lrs_that_is_never_idempotent_gets_every_statement_once(lrs: Lrs, start: StartBridge) -> None:
    """It answers 409 to what it knows, even when it is the same: what it has is looked at before anything is dead."""
    lrs.script(
        FaultRule(faults.StoreThenCut(), when=POST, times=1),
        FaultRule(faults.KnownIsConflict()),
    )
    bridge, _ = await store_statements(start)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)

    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
    assert 409 in {way.last_status for way in deliveries_by_id(bridge).values()}


@pytest.mark.parametrize(
    "trouble",
    [
        faults.Answer(503),
        faults.Answer(404),
        faults.Answer(401),
        faults.Answer(302, {"Location": "https://elsewhere.invalid/"}),
        faults.Answer(200, {"Content-Type": "text/html"}, "<title>Sign in</title>"),
        faults.Cut(),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'status', '')}",
)
async def test_a_conflict_that_cannot_be_looked_at_now_is_looked_at_later(
    lrs: Lrs, start: StartBridge, trouble: faults.Decision
) -> None:
    """An LRS may answer before what it stored can be read (hence 404), and a login page is no other statement."""
    lrs.script(
        FaultRule(faults.StoreThenCut(), when=POST, times=1),
        FaultRule(faults.KnownIsConflict()),
        FaultRule(trouble, when=GET, times=1),
    )
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(DONE)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)

    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}


def _keep(lrs: Lrs, statement: dict[str, Any]) -> None:
    """Put a statement into an LRS, as somebody else would."""
    authority = {"account": {"homePage": "https://lrs.invalid", "name": "x"}}
    lrs.app[STATEMENTS].keep([statement], at=lrs.now(), authority=authority, edition=Edition.ONE)


def _void(lrs: Lrs, statement_id: str) -> None:
    voiding = {
        "actor": {"account": {"homePage": "https://lrs.invalid", "name": "x"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": statement_id},
    }
    _keep(lrs, voiding)


@pytest.mark.parametrize("voided", [False, True], ids=["in force", "voided"])
async def test_a_statement_whose_id_has_another_content_at_the_lrs_is_dead(
    lrs: Lrs, start: StartBridge, *, voided: bool
) -> None:
    bridge, ids = await store_statements(start)
    line = statements(bridge, ["u1"])[1]
    _keep(lrs, msgspec.json.decode(line.body) | {"verb": {"id": "http://example.org/verbs/another"}})
    if voided:
        _void(lrs, line.id)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    dead = deliveries_by_id(bridge)[line.id]

    assert (dead.state, dead.last_status) == ("dead", 409)
    assert line.id in (dead.last_answer or "")
    assert [statement_id for statement_id, way in deliveries_by_id(bridge).items() if way.state != "delivered"] == [
        line.id
    ]
    assert set(ids) <= set(lrs.ids())


async def test_a_statement_that_somebody_voided_before_the_bridge_heard_of_it_is_delivered(
    lrs: Lrs, start: StartBridge
) -> None:
    """The LRS has it. It shows it as a voided one only, and sent again it may answer 409."""
    bridge, ids = await store_statements(start)
    voided = statements(bridge, ["u1"])[1]
    _keep(lrs, msgspec.json.decode(voided.body))
    _void(lrs, voided.id)
    lrs.script(FaultRule(faults.KnownIsConflict()))
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
    assert deliveries_by_id(bridge)[voided.id].last_status == 409
    assert sorted(statement_id for statement_id in lrs.ids() if statement_id in ids) == sorted(ids)


async def test_a_conflict_that_is_neither_in_force_nor_voided_yet_is_looked_at_until_it_is_there(
    lrs: Lrs, start: StartBridge
) -> None:
    """An LRS may answer before what it stored can be read, under either name."""
    lrs.script(
        FaultRule(faults.StoreThenCut(), when=POST, times=1),
        FaultRule(faults.KnownIsConflict()),
        FaultRule(faults.Answer(404), when=GET, times=4),
    )
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(DONE)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
    parameters = [
        request.target.partition("?")[2].partition("=")[0]
        for request in lrs.app[LEDGER].arrivals()
        if "atementId=" in request.target
    ]
    assert parameters[:5] == ["statementId", "voidedStatementId"] * 2 + ["statementId"]


async def test_an_lrs_that_takes_little_at_once_gets_smaller_batches(lrs: Lrs, start: StartBridge) -> None:
    bridge, ids = await store_statements(start)
    too_large = ids[4]
    lrs.script(
        FaultRule(faults.Answer(413, body="too large"), when=Match(method="POST", min_statements=3)),
        FaultRule(faults.Answer(413, body="far too large"), when=Match(method="POST", statement_ids=(too_large,))),
    )
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge, but=[too_large])
    dead = deliveries_by_id(bridge)[too_large]

    assert (dead.state, dead.last_status, dead.last_answer) == ("dead", 413, "far too large")


async def test_an_lrs_that_lets_nobody_in_loses_nothing(start_lrs: StartLrs, start: StartBridge) -> None:
    lrs = await start_lrs(credentials={"ada": "right"})
    bridge = await start(targets=(lrs.settings(username="ada", password="wrong"),))
    await bridge.commit(DONE)
    await wait_until(lambda: len(lrs.posts()) >= 3)
    await bridge.close()
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"waiting"}
    assert lrs.ids() == []
    bridge = await start(targets=(lrs.settings(username="ada", password="right"),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)


async def test_a_database_that_fails_for_a_while_does_not_end_forwarding(lrs: Lrs, start: StartBridge) -> None:
    """The answer to what is sent cannot be noted then, so it is sent again, and stored once all the same."""
    bridge = await start(targets=(lrs.settings(),))
    with writing(bridge.engine) as connection:
        connection.execute(text("ALTER TABLE try RENAME TO gone"))
    await bridge.commit(DONE)
    await wait_until(lambda: len(lrs.posts()) >= 3)
    assert not is_settled(bridge)
    with writing(bridge.engine) as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO try"))
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)


async def test_an_lrs_whose_address_is_wrong_is_tried_for_ever(lrs: Lrs, start: StartBridge) -> None:
    wrong = TargetSettings(name="lrs", endpoint=lrs.endpoint.replace("/xapi/", "/nowhere/"))
    bridge = await start(targets=(wrong,))
    await bridge.commit(DONE)
    await wait_until(lambda: all(way.tries >= 2 for way in deliveries_by_id(bridge).values()))
    assert {(way.state, way.last_status) for way in deliveries_by_id(bridge).values()} == {("waiting", 404)}
    await bridge.close()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_in_order(lrs, bridge)
