"""Sessions that never say that they end."""

from __future__ import annotations

import json

from bridge.commits.idle_session_reaper import IdleSessionReaper
from bridge.http.services import SERVICES
from tests.support.bridge import Bridge

IDLE_AFTER = 3600


def _reaper(bridge: Bridge) -> IdleSessionReaper:
    parts = bridge.client.app[SERVICES]
    return IdleSessionReaper(parts.database, parts.commits, bridge.clock, IDLE_AFTER)


async def test_an_idle_session_ends_abandoned_as_of_its_last_commit(bridge: Bridge) -> None:
    committed = await bridge.commit({"core": {"lesson_status": "incomplete", "session_time": "00:01:00"}})
    bridge.clock.advance(IDLE_AFTER + 1)
    ended = await _reaper(bridge).reap()
    _, session = await bridge.get(f"/v1/sessions/{committed['session_id']}")
    (report,) = bridge.reports()
    last = json.loads(report.statements[-1].body)

    assert ended == 1
    assert (session["ended"], session["ended_at"]) == ("abandoned", "2026-01-01T00:00:00.000Z")
    assert session["attempt"]["status"] == "abandoned"
    assert last["verb"]["id"] == "https://w3id.org/xapi/adl/verbs/abandoned"
    assert last["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert last["result"] == {"completion": False, "duration": "PT1M"}


async def test_content_that_had_announced_suspend_is_suspended_and_resumed_next(bridge: Bridge) -> None:
    await bridge.commit({"core": {"exit": "suspend"}, "suspend_data": "so far"})
    bridge.clock.advance(IDLE_AFTER + 1)
    await _reaper(bridge).reap()
    opened = await bridge.open()

    assert bridge.rules() == ["initialized", "suspended"]
    assert (opened["attempt"]["number"], opened["attempt"]["entry"]) == (1, "resume")
    assert opened["cmi"]["suspend_data"] == "so far"


async def test_a_score_that_was_still_being_written_is_told_at_the_end(bridge: Bridge) -> None:
    session_id = (await bridge.open())["session_id"]
    for element, value in (("raw", 85), ("max", 200)):
        body = {"cmi": {f"cmi.core.score.{element}": value}}
        await bridge.post(f"/v1/formats/single/sessions/{session_id}/commits", body)
    before = bridge.rules()
    bridge.clock.advance(IDLE_AFTER + 1)
    await _reaper(bridge).reap()
    answer = (await bridge.get("/v1/enrollments?learner=u1"))[1]
    (report,) = bridge.reports()

    assert before == ["initialized"]
    assert bridge.rules() == ["initialized", "scored", "abandoned"]
    assert json.loads(report.statements[1].body)["result"] == {"score": {"scaled": 0.85, "raw": 85, "max": 200}}
    assert answer["enrollments"][0]["best_score"] == {"scaled": 0.425, "raw": 85, "max": 200}


async def test_a_score_that_turns_out_to_be_impossible_stands_nowhere(bridge: Bridge) -> None:
    session_id = (await bridge.open())["session_id"]
    address = f"/v1/formats/single/sessions/{session_id}/commits"
    await bridge.post(address, {"cmi": {"cmi.score.raw": 9}})
    _, answer = await bridge.post(address, {"cmi": {"cmi.score.max": 3}})
    bridge.clock.advance(IDLE_AFTER + 1)
    await _reaper(bridge).reap()

    assert answer["attempt"]["score"] is None
    assert answer["enrollment"]["best_score"] is None
    assert bridge.rules() == ["initialized", "abandoned"]


async def test_a_session_that_still_commits_is_left_alone(bridge: Bridge) -> None:
    await bridge.commit({"suspend_data": "x"})
    bridge.clock.advance(IDLE_AFTER - 1)

    assert await _reaper(bridge).reap() == 0
    assert bridge.rules() == ["initialized"]


async def test_a_session_that_was_never_played_ends_without_a_word(bridge: Bridge) -> None:
    opened = await bridge.open()
    bridge.clock.advance(IDLE_AFTER + 1)

    assert await _reaper(bridge).reap() == 1
    assert await _reaper(bridge).reap() == 0
    assert bridge.rules() == []
    assert (await bridge.get(f"/v1/sessions/{opened['session_id']}"))[1]["ended"] == "abandoned"


async def test_a_session_that_only_the_bridge_ended_goes_on_when_it_speaks_again(bridge: Bridge) -> None:
    """A laptop was closed, and opened again on the next day."""
    first = await bridge.commit({"core": {"lesson_status": "incomplete", "session_time": "00:05:00"}})
    bridge.clock.advance(IDLE_AFTER + 1)
    await _reaper(bridge).reap()
    back = await bridge.commit(
        {"core": {"lesson_status": "passed", "score": {"raw": "90"}, "lesson_location": "p9"}},
        session_id=first["session_id"],
    )
    last = await bridge.commit({"core": {"session_time": "00:08:00"}}, session_id=first["session_id"], terminated=True)

    assert (back["disposition"], back["attempt"]["status"]) == ("applied", "active")
    assert (back["attempt"]["score"], back["progress"]["location"]) == ({"scaled": 0.9, "raw": 90}, "p9")
    assert (last["attempt"]["status"], last["attempt"]["total_time"]) == ("terminated", "PT8M")
    assert bridge.rules() == ["initialized", "abandoned", "resumed", "scored", "completed", "passed", "terminated"]
    assert bridge.durations() == ["PT5M", "PT3M"]


async def test_a_session_can_be_given_up_twice_and_tells_so_twice(bridge: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_status": "incomplete", "session_time": "00:05:00"}})
    for minutes in (6, 7):
        bridge.clock.advance(IDLE_AFTER + 1)
        await _reaper(bridge).reap()
        await bridge.commit({"core": {"session_time": f"00:0{minutes}:00"}}, session_id=first["session_id"])
    bridge.clock.advance(IDLE_AFTER + 1)
    await _reaper(bridge).reap()

    assert bridge.rules() == ["initialized", "abandoned", "resumed", "abandoned", "resumed", "abandoned"]
    assert bridge.durations() == ["PT5M", "PT1M", "PT1M"]


async def test_a_session_that_goes_on_after_a_later_one_began_is_an_earlier_one(bridge: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_status": "incomplete", "lesson_location": "p1"}})
    bridge.clock.advance(IDLE_AFTER + 1)
    await _reaper(bridge).reap()
    second = await bridge.open()
    await bridge.commit({"core": {"lesson_location": "p5"}}, session_id=second["session_id"])
    back = await bridge.commit({"core": {"exit": ""}}, session_id=first["session_id"], terminated=True)

    assert (second["attempt"]["number"], second["attempt"]["entry"]) == (1, "resume")
    assert (back["disposition"], back["attempt"]["status"]) == ("applied", "active")
