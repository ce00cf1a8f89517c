"""A learner who is erased is not told of any more, and the LMS is told that."""

from __future__ import annotations

from bridge.clock import random_id
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.operations.lms_removal import remove_lms_with_data
from bridge.operations.webhooks import WebhookChange, change_webhook
from bridge.webhooks.events import ERASURE_DELAY
from storage.engine import writing
from storage.erasures import Erasure, Later
from storage.queries.learner_data import Learner
from tests.support.bridge import Bridge
from tests.support.deliveries import advance_until
from tests.support.http_server import LOOPBACK
from tests.support.sql import column, scalar
from tests.support.waiting import wait_until
from tests.webhooks.conftest import StartSending

CMI = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}


def _erase(bridge: Bridge) -> Erasure:
    request = ErasureRequest(Learner("u1"), Later.REFUSE, {}, AuditContext("me", "", bridge.clock()))
    return erase_learner(bridge.engine, request, now=bridge.clock, new_id=random_id)


def _events(bridge: Bridge) -> list[str]:
    return column(bridge, "SELECT type FROM webhook_delivery ORDER BY id")


async def test_what_waits_is_withdrawn_and_the_erasure_is_told(start_sending: StartSending) -> None:
    sending = await start_sending()
    bridge, receiver = sending.bridge, sending.receiver
    _pause(bridge, is_paused=True)
    await bridge.commit(CMI, learner={"id": "u2"})
    of_others = _events(bridge)
    await bridge.commit(CMI)
    await bridge.commit(CMI, activity={"id": "236"})
    waiting = len(_events(bridge)) - len(of_others)
    receipt = _erase(bridge)
    assert receipt.counts["webhook_deliveries"] == waiting == 6
    assert _events(bridge) == [*of_others, "learner.erased"]
    _pause(bridge, is_paused=False)
    await wait_until(lambda: len(receiver.accepted) == len(of_others))
    assert receiver.types("u1") == []
    await advance_until(bridge, lambda: receiver.types("u1") == ["learner.erased"], ERASURE_DELAY / 1000)
    assert receiver.accepted[-1].event["data"] == {"lms": "lms", "learner": {"id": "u1"}}


def _pause(bridge: Bridge, *, is_paused: bool) -> None:
    context = AuditContext("me", "", bridge.clock())
    with writing(bridge.engine) as connection:
        change_webhook(connection, "gradebook", WebhookChange(is_paused=is_paused), context, guard=LOOPBACK)


async def test_who_was_erased_is_forgotten_once_that_is_told(start_sending: StartSending) -> None:
    sending = await start_sending("learner.erased")
    bridge, receiver = sending.bridge, sending.receiver
    await bridge.commit(CMI)
    _erase(bridge)
    assert _events(bridge) == ["learner.erased"]
    await advance_until(bridge, lambda: receiver.accepted, ERASURE_DELAY / 1000)
    await wait_until(lambda: _events(bridge) == [])


async def test_a_learner_of_several_activities_is_told_of_once(start_sending: StartSending) -> None:
    sending = await start_sending("learner.erased")
    for activity in ("1", "2", "3"):
        await sending.bridge.commit(CMI, activity={"id": activity})
    _erase(sending.bridge)

    assert _events(sending.bridge) == ["learner.erased"]


async def test_an_lms_that_is_removed_takes_its_webhooks_along(start_sending: StartSending) -> None:
    sending = await start_sending()
    bridge = sending.bridge
    sending.receiver.answer(503)
    await bridge.commit(CMI)
    context = AuditContext("me", "", bridge.clock())
    remove_lms_with_data(bridge.engine, "lms", context, targets=(), now=bridge.clock, new_id=random_id)

    assert _events(bridge) == []
    assert scalar(bridge, "SELECT count(*) FROM webhook_endpoint") == 0
