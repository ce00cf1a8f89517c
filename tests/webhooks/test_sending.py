"""Events arrive in order and under one id each, whatever receivers, networks and people do."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from aiohttp import web

from bridge.forwarding.isolation import TARGET_FAILURE_ATTEMPTS
from bridge.operations import webhooks as operations
from bridge.operations.audit_context import AuditContext
from bridge.operations.webhooks import WebhookChange
from bridge.settings import OutgoingSettings
from bridge.webhooks.sender import MAX_REFUSALS
from storage import webhook_endpoints
from storage.engine import reading, writing
from storage.states import WebhookState
from storage.webhook_endpoints import WebhookEndpoint
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import advance_until, is_settled
from tests.support.http_server import LOOPBACK
from tests.support.lrs import NO_DOCUMENTS, Lrs
from tests.support.sql import scalar
from tests.support.waiting import wait_until
from tests.support.webhooks import Received, add_endpoint
from tests.webhooks.conftest import StartReceiver, StartSending


def _cmi(score: int, status: str = "incomplete") -> dict[str, Any]:
    return {"core": {"lesson_status": status, "score": {"raw": str(score)}, "exit": "suspend"}}


def _scores(requests: list[Received], learner: str) -> list[int]:
    return [received.event["data"]["best_score"]["raw"] for received in requests if received.learner == learner]


def _count(bridge: Bridge, state: str) -> int:
    return int(scalar(bridge, "SELECT count(*) FROM webhook_delivery WHERE state = :state", state=state))


def _tries(bridge: Bridge) -> int:
    return int(scalar(bridge, "SELECT coalesce(sum(tries), 0) FROM webhook_delivery"))


def _endpoint(bridge: Bridge, name: str = "gradebook") -> WebhookEndpoint:
    with reading(bridge.engine) as connection:
        endpoint = webhook_endpoints.by_name(connection, name)
    assert endpoint is not None
    return endpoint


def _context(bridge: Bridge) -> AuditContext:
    return AuditContext("me", "", bridge.clock())


async def test_a_receiver_that_was_away_gets_everything_in_order(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    receiver.answer(503)
    for score in range(1, 6):
        for learner in ("u1", "u2"):
            await bridge.commit(_cmi(score), learner={"id": learner})
    await wait_until(lambda: _endpoint(bridge).state is WebhookState.FAILING)
    assert "503" in _endpoint(bridge).trouble
    receiver.answer(204)
    await wait_until(lambda: not _count(bridge, "waiting"))
    for learner in ("u1", "u2"):
        assert _scores(receiver.accepted, learner) == [1, 2, 3, 4, 5]
    assert Counter(received.id for received in receiver.accepted).most_common(1)[0][1] == 1
    refused_ids = {received.id for received in receiver.requests} - {received.id for received in receiver.accepted}
    assert refused_ids == set()
    await wait_until(lambda: _endpoint(bridge).state is WebhookState.FLOWING)


async def test_the_next_event_of_an_enrollment_waits_for_the_one_before_and_no_other_does(
    start_sending: StartSending,
) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    is_answered = asyncio.Event()

    async def hold_first(received: Received) -> web.Response:
        if received.learner == "u1" and received.event["data"]["best_score"]["raw"] == 1:
            await is_answered.wait()
        return web.Response(status=204)

    receiver.respond = hold_first
    await bridge.commit(_cmi(1), learner={"id": "u1"})
    await wait_until(lambda: receiver.requests)
    await bridge.commit(_cmi(2), learner={"id": "u1"})
    is_answered.set()
    await wait_until(lambda: not _count(bridge, "waiting"))

    assert _scores(receiver.requests, "u1") == [1, 2]


async def test_one_that_fails_by_itself_holds_up_its_enrollment_alone(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    receiver.respond = lambda received: web.Response(status=500 if received.learner == "u1" else 204)
    await bridge.commit(_cmi(1), learner={"id": "u1"})
    await bridge.commit(_cmi(2), learner={"id": "u1"})
    for learner in ("u2", "u3", "u4", "u5"):
        await bridge.commit(_cmi(1), learner={"id": learner})
    await wait_until(lambda: _count(bridge, "delivered") == 4)
    assert set(_scores(receiver.requests, "u1")) == {1}
    receiver.answer(200)
    await advance_until(bridge, lambda: not _count(bridge, "waiting"), 3_700)
    assert _scores(receiver.accepted, "u1") == [1, 2]


async def test_what_is_refused_again_and_again_is_dead_and_retried_by_people(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    receiver.respond = lambda received: web.Response(status=400 if received.learner == "u1" else 204, text="no such id")
    await bridge.commit(_cmi(1), learner={"id": "u1"})
    await bridge.commit(_cmi(2), learner={"id": "u1"})
    for number in range(1, MAX_REFUSALS + 1):

        def is_refused(times: int = number) -> bool:
            return _refusals(bridge) >= times or _count(bridge, "dead") > 0

        await advance_until(bridge, is_refused, 3_700)
        await bridge.commit(_cmi(number), learner={"id": "u2"})
        await wait_until(lambda: _scores(receiver.accepted, "u2")[-1:] == [number])  # noqa: B023 -- awaited at once
    await advance_until(bridge, lambda: _count(bridge, "dead") == 1, 3_700)
    assert Counter(_scores(receiver.requests, "u1"))[1] == MAX_REFUSALS
    receiver.answer(204)
    await advance_until(bridge, lambda: _scores(receiver.accepted, "u1") == [2], 3_700)
    dead_id = str(scalar(bridge, "SELECT message_id FROM webhook_delivery WHERE state = 'dead'"))
    with writing(bridge.engine) as connection:
        assert operations.retry_dead(connection, "gradebook", _context(bridge)) == 1
    await wait_until(lambda: _scores(receiver.accepted, "u1") == [2, 1])
    assert receiver.accepted[-1].id == dead_id


def _refusals(bridge: Bridge) -> int:
    return int(scalar(bridge, "SELECT coalesce(max(refusals), 0) FROM webhook_delivery"))


async def test_a_receiver_that_refuses_everything_makes_nothing_dead(start_sending: StartSending) -> None:
    """Somebody may have given it another secret."""
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    receiver.answer(400)
    learners = [f"u{number}" for number in range(TARGET_FAILURE_ATTEMPTS + 1)]
    for learner in learners:
        await bridge.commit(_cmi(1), learner={"id": learner})
    while _refusals(bridge) <= MAX_REFUSALS:
        before = _tries(bridge)
        await advance_until(bridge, lambda: _tries(bridge) > before, 3_700)  # noqa: B023 -- awaited at once
    assert _count(bridge, "dead") == 0
    await wait_until(lambda: _endpoint(bridge).state is WebhookState.FAILING)
    receiver.answer(204)
    await advance_until(bridge, lambda: _count(bridge, "delivered") == len(learners), 3_700)


async def test_a_receiver_that_is_gone_is_paused_until_people_resume_it(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    receiver.answer(410)
    await bridge.commit(_cmi(1))
    await wait_until(lambda: _endpoint(bridge).state is WebhookState.PAUSED)
    assert "410" in _endpoint(bridge).pause_reason
    await bridge.commit(_cmi(2))
    assert _count(bridge, "waiting") == 2
    receiver.answer(204)
    with writing(bridge.engine) as connection:
        operations.change_webhook(
            connection, "gradebook", WebhookChange(is_paused=False), _context(bridge), guard=LOOPBACK
        )
    await wait_until(lambda: _scores(receiver.accepted, "u1") == [1, 2])


async def test_redirects_are_not_followed(start_sending: StartSending, start_receiver: StartReceiver) -> None:
    elsewhere = await start_receiver()
    sending = await start_sending("enrollment.best_score_changed")
    sending.receiver.answer(307, Location=elsewhere.url)
    await sending.bridge.commit(_cmi(1))
    await wait_until(lambda: _tries(sending.bridge) > 2)

    assert elsewhere.requests == []
    assert _count(sending.bridge, "waiting") == 1


async def test_an_address_that_is_not_allowed_is_not_connected_to(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed", outgoing=OutgoingSettings())
    bridge = sending.bridge
    await bridge.commit(_cmi(1))
    await wait_until(lambda: _endpoint(bridge).state is WebhookState.FAILING)

    assert "to which the bridge does not connect" in _endpoint(bridge).trouble
    assert sending.receiver.requests == []


async def test_an_endpoint_that_is_away_holds_up_neither_another_one_nor_the_lrs(
    start_sending: StartSending, start_receiver: StartReceiver, lrs: Lrs
) -> None:
    other = await start_receiver()
    never = asyncio.Event()
    sending = await start_sending(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    bridge = sending.bridge

    async def hang(_received: Received) -> web.Response:
        await never.wait()
        return web.Response(status=204)

    sending.receiver.respond = hang
    add_endpoint(bridge.engine, other.url, "other", events=("enrollment.best_score_changed",))
    score = 0
    while not other.accepted:
        score += 1
        await bridge.commit(_cmi(score))
        await asyncio.sleep(0.05)
    await bridge.commit(_cmi(score + 1))
    await wait_until(lambda: is_settled(bridge))
    await wait_until(lambda: _scores(other.accepted, "u1")[-1] == score + 1)
    assert sending.receiver.accepted == []
    never.set()


async def test_both_secrets_sign_while_they_overlap(start_sending: StartSending) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    bridge, receiver = sending.bridge, sending.receiver
    with writing(bridge.engine) as connection:
        context = _context(bridge)
        secret = operations.rotate_webhook(connection, "gradebook", context, overlap=3_600_000).secret
    await bridge.commit(_cmi(1))
    await wait_until(lambda: len(receiver.accepted) == 1)
    assert receiver.accepted[0].is_signed_by(secret)
    assert receiver.accepted[0].is_signed_by(sending.secret)
    bridge.clock.advance(3_601)
    await bridge.commit(_cmi(2))
    await wait_until(lambda: len(receiver.accepted) == 2)
    assert receiver.accepted[1].is_signed_by(secret)
    assert not receiver.accepted[1].is_signed_by(sending.secret)
    await wait_until(lambda: _endpoint(bridge).previous_secret is None)


async def test_what_waited_is_sent_under_its_ids_after_a_restart(
    start: StartBridge, start_sending: StartSending
) -> None:
    sending = await start_sending("enrollment.best_score_changed")
    sending.receiver.answer(503)
    await sending.bridge.commit(_cmi(1))
    await wait_until(lambda: sending.receiver.requests)
    await sending.bridge.close()
    sending.receiver.answer(204)
    again = await start(**sending.options | {"clock": sending.bridge.clock})
    await wait_until(lambda: not _count(again, "waiting"))

    assert {received.id for received in sending.receiver.requests} == {sending.receiver.accepted[0].id}
    assert len(sending.receiver.accepted) == 1


async def test_several_processes_send_each_event_once_and_in_order(
    start: StartBridge, start_sending: StartSending, database_url: str
) -> None:
    """A bridge has SQLite for itself; there it is one."""
    sending = await start_sending("enrollment.best_score_changed")
    bridges = [sending.bridge]
    if not database_url.startswith("sqlite"):
        bridges.append(await start(**sending.options | {"clock": sending.bridge.clock}))
    for score in range(1, 11):
        await bridges[score % len(bridges)].commit(_cmi(score))
    await wait_until(lambda: not _count(sending.bridge, "waiting"))

    assert _scores(sending.receiver.requests, "u1") == list(range(1, 11))
