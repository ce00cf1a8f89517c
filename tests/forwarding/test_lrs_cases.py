"""What LRSs and firewalls before them were reported to do to statements, played against a real bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from aiohttp import web
from sqlalchemy import update

from bridge.app import PAUSE_MONITOR
from bridge.forwarding.isolation import MAX_REFUSED_IN_A_ROW
from bridge.operations.audit_context import AuditContext
from bridge.operations.targets import resume_target
from bridge.sandbox.lrs import FaultRule, faults
from storage import deliveries, target_alarms
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.queries.lookups import DeliveryLine
from storage.states import AlarmState, RequestKind
from storage.tables import statement
from storage.target_alarms import TargetAlarm
from tests.support.accounts import START
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.deliveries import alarms, all_delivered, deliveries_by_id, is_settled, statements
from tests.support.frames import unpack_frames
from tests.support.lrs import POST, Fault, Lrs, StartLrs
from tests.support.waiting import wait_until

POISON: dict[str, Any] = {
    "lesson_status": "incomplete",
    "interactions": {"0": {"id": "q1", "type": "fill-in", "student_response": "POISON"}},
}
PASSED = {"core": {"lesson_status": "passed"}}
OTHERS = [f"learner-{number}" for number in range(8)]
CUT = "cut"


async def commit_poison(bridge: Bridge) -> None:
    await bridge.commit(POISON, learner={"id": "p"}, activity={"id": "ap"}, scorm_version="1.2")


def last_try(bridge: Bridge) -> DeliveryLine:
    """Return the delivery of the poison."""
    return next(
        way
        for report in bridge.reports("p", "ap")
        for line in report.statements
        for way in line.deliveries
        if "POISON" in line.body
    )


def firewall(answer: int | str, body: str = "") -> Fault:
    """Make a firewall that answers so to whatever holds POISON, or cuts the connection."""

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method != "POST" or b"POISON" not in await request.read():
            return None
        if answer == CUT:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=int(answer), text=body)

    return fault


@pytest.mark.parametrize("answer", [403, 500, 502, 504, 406, 412, 200, CUT])
async def test_one_statement_that_does_not_pass_holds_up_its_attempt_alone(
    start_lrs: StartLrs, start: StartBridge, answer: int | str
) -> None:
    lrs = await start_lrs(firewall(answer, "<title>Blocked</title>"))
    bridge = await start(targets=(lrs.settings(),), random=lambda: 1.0)
    for learner in OTHERS[:4]:
        await bridge.commit(PASSED, learner={"id": learner})
    await commit_poison(bridge)
    for learner in OTHERS[4:]:
        await bridge.commit(PASSED, learner={"id": learner})

    def all_others() -> bool:
        bridge.clock.advance(0.1)
        return all_delivered(bridge, OTHERS)

    await wait_until(all_others)
    await wait_until(lambda: last_try(bridge).tries > 0)
    assert last_try(bridge).state == "waiting"
    # it waits longer each time, and meanwhile nobody waits with it
    tries = last_try(bridge).tries

    def tried_again() -> bool:
        bridge.clock.advance(5)
        return last_try(bridge).tries > tries + 3

    await wait_until(tried_again)
    for number in range(3):
        await bridge.commit(PASSED, learner={"id": f"later-{number}"})
        await wait_until(partial(all_delivered, bridge, [f"later-{number}"]))
    assert alarms(bridge) == {}
    assert last_try(bridge).state == "waiting"


async def test_a_statement_that_is_forbidden_while_nothing_else_is_sent_keeps_nobody_waiting_afterwards(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    lrs = await start_lrs(firewall(403))
    bridge = await start(targets=(lrs.settings(),), random=lambda: 1.0)
    await commit_poison(bridge)
    await wait_until(lambda: last_try(bridge).tries > 0)
    for _ in range(36):  # three minutes
        bridge.clock.advance(5)
        await asyncio.sleep(0.01)
    assert alarms(bridge) == {}
    for learner in OTHERS:
        await bridge.commit(PASSED, learner={"id": learner})
    await wait_until(lambda: all_delivered(bridge, OTHERS))
    assert last_try(bridge).state == "waiting"
    assert alarms(bridge) == {}


async def test_a_403_for_everything_is_an_alarm_and_ends_by_itself(start_lrs: StartLrs, start: StartBridge) -> None:
    shut = asyncio.Event()
    shut.set()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_shut = shut.is_set() and request.method == "POST"
        return web.Response(status=403, text="read only") if is_shut else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    for learner in OTHERS:
        await bridge.commit(PASSED, learner={"id": learner})

    def alarmed() -> bool:
        bridge.clock.advance(1)
        return alarms(bridge).get("statements") == AlarmState.NOT_ALLOWED

    await wait_until(alarmed)
    _, ready = await bridge.get("/readyz", token=None)
    assert ready["paused"]["lrs"]["automatic"] is True
    shut.clear()

    def recovered() -> bool:
        bridge.clock.advance(60)
        return all_delivered(bridge, OTHERS) and "statements" not in alarms(bridge)

    await wait_until(recovered)
    assert {way.state for way in deliveries_by_id(bridge).values()} <= {"delivered"}


@pytest.mark.parametrize("status", [400, 422])
async def test_when_everything_is_refused_the_target_pauses_after_the_first_few(
    start_lrs: StartLrs, start: StartBridge, status: int
) -> None:
    refusing = asyncio.Event()
    refusing.set()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_post = request.method == "POST" and refusing.is_set()
        return web.Response(status=status, text="Invalid Authorization") if is_post else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    learners = [f"u{number}" for number in range(30)]
    for learner in learners:
        await bridge.commit(PASSED, learner={"id": learner})
    await wait_until(lambda: alarms(bridge).get("statements") == AlarmState.REFUSING)
    for _ in range(20):
        bridge.clock.advance(10)
        await bridge.commit(PASSED, learner={"id": "another"})
    refusing.clear()

    def states() -> list[str]:
        lines = statements(bridge, [*learners, "another"])
        return [way.state for line in lines for way in line.deliveries]

    def recovered() -> bool:
        bridge.clock.advance(10)
        return "waiting" not in states() and alarms(bridge) == {}

    await wait_until(recovered)

    # in shards beside each other one more each can be on its way
    assert states().count("dead") <= MAX_REFUSED_IN_A_ROW + 4
    assert states().count("delivered") > 50


async def test_a_known_id_answered_500_is_looked_at_and_delivered(start_lrs: StartLrs, start: StartBridge) -> None:
    """The first answer is lost, and the LRS breaks on what it knows."""
    stored_ids: set[str] = set()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method != "POST":
            return None
        ids = {body["id"] for body in msgspec.json.decode(await request.read())}
        if ids & stored_ids:
            return web.Response(status=500, text="Internal Server Error")
        stored_ids.update(ids)
        return None

    lrs = await start_lrs(fault)
    lrs.script(FaultRule(faults.StoreThenCut(), when=POST, times=1))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED, activity={"id": "a1"}, scorm_version="1.2", terminated=True)

    def all_there() -> bool:
        bridge.clock.advance(1)
        return all_delivered(bridge, ["u1"], "a1")

    await wait_until(all_there)


@pytest.mark.parametrize(("status", "text"), [(409, ""), (400, "duplicate key"), (500, "statement already exists")])
async def test_a_duplicate_that_may_not_be_read_is_told_as_that_and_holds_up_nothing(
    start_lrs: StartLrs, start: StartBridge, status: int, text: str
) -> None:
    bridge = await start()
    await bridge.commit(PASSED, learner={"id": "u1"})
    await bridge.commit(PASSED, learner={"id": "u2"})
    await bridge.close()
    duplicate = statements(bridge, ["u1"])[0].id

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path != "/xapi/statements":
            return None
        if request.method == "GET":
            return web.Response(status=403, text="statements/write only")
        is_known = duplicate.encode() in await request.read()
        return web.Response(status=status, text=text) if is_known else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)

    def no_more_waits() -> bool:
        bridge.clock.advance(5)
        return is_settled(bridge)

    await wait_until(no_more_waits)
    way = deliveries_by_id(bridge).pop(duplicate)

    assert (way.state, way.last_status) == ("dead", status)
    assert "cannot be read back to be compared (403 statements/write only)" in (way.last_answer or "")
    assert {delivery.state for id_, delivery in deliveries_by_id(bridge).items() if id_ != duplicate} == {"delivered"}
    assert alarms(bridge) == {RequestKind.READING: AlarmState.NOT_ALLOWED}


RESPELLINGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "duration": lambda body: body["result"].update(duration="PT0H1M30.00S"),
    "float32": lambda body: body["result"]["score"].update(scaled=0.8500000238418579),
    "order": lambda body: body["context"]["contextActivities"]["grouping"].reverse(),
    "name": lambda body: body["actor"].pop("name"),
}


@pytest.mark.parametrize("respelling", RESPELLINGS)
async def test_what_the_lrs_has_in_another_spelling_is_delivered_and_told_as_equivalent(
    start_lrs: StartLrs, start: StartBridge, respelling: str
) -> None:
    bridge = await start()
    cmi = {"core": {"lesson_status": "passed", "score": {"raw": "85"}, "session_time": "00:01:30"}}
    await bridge.commit(cmi, learner={"id": "u1", "name": "Ada"}, course={"id": "c"}, terminated=True)
    await bridge.close()
    line = next(row for row in statements(bridge, ["u1"]) if row.rule == "terminated")
    theirs = msgspec.json.decode(line.body)
    theirs["actor"].setdefault("name", "Ada")
    RESPELLINGS[respelling](theirs)

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST":
            return web.Response(status=409) if line.id.encode() in await request.read() else None
        is_asked = request.method == "GET" and request.query.get("statementId") == line.id
        return web.json_response(theirs) if is_asked else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    with reading(bridge.engine) as connection:
        outcomes = {row[0] for row in connection.exec_driver_sql("SELECT outcome FROM try WHERE status = 409")}
    way = deliveries_by_id(bridge)[line.id]

    assert way.state == "delivered"
    assert "equivalent" in outcomes
    assert "spelled otherwise" in (way.last_answer or "")


async def test_a_breaker_that_is_open_shows_as_unreachable_and_ends_with_the_next_delivery(
    lrs: Lrs, start: StartBridge
) -> None:
    lrs.script(FaultRule(faults.Answer(503), when=POST))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED)
    await wait_until(lambda: alarms(bridge) == {"statements": "unreachable"})
    _, ready = await bridge.get("/readyz", token=None)
    (alarm,) = ready["target_alarms"]
    assert (alarm["target"], alarm["requests"], alarm["state"]) == ("lrs", "statements", "unreachable")
    assert alarm["since"].startswith("2026-01-01T00:00:00")
    lrs.script()
    await wait_until(lambda: is_settled(bridge) and alarms(bridge) == {})


@pytest.mark.parametrize("act", ["resume", "retry"])
async def test_whoever_retries_or_resumes_hurries_what_waits(lrs: Lrs, start: StartBridge, act: str) -> None:
    lrs.script(FaultRule(faults.Answer(503, {"Retry-After": "3600"}), when=POST))
    bridge = await start(targets=(lrs.settings(),))
    for learner in OTHERS[:3]:
        await bridge.commit(PASSED, learner={"id": learner})
    await wait_until(lambda: lrs.posts() and _waits(bridge))
    with writing(bridge.engine) as connection:
        target_alarms.begin(
            connection, TargetAlarm("lrs", RequestKind.STATEMENTS, AlarmState.UNREACHABLE, START, START, "503")
        )
    # the bridge takes an alarm that it knows, and that ends, for a word of people
    assert bridge.client.app is not None
    await bridge.client.app[PAUSE_MONITOR].run_once()
    lrs.script()
    with writing(bridge.engine) as connection:
        if act == "resume":
            assert resume_target(connection, "lrs", AuditContext("ada", "", bridge.clock()))
        else:
            assert deliveries.retry(
                connection, deliveries.ids(connection, DeliveryFilter(target="lrs"), after=0, limit=100)
            )
    await wait_until(lambda: is_settled(bridge))


def _waits(bridge: Bridge) -> bool:
    with reading(bridge.engine) as connection:
        return bool(connection.exec_driver_sql("SELECT 1 FROM delivery WHERE not_before > 0").first())


async def test_an_lrs_that_let_nobody_in_is_tried_at_once_after_a_start(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    open_ = asyncio.Event()

    async def fault(request: web.Request) -> web.StreamResponse | None:
        return None if open_.is_set() else web.Response(status=401)

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), random=lambda: 1.0)
    await bridge.commit(PASSED)
    await wait_until(lambda: alarms(bridge) == {"statements": "not-allowed"})
    await bridge.close()
    open_.set()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, random=lambda: 1.0)
    await wait_until(lambda: is_settled(bridge) and alarms(bridge) == {})


async def test_an_lrs_that_lets_no_statement_void_another_says_so_and_takes_the_others(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    bridge = await start(ids=(ids := Ids()))
    for learner in OTHERS[:3]:
        await bridge.commit(PASSED, learner={"id": learner})
    await bridge.close()
    voiding = statements(bridge, OTHERS[:1])[-1]
    body = msgspec.json.decode(voiding.body) | {
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": statements(bridge, OTHERS[1:2])[0].id},
    }
    unpack_frames(bridge.engine)
    with writing(bridge.engine) as connection:
        connection.execute(
            update(statement).where(statement.c.id == voiding.id).values(body=msgspec.json.encode(body).decode())
        )

    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_voiding = request.method == "POST" and b"verbs/voided" in await request.read()
        return web.Response(status=403, text="may not void") if is_voiding else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),), token=bridge.token, ids=ids)
    await wait_until(lambda: alarms(bridge) == {RequestKind.VOIDING: AlarmState.NOT_ALLOWED})
    await wait_until(lambda: sum(way.state == "waiting" for way in _ways(bridge).values()) == 1)
    assert _ways(bridge)[voiding.id].state == "waiting"
    await bridge.commit(PASSED, learner={"id": "another"})
    await wait_until(lambda: all_delivered(bridge, ["another"]))
    assert alarms(bridge) == {RequestKind.VOIDING: AlarmState.NOT_ALLOWED}


def _ways(bridge: Bridge) -> dict[str, DeliveryLine]:
    return {line.id: way for line in statements(bridge, OTHERS[:3]) for way in line.deliveries if way.target == "lrs"}
