"""What is refused for a budget or a disk: before anything is stored, in the words of whoever asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select

from bridge import formats
from bridge.errors import DiskLow, LearnerOverLimit, LmsOverLimit, SessionOverLimit
from bridge.http.services import SERVICES
from bridge.settings import (
    LearnerBudgetSettings,
    LimitSettings,
    LmsBudgetSettings,
    SessionBudgetSettings,
)
from storage.engine import reading
from storage.tables import journal, session
from tests.formats.client import open_format_client
from tests.formats.test_all_formats import BODIES
from tests.support.bridge import Bridge, StartBridge

ONE = {"commits": 1, "commits_per_minute": 1}


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def _stored(bridge: Bridge) -> tuple[int, int]:
    with reading(bridge.engine) as connection:
        commits, sessions = (
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (journal, session)
        )
    return commits, sessions


def _body(learner: str = "u1", **more: Any) -> dict[str, Any]:
    return {"learner": {"id": learner}, "activity": {"id": "235"}, "cmi": {"suspend_data": "x"}} | more


@pytest.mark.parametrize(
    ("limits", "code", "other"),
    [
        (LimitSettings(learner=LearnerBudgetSettings(**ONE)), LearnerOverLimit.code, 200),
        (LimitSettings(lms=LmsBudgetSettings(**ONE)), LmsOverLimit.code, 429),
    ],
)
async def test_over_a_budget_nothing_is_stored_and_the_answer_says_when_to_come_again(
    start: StartBridge, limits: LimitSettings, code: str, other: int
) -> None:
    clock = Clock()
    bridge = await start(limits=limits, monotonic=clock)
    assert (await bridge.post("/v1/commits", _body()))[0] == 200
    headers = {"Authorization": f"Bearer {bridge.token}"}
    for address in ("/v1/commits", "/v1/sessions", "/scorm/progress/235/"):
        async with bridge.client.post(address, json=_body(cmi_data={"a": "b"}), headers=headers) as response:
            answer = await response.json(content_type="application/problem+json")
            assert (response.status, answer["code"], answer["result"]) == (429, code, False), address
            assert response.headers["Retry-After"] == "60", address
    assert _stored(bridge) == (1, 1)
    assert (await bridge.post("/v1/commits", _body("u2")))[0] == other
    clock.seconds += 60
    assert (await bridge.post("/v1/commits", _body()))[0] == 200


@pytest.mark.parametrize("name", [None, *formats.BY_NAME])
async def test_each_format_is_refused_in_its_own_words(start: StartBridge, name: str | None) -> None:
    """Where a format has no words for it, with problem JSON; Retry-After is there in any case."""
    bridge = await start(limits=LimitSettings(session=SessionBudgetSettings(**ONE)))
    client = await open_format_client(bridge, name)
    body = BODIES[name or "native"][0]
    answers = []
    for _ in range(2):
        async with bridge.client.post(client.address, data=body) as response:
            answers.append((response.status, response.headers, await response.text()))
    first, second = answers
    assert first[0] == 200, first[2]
    assert "Retry-After" not in first[1]
    assert int(second[1]["Retry-After"]) > 0
    assert _stored(bridge)[0] == 1
    wire_format = None if name is None else formats.BY_NAME[name]
    if wire_format is None or wire_format.respond_error is None:
        assert (second[0], json.loads(second[2])["code"]) == (429, SessionOverLimit.code)
    else:
        assert second[2] != first[2]


async def test_a_refusal_is_logged_once_for_a_client_and_shown_as_an_alarm_for_a_while(start: StartBridge) -> None:
    clock = Clock()
    bridge = await start(limits=LimitSettings(learner=LearnerBudgetSettings(**ONE)), monotonic=clock)
    assert bridge.client.app is not None
    alarms = bridge.client.app[SERVICES].alarms
    with structlog.testing.capture_logs() as logged:
        for learner in ("u1", "u2"):
            for _ in range(5):
                await bridge.post("/v1/commits", _body(learner))
        assert [str(alarm.code) for alarm in alarms.current()] == ["over-limit"]
        clock.seconds += 601
        assert alarms.current() == []
    names = [entry["event"] for entry in logged]

    assert (names.count("client_over_limit"), names.count("alarm_raised"), names.count("alarm_cleared")) == (2, 1, 1)
    assert not [entry for entry in logged if "u1" in str(entry)]


async def test_while_the_disk_is_nearly_full_nothing_new_is_stored_and_it_is_unready(start: StartBridge) -> None:
    bridge = await start()
    assert bridge.client.app is not None
    disk = bridge.client.app[SERVICES].disk
    player = await open_format_client(bridge, None)
    disk.evaluate(10, 10**9)
    for address, body in (("/v1/commits", _body()), ("/v1/sessions", _body())):
        status, answer = await bridge.post(address, body)
        assert (status, answer["code"]) == (503, DiskLow.code), address
    assert (await player.post({"cmi": {"a": "b"}})).status == 503
    status, answer = await bridge.get("/readyz", token=None)
    assert (status, [alarm["code"] for alarm in answer["alarms"]]) == (503, ["low-disk"])
    assert _stored(bridge) == (0, 1)
    disk.evaluate(10**9, 10**9)
    assert (await bridge.post("/v1/commits", _body()))[0] == 200
    assert (await bridge.get("/readyz", token=None))[0] == 200
