"""What targets are to remove for an erasure is removed, whatever happens on the way, and others' data is untouched."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from sqlalchemy import select

from bridge.clock import random_id
from bridge.forwarding.removals import IN_FLIGHT_TTL
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.sandbox.lrs import DOCUMENTS, FaultRule, faults
from bridge.sandbox.lrs.documents import Document
from mappings.xapi.voiding import VOIDED
from storage import pauses, target_alarms
from storage.engine import reading, writing
from storage.erasure_tables import removal
from storage.erasures import Erasure, Later
from storage.pauses import Pause
from storage.queries.learner_data import Learner
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import advance_until, is_settled
from tests.support.lrs import NO_DOCUMENTS, POST, Lrs, StartLrs
from tests.support.sql import scalar
from tests.support.waiting import wait_until

CMI = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}


def _erase(bridge: Bridge) -> Erasure:
    """Erase the learner of the tests."""
    request = ErasureRequest(Learner("u1"), Later.REFUSE, {"lrs": False}, AuditContext("me", "", bridge.clock()))
    return erase_learner(bridge.engine, request, now=bridge.clock, new_id=random_id)


async def _play(bridge: Bridge) -> None:
    await bridge.commit(CMI)
    await bridge.let_documents_follow()
    await wait_until(lambda: is_settled(bridge))


def _waiting(bridge: Bridge) -> int:
    return int(scalar(bridge, "SELECT count(*) FROM removal"))


def _tried(bridge: Bridge) -> int:
    return int(scalar(bridge, "SELECT coalesce(max(tries), 0) FROM removal"))


def _voids(lrs: Lrs) -> list[str]:
    """Return the ids of the statements that the LRS was told to void."""
    return [str(each["object"]["id"]) for each in lrs.store.statements() if each["verb"]["id"] == VOIDED]


async def test_an_lrs_that_is_away_voids_everything_once_it_is_back(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await _play(bridge)
    ids = lrs.ids()
    lrs.script(lrs.refuse(503))
    _erase(bridge)
    await wait_until(lambda: _tried(bridge) > 0)
    assert _voids(lrs) == []
    with reading(bridge.engine) as connection:
        answers = set(connection.execute(select(removal.c.answer)).scalars())
    assert any("503" in answer for answer in answers)
    lrs.script()
    await wait_until(lambda: not _waiting(bridge))
    assert sorted(_voids(lrs)) == sorted(ids)


async def test_a_lost_answer_voids_nothing_twice(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await _play(bridge)
    ids = lrs.ids()
    lrs.script(FaultRule(faults.StoreThenCut(), when=POST, times=1))
    _erase(bridge)
    await wait_until(lambda: not _waiting(bridge))

    assert sorted(_voids(lrs)) == sorted(ids)


async def test_an_lrs_that_permits_no_voiding_is_an_alarm_and_asked_again(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await _play(bridge)
    ids = lrs.ids()
    lrs.script(lrs.refuse(403))
    _erase(bridge)

    def alarms() -> list[tuple[str, str]]:
        with reading(bridge.engine) as connection:
            return [(alarm.request_kind, alarm.state) for alarm in target_alarms.current(connection)]

    await wait_until(lambda: ("voiding", "not-allowed") in alarms())
    assert _waiting(bridge) == len(ids)
    lrs.script()
    await advance_until(bridge, lambda: not _waiting(bridge), 3_700)
    assert sorted(_voids(lrs)) == sorted(ids)
    await wait_until(lambda: not alarms())


async def test_an_lrs_that_refuses_to_void_what_it_does_not_have_is_believed_when_nothing_can_be_on_its_way(
    start: StartBridge, start_lrs: StartLrs
) -> None:
    """XAPI says that it should accept that; some do not."""
    is_voiding_refused = True

    async def refuse(request: web.Request) -> web.StreamResponse | None:
        if request.method == "GET" and request.path.endswith("/statements"):
            return web.Response(status=404)
        if is_voiding_refused and request.method == "POST" and VOIDED.encode() in await request.read():
            return web.json_response({"error": "no such statement"}, status=400)
        return None

    lrs = await start_lrs(refuse)
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await _play(bridge)
    _erase(bridge)
    await wait_until(lambda: _tried(bridge) > 0)
    bridge.clock.advance(60)
    await wait_until(lambda: _tried(bridge) > 1)
    assert _waiting(bridge)  # one may be on its way
    await advance_until(bridge, lambda: not _waiting(bridge), 3_700)


async def test_one_statement_that_cannot_be_voided_holds_up_no_other(start: StartBridge, start_lrs: StartLrs) -> None:
    blocked: list[str] = []

    async def refuse(request: web.Request) -> web.StreamResponse | None:
        if request.method == "POST" and blocked:
            objects = [str(each["object"].get("id")) for each in json.loads(await request.read())]
            if blocked[0] in objects:
                return web.json_response({"error": "no"}, status=400)
        return None

    lrs = await start_lrs(refuse)
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await _play(bridge)
    ids = lrs.ids()
    blocked.append(ids[1])
    _erase(bridge)
    await wait_until(lambda: _waiting(bridge) == 1)
    assert sorted(_voids(lrs)) == sorted({*ids} - {ids[1]})
    blocked.clear()
    await advance_until(bridge, lambda: not _waiting(bridge), 3_700)
    assert sorted(_voids(lrs)) == sorted(ids)


async def test_a_document_that_was_being_written_at_that_moment_is_deleted_once_more(
    start: StartBridge, lrs: Lrs
) -> None:
    bridge = await start(targets=(lrs.settings(),))
    await _play(bridge)
    await wait_until(lambda: any("u1" in str(place) for place, _, _ in lrs.app[DOCUMENTS].items()))
    before: list[tuple[Any, str, Document]] = [each for each in lrs.app[DOCUMENTS].items() if "u1" in str(each[0])]
    assert before
    receipt = _erase(bridge)
    await wait_until(lambda: not any("u1" in str(place) for place, _, _ in lrs.app[DOCUMENTS].items()))
    for place, name, document in before:  # a slow process writes them now
        lrs.app[DOCUMENTS]._documents[place, name] = document
    await advance_until(bridge, lambda: not _waiting(bridge), IN_FLIGHT_TTL / 1000)
    assert not any("u1" in str(place) for place, _, _ in lrs.app[DOCUMENTS].items())
    assert receipt.counts["documents"] >= len(before)


async def test_a_paused_target_is_asked_for_nothing(start: StartBridge, lrs: Lrs) -> None:
    bridge = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),))
    await _play(bridge)
    count = len(lrs.posts())
    await bridge.close()
    with writing(bridge.engine) as connection:
        pauses.begin(connection, Pause("lrs", 0, "me", "test", automatic=False))
    again = await start(targets=(lrs.settings(documents=NO_DOCUMENTS),), token=bridge.token)
    _erase(again)
    await again.commit(CMI, learner={"id": "u2"})

    assert len(lrs.posts()) == count
    assert _waiting(again)
