"""What is told when a learner completes the last of the activities that an LMS listed for a course."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from bridge.commits.idle_session_reaper import IdleSessionReaper
from bridge.http.services import SERVICES
from storage.engine import reading
from storage.tables import statement
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.frames import unpack_frames
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored
from tests.support.sql import scalar

COMPLETED = {"core": {"lesson_status": "completed"}}
INCOMPLETE = {"core": {"lesson_status": "incomplete"}}
ACTIVITIES = ("a", "b", "c")
COURSE = {"id": "c7", "name": "Computing", "activities": [*ACTIVITIES]}
RULE = "course-completed"


def _told(bridge: Bridge) -> list[dict[str, Any]]:
    unpack_frames(bridge.engine)
    with reading(bridge.engine) as connection:
        rows = connection.execute(select(statement.c.body).where(statement.c.rule == RULE))
        return [json.loads(body) for body in rows.scalars()]


async def _complete(bridge: Bridge, activity: str, **fields: Any) -> list[str]:
    """Commit that an activity is completed; return the rules that told something."""
    answer = await bridge.commit(COMPLETED, activity={"id": activity}, **{"course": {"id": "c7"}} | fields)
    return [told["rule"] for told in answer["statements"]]


async def _begin(bridge: Bridge, activity: str, **course: Any) -> str:
    """Begin an activity; return its session, which is cached."""
    answer = await bridge.commit(INCOMPLETE, activity={"id": activity}, course={"id": "c7"} | course)
    return str(answer["session_id"])


async def test_the_last_activity_of_a_course_completes_it_once(bridge: Bridge) -> None:
    await bridge.open(activity={"id": "a"}, course=COURSE)
    rules = [await _complete(bridge, activity) for activity in ("b", "not listed", "a", "c")]
    again = [
        *await _complete(bridge, "c", attempt=2),
        *await _complete(bridge, "d", course={"id": "c7", "activities": ["a", "d"]}),
    ]
    (body,) = _told(bridge)

    assert [told.count(RULE) for told in rules] == [0, 0, 0, 1]
    assert rules[-1][-1] == RULE
    assert RULE not in again
    assert body["verb"]["id"] == "http://adlnet.gov/expapi/verbs/completed"
    assert body["object"]["id"].endswith("/courses/c7")
    assert body["object"]["definition"]["type"] == "http://adlnet.gov/expapi/activities/course"
    assert body["result"] == {"completion": True}
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_a_course_is_completed_by_the_commit_that_lists_its_only_activity(bridge: Bridge) -> None:
    rules = await _complete(bridge, "a", course={"id": "c7", "activities": ["a"]})

    assert rules[-1] == RULE
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


@pytest.mark.parametrize("fields", [{"course": {"id": "c7", "activities": []}}, {"course": {"id": "other"}}, {}])
async def test_what_is_not_listed_completes_no_course(bridge: Bridge, fields: dict[str, Any]) -> None:
    await bridge.open(activity={"id": "a"}, course={"id": "c8", "activities": ["a"]})
    await _complete(bridge, "a", **fields)

    assert _told(bridge) == []


async def test_a_course_without_credit_is_not_completed(bridge: Bridge) -> None:
    course = {"id": "c7", "activities": ["a"]}
    rules = await _complete(bridge, "a", course=course, credit="no-credit")
    later = await _complete(bridge, "a", course=course, attempt=2)

    assert (RULE in rules, RULE in later) == (False, True)


async def test_another_learner_s_activities_complete_nobody_s_course(bridge: Bridge) -> None:
    for learner in ("u1", "u2"):
        await bridge.open(learner={"id": learner}, activity={"id": "a"}, course=COURSE)
    for learner, activity in (("u1", "a"), ("u1", "b"), ("u2", "c"), ("u2", "a")):
        await _complete(bridge, activity, learner={"id": learner})
    assert _told(bridge) == []
    last = await _complete(bridge, "b", learner={"id": "u2"})
    assert RULE in last


@pytest.mark.parametrize("order", ["abc", "cba"])
async def test_activities_that_are_completed_at_once_complete_the_course_once(bridge: Bridge, order: str) -> None:
    sessions = {activity: await _begin(bridge, activity, **COURSE) for activity in ACTIVITIES}
    await asyncio.gather(*(_complete(bridge, activity, session_id=sessions[activity]) for activity in order))

    assert len(_told(bridge)) == 1
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_activities_that_are_completed_at_once_with_their_first_list_complete_the_course_once(
    bridge: Bridge,
) -> None:
    """The one that is cached knows of no list when its result is computed."""
    session_id = await _begin(bridge, "a")
    await asyncio.gather(
        _complete(bridge, "a", session_id=session_id),
        _complete(bridge, "b", course={"id": "c7", "activities": ["a", "b"]}),
    )

    assert len(_told(bridge)) == 1


async def test_a_session_that_began_before_the_course_was_listed_completes_it(
    start: StartBridge,
) -> None:
    """In another process, which has the session cached."""
    bridge = await start()
    other = await start(token=bridge.token, clock=bridge.clock, ids=Ids(1_000))
    session_id = await _begin(bridge, "a")
    await _complete(other, "b", course={"id": "c7", "activities": ["a", "b"]})
    last = await _complete(bridge, "a", session_id=session_id)

    assert last[-1] == RULE


async def test_two_processes_complete_a_course_once(start: StartBridge) -> None:
    bridge = await start()
    other = await start(token=bridge.token, clock=bridge.clock, ids=Ids(1_000))
    for number in range(5):
        course = {"id": f"c{number}", "activities": ["a", "b"]}
        first, second = await _begin(bridge, "a", **course), await _begin(other, "b", **course)
        await asyncio.gather(
            _complete(bridge, "a", course=course, session_id=first),
            _complete(other, "b", course=course, session_id=second),
        )

    assert len(_told(bridge)) == 5
    assert scalar(bridge, "SELECT count(*) FROM course_activity_list WHERE completed_at IS NOT NULL") == 5


async def test_a_commit_that_is_sent_again_gets_the_same_answer(bridge: Bridge) -> None:
    session_id = await _begin(bridge, "a", activities=["a"])
    rules = [await _complete(bridge, "a", session_id=session_id, sequence=1) for _ in range(2)]

    assert rules[0] == rules[1]
    assert rules[0][-1] == RULE
    assert len(_told(bridge)) == 1


async def test_an_idle_end_that_completes_the_activity_completes_the_course(bridge: Bridge) -> None:
    """In SCORM 1.2, content that sets no status has completed when it is left."""
    opened = await bridge.open(activity={"id": "a"}, course={"id": "c7", "activities": ["a"]}, scorm_version="1.2")
    address = f"/v1/formats/single/sessions/{opened['session_id']}/commits"
    for element, value in (("score.raw", "85"), ("exit", "logout"), ("exit", "")):
        await bridge.post(address, {"cmi": {f"cmi.core.{element}": value}})
    bridge.clock.advance(3_601)
    assert bridge.client.app is not None
    parts = bridge.client.app[SERVICES]
    await IdleSessionReaper(parts.database, parts.commits, bridge.clock, 3_600).reap()

    assert bridge.rules(activity="a")[-1] == RULE
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)
