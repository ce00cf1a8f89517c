"""The documents' forwarder at work: what an LRS has of the state and profile documents, whatever happens to it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from sqlalchemy import func, select

from bridge.forwarding.documents import MAX_READS, merge_documents
from bridge.sandbox.lrs import DOCUMENTS, LEDGER, FaultRule, Match, faults
from bridge.settings import SettingsError
from storage.engine import reading
from storage.tables import document_delivery
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import is_settled
from tests.support.lrs import Lrs, StartLrs
from tests.support.waiting import wait_until

PROFILE = "https://w3id.org/xapi/scorm/"
ATTEMPT_STATE = PROFILE + "attempt-state"
DEFAULT = {"activity-state", "attempt-state", "activity-profile", "agent-profile"}
PLAYED = {
    "completion_status": "incomplete",
    "location": "p2",
    "suspend_data": "s" * 50,
    "scaled_passing_score": "0.8",
    "learner_preference": {"audio_level": "0.5", "language": "de"},
}
SUSPENDED = PLAYED | {"exit": "suspend", "session_time": "PT10M"}
MIN_INTERVAL = 10
"""Seconds between two writes of one document, as the shipped mapping says."""
ANY_DOCUMENT = {
    "read": Match(method="GET", path="/xapi/activities/"),  # not /xapi/about
    "write": Match(method="PUT", path="/xapi/activities/"),
}


def held(lrs: Lrs) -> dict[str, Any]:
    """Return what an LRS has, by the last part of the document's id."""
    return {
        name.removeprefix(PROFILE): json.loads(document.content) if document.is_json else document.content.decode()
        for name, document in lrs.app[DOCUMENTS].matching(lambda _: True)
    }


def requests(lrs: Lrs, method: str = "PUT") -> list[dict[str, str]]:
    """Return the parameters of the requests for documents, in order of arrival."""
    return [
        {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        for request in lrs.app[LEDGER].arrivals()
        if request.method == method and urlsplit(request.target).path.startswith("/xapi/a") and "?" in request.target
    ]


def writes(lrs: Lrs) -> Counter[str]:
    """Count the writes of each document."""
    return Counter((query.get("stateId") or query["profileId"]).removeprefix(PROFILE) for query in requests(lrs))


def due(bridge: Bridge, target: str = "lrs") -> int:
    """Return how many documents may be written now."""
    with reading(bridge.engine) as connection:
        way = document_delivery.c
        query = select(func.count()).where(
            way.target == target, way.state == "waiting", way.not_before <= bridge.clock()
        )
        return connection.execute(query).scalar_one()


async def written(bridge: Bridge, target: str = "lrs") -> None:
    """Make the documents of what was committed, and wait until nothing that may be sent now is left."""
    await bridge.let_documents_follow()
    await wait_until(lambda: is_settled(bridge) and not due(bridge, target))


async def write(lrs: Lrs, parameters: dict[str, str], content: object, condition: dict[str, str]) -> int:
    """Write a document as another client of the LRS would."""
    headers = {"X-Experience-API-Version": "1.0.3", "Content-Type": "application/json"} | condition
    async with (
        aiohttp.ClientSession() as session,
        session.put(
            lrs.endpoint + "activities/state", params=parameters, data=json.dumps(content), headers=headers
        ) as response,
    ):
        return response.status


async def test_the_lrs_has_what_the_profile_asks_for(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    answer = await bridge.commit(SUSPENDED, learner={"id": "u1", "name": "Ana Ćirić"}, scorm_version="2004")
    await written(bridge)
    sco = f"{lrs_activity(answer)}"
    uuid = attempt_uuid(bridge)
    assert held(lrs) == {
        "activity-state": {"attempts": [f"{sco}?attemptId={uuid}"]},
        "attempt-state": {
            "location": "p2",
            "preferences": {"audio_level": 0.5, "language": "de"},
            "total_time": "PT10M",
        },
        "activity-profile": {"scaled_passing_score": 0.8},
        "agent-profile": {
            "learner_id": "u1",
            "learner_name": "Ana Ćirić",
            "preferences": {"audio_level": 0.5, "language": "de"},
        },
    }
    agent = {"account": {"homePage": "https://lms.example.org", "name": "u1"}, "objectType": "Agent"}
    (state,) = [query for query in requests(lrs) if query.get("stateId") == ATTEMPT_STATE]
    assert (state["activityId"], json.loads(state["agent"])) == (f"{sco}?attemptId={uuid}", agent)


def lrs_activity(answer: dict[str, Any]) -> str:
    """Return the IRI of the activity that all commits here are about."""
    assert answer["result"] is True
    return "https://lms.example.org/activities/235"


def attempt_uuid(bridge: Bridge, number: int = 1) -> str:
    """Return the UUID of an attempt of the one learner."""
    return bridge.reports()[number - 1].attempt.uuid


async def test_each_document_can_be_switched_for_each_target(start_lrs: StartLrs, start: StartBridge) -> None:
    first, second = await start_lrs(), await start_lrs()
    bridge = await start(
        targets=(
            first.settings("first", documents={"adl-suspend-data": True, "agent-profile": False}),
            second.settings("second", documents=dict.fromkeys(DEFAULT, False)),
        )
    )
    await bridge.commit(SUSPENDED)
    await written(bridge, "first")
    await written(bridge, "second")

    assert held(first).keys() == (DEFAULT - {"agent-profile"}) | {"types/adl-suspend-data"}
    assert held(first)["types/adl-suspend-data"] == "s" * 50
    assert held(second) == {}


async def test_a_document_that_the_mapping_does_not_know_is_told_at_start(lrs: Lrs, start: StartBridge) -> None:
    with pytest.raises(SettingsError, match=r"targets\.lrs\.documents: suspend is no document .* adl-suspend-data"):
        await start(targets=(lrs.settings(documents={"suspend": True}),))


async def test_a_chatty_course_does_not_flood_the_lrs_and_its_last_word_arrives(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    for page in range(50):
        bridge.clock.advance(1)
        await bridge.commit(PLAYED | {"location": f"p{page}"})
        await written(bridge)
    assert writes(lrs)["attempt-state"] == 50 / MIN_INTERVAL
    await bridge.commit(SUSPENDED | {"location": "end"}, terminated=True)
    await written(bridge)
    assert held(lrs)["attempt-state"]["location"] == "end"
    assert writes(lrs) == {"activity-state": 1, "activity-profile": 1, "agent-profile": 1, "attempt-state": 6}


async def test_a_session_that_ends_does_not_wait_for_what_it_changed_before(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(documents={"adl-suspend-data": True}),))
    await bridge.commit(PLAYED)
    await written(bridge)
    await bridge.commit({"suspend_data": "later"})
    await written(bridge)
    assert held(lrs)["types/adl-suspend-data"] == "s" * 50
    await bridge.commit({"exit": "suspend"}, terminated=True)
    await written(bridge)
    assert held(lrs)["types/adl-suspend-data"] == "later"


async def test_every_attempt_is_in_the_list_in_order(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    for number in (1, 3, 2):
        await bridge.commit({"completion_status": "completed"}, attempt=number, terminated=True)
        await bridge.open(attempt=9)  # one that nobody plays is no attempt yet
        await written(bridge)
    uuids = [report.attempt.uuid for report in bridge.reports() if report.commits]
    attempts = held(lrs)["activity-state"]["attempts"]

    assert [activity_id.partition("attemptId=")[2] for activity_id in attempts] == uuids


async def test_what_others_wrote_into_a_document_stays(lrs: Lrs, start: StartBridge) -> None:
    agent = json.dumps({"account": {"homePage": "https://lms.example.org", "name": "u1"}})
    place = {"activityId": "https://lms.example.org/activities/235", "agent": agent}
    elsewhere = {"attempts": ["https://elsewhere.example.org/attempt"], "note": "kept"}
    assert await write(lrs, place | {"stateId": PROFILE + "activity-state"}, elsewhere, {"If-None-Match": "*"}) == 204
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)
    state = held(lrs)["activity-state"]
    assert state["note"] == "kept"
    assert state["attempts"][0] == "https://elsewhere.example.org/attempt"
    assert state["attempts"][1].endswith(attempt_uuid(bridge))


@pytest.mark.parametrize("status", [409, 412])
async def test_a_document_that_somebody_wrote_meanwhile_is_read_again(
    lrs: Lrs, start: StartBridge, status: int
) -> None:
    lrs.script(lrs.refuse(status, ANY_DOCUMENT["write"], times=3))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)

    assert held(lrs).keys() == DEFAULT
    assert len(requests(lrs, "GET")) >= len(DEFAULT) + 3


async def test_a_document_that_others_never_leave_alone_is_tried_later(lrs: Lrs, start: StartBridge) -> None:
    lrs.script(lrs.refuse(412, ANY_DOCUMENT["write"], times=4 * MAX_READS))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)

    assert held(lrs).keys() == DEFAULT


TROUBLES = [
    (where, status)
    for where in ANY_DOCUMENT
    for status in (401, 403, 404, 429, 500, 503)
    if (where, status) != ("read", 404)  # so an LRS says that it has no such document
]


@pytest.mark.parametrize(("where", "status"), TROUBLES)
async def test_an_lrs_in_trouble_gets_the_documents_when_it_is_well(
    lrs: Lrs, start: StartBridge, where: str, status: int
) -> None:
    lrs.script(lrs.refuse(status, ANY_DOCUMENT[where], times=6))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)

    assert held(lrs).keys() == DEFAULT


async def test_an_answer_that_was_lost_after_the_write_costs_nothing(lrs: Lrs, start: StartBridge) -> None:
    lrs.script(FaultRule(faults.StoreThenCut(), when=ANY_DOCUMENT["write"], times=2))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)

    assert held(lrs).keys() == DEFAULT
    assert due(bridge) == 0


@pytest.mark.parametrize("status", [400, 413, 414, 422])
async def test_a_document_whose_address_an_lrs_does_not_take_holds_up_no_other(
    lrs: Lrs, start: StartBridge, status: int
) -> None:
    lrs.script(lrs.refuse(status, Match(method="GET", path="/xapi/agents/"), times=1))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)
    assert held(lrs).keys() == DEFAULT - {"agent-profile"}
    (dead,) = (document for document in bridge.reports()[0].documents if document.name == "agent-profile")
    assert [(way.state, way.last_status) for way in dead.deliveries] == [("dead", status)]


async def test_a_document_that_is_switched_off_is_not_sent_any_more_and_comes_again(
    lrs: Lrs, start: StartBridge
) -> None:
    lrs.script(FaultRule(faults.Cut()))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await bridge.let_documents_follow()
    await bridge.close()
    lrs.script()
    off = lrs.settings(documents={"agent-profile": False})
    bridge = await start(targets=(off,), token=bridge.token)
    await written(bridge)
    assert held(lrs).keys() == DEFAULT - {"agent-profile"}
    await bridge.close()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await bridge.commit(PLAYED | {"exit": "suspend"}, terminated=True)
    await written(bridge)
    assert held(lrs).keys() == DEFAULT


async def test_a_refused_document_is_dead_until_it_changes_and_holds_up_nothing(lrs: Lrs, start: StartBridge) -> None:
    lrs.script(lrs.refuse(400, Match(method="PUT"), times=4))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await written(bridge)
    assert held(lrs) == {}
    assert len(lrs.ids()) > 0
    bridge.clock.advance(MIN_INTERVAL)
    await bridge.commit({"location": "p3"})
    await written(bridge)
    assert held(lrs).keys() == {"attempt-state"}


async def test_documents_stored_before_an_lrs_was_configured_go_to_it(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start()
    await bridge.commit(SUSPENDED, terminated=True)
    await bridge.let_documents_follow()
    await bridge.close()
    bridge = await start(targets=(lrs.settings(documents={"agent-profile": False}),), token=bridge.token)
    await wait_until(lambda: len(held(lrs)) == 3)

    assert held(lrs).keys() == DEFAULT - {"agent-profile"}


async def test_a_killed_forwarder_s_documents_are_written_by_the_next(lrs: Lrs, start: StartBridge) -> None:
    lrs.script(FaultRule(faults.Cut(), when=ANY_DOCUMENT["write"]))
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PLAYED)
    await bridge.let_documents_follow()
    await wait_until(lambda: len(requests(lrs)) > 4)
    await bridge.close()
    lrs.script()
    bridge = await start(targets=(lrs.settings(),), token=bridge.token)
    await written(bridge)

    assert held(lrs).keys() == DEFAULT


async def test_xapi_2_is_spoken_where_it_is_asked_for(start_lrs: StartLrs, start: StartBridge) -> None:
    lrs = await start_lrs()
    bridge = await start(targets=(lrs.settings(version="2.0.0"),))
    for page in ("p1", "p2"):
        await bridge.commit(PLAYED | {"location": page})
        await written(bridge)
        bridge.clock.advance(MIN_INTERVAL)

    assert held(lrs)["attempt-state"]["location"] == "p2"


@pytest.mark.parametrize(
    ("ours", "theirs", "joined"),
    [
        ('{"a":1}', '{"b":2}', {"b": 2, "a": 1}),
        ('{"a":1}', '{"a":2}', {"a": 1}),
        ('{"a":["x","y"]}', '{"a":["z","x"]}', {"a": ["z", "x", "y"]}),
        ('{"a":[{"x":1}]}', '{"a":[{"x":2}]}', {"a": [{"x": 1}]}),
        ('{"a":["x"]}', '{"a":7}', {"a": ["x"]}),
        ('{"a":1}', "[1]", {"a": 1}),
        ('{"a":1}', "no JSON", {"a": 1}),
        ('{"a":1}', "[" * 100_000, {"a": 1}),
    ],
)
def test_a_document_is_joined_with_what_is_there(ours: str, theirs: str, joined: object) -> None:
    assert json.loads(merge_documents(ours.encode(), theirs)) == joined


def test_a_document_that_says_nothing_new_stays_byte_for_byte_what_it_was() -> None:
    assert merge_documents(b'{"a":1}', '{ "b": 2, "a": 1 }') == b'{ "b": 2, "a": 1 }'
