"""A page and the LMS's server have sessions of one attempt: in whatever order, the server's data hold, told once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from bridge.commits.idle_session_reaper import IdleSessionReaper
from bridge.commits.launch_sources import SAME_LAUNCH_WINDOW
from bridge.http.services import SERVICES
from storage.engine import reading
from storage.tables import enrollment, journal
from tests.support.bridge import Bridge
from tests.support.browser_keys import STORED, create_key, open_page, path_of, send
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored

BEGUN = {"cmi.core.lesson_status": "incomplete", "cmi.suspend_data": "canary-of-the-page"}
INTERACTIONS = {
    "cmi.interactions.0.id": "q1",
    "cmi.interactions.0.type": "choice",
    "cmi.interactions.0.student_response": "a",
    "cmi.interactions.0.result": "correct",
}
DONE = (
    BEGUN
    | INTERACTIONS
    | {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "80", "cmi.core.session_time": "00:01:00"}
)
SOURCE = "https://lms.example.org/xapi/extensions/session-source"


class Launch:
    """One launch that a page and the LMS's server both tell of."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.key = create_key(bridge).key
        self.page_url = self.server_url = ""
        self.opened: dict[str, Any] = {}

    async def open_page(self) -> None:
        self.page_url = await open_page(self.bridge, self.key)

    async def open_server(self, **fields: Any) -> None:
        self.opened = await self.bridge.open(learner={"id": "u1", "name": "Ada"}, scorm_version="1.2", **fields)
        self.server_url = self.opened["commit_url"]

    async def page(self, cmi: dict[str, Any], **fields: Any) -> None:
        assert await send(self.bridge, self.page_url, cmi, **fields) == (200, STORED)

    async def server(self, cmi: dict[str, Any], **fields: Any) -> dict[str, Any]:
        status, answer = await self.bridge.post(path_of(self.server_url), {"cmi": cmi, "scorm_version": "1.2"} | fields)
        assert status == 200, answer
        return dict(answer)

    async def page_plays(self) -> None:
        await self.open_page()
        await self.page(BEGUN, sequence=1)
        await self.page(DONE, sequence=2, terminated=True)

    async def server_plays(self) -> None:
        await self.open_server()
        await self.server(BEGUN, sequence=1)
        await self.server(DONE, sequence=2, terminated=True)


@pytest.fixture
def launch(bridge: Bridge) -> Launch:
    """A launch of learner u1 in activity 235."""
    return Launch(bridge)


def dispositions(bridge: Bridge) -> list[str]:
    """Return what became of all commits, in the order they came."""
    with reading(bridge.engine) as connection:
        return [*connection.execute(select(journal.c.disposition).order_by(journal.c.id)).scalars()]


def summary(bridge: Bridge) -> tuple[Any, ...]:
    """Return the enrollment's results."""
    columns = (
        enrollment.c.completion_status,
        enrollment.c.success_status,
        enrollment.c.best_raw,
        enrollment.c.total_time,
    )
    with reading(bridge.engine) as connection:
        return tuple(connection.execute(select(*columns)).one())


async def test_the_servers_statements_are_those_of_a_bridge_without_pages(bridge: Bridge, launch: Launch) -> None:
    await launch.server_plays()

    bodies = [json.loads(statement.body) for report in bridge.reports() for statement in report.statements]

    assert all(SOURCE not in body["context"].get("extensions", {}) for body in bodies)
    assert bridge.rules() == ["initialized", "responded", "scored", "completed", "passed", "terminated"]


async def test_a_pages_statements_say_that_a_page_sent_them(bridge: Bridge, launch: Launch) -> None:
    await launch.page_plays()

    bodies = [json.loads(statement.body) for report in bridge.reports() for statement in report.statements]

    assert [body["context"]["extensions"][SOURCE] for body in bodies] == ["browser"] * 6
    assert bridge.rules() == ["initialized", "responded", "scored", "completed", "passed", "terminated"]


@pytest.mark.parametrize("order", ["page first", "server first", "interleaved", "opened before, sent after"])
async def test_the_same_said_by_both_is_told_once(bridge: Bridge, launch: Launch, order: str) -> None:
    if order == "page first":
        await launch.page_plays()
        await launch.server_plays()
    elif order == "server first":
        await launch.server_plays()
        await launch.page_plays()
    elif order == "interleaved":
        await launch.open_page()
        await launch.page(BEGUN, sequence=1)
        await launch.open_server()
        await launch.page(DONE, sequence=2)
        await launch.server(BEGUN, sequence=1)
        await launch.page(DONE, sequence=3, terminated=True)
        await launch.server(DONE, sequence=2, terminated=True)
    else:
        await launch.open_page()
        await launch.open_server()
        await launch.page(DONE, sequence=1, terminated=True)
        await launch.server(DONE, sequence=1, terminated=True)

    assert sorted(bridge.rules()) == ["completed", "initialized", "passed", "responded", "scored", "terminated"]
    assert len(bridge.reports()) == 1
    assert summary(bridge) == ("completed", "passed", 80, 6000)
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_what_a_page_sends_beside_the_server_is_kept_and_changes_nothing(bridge: Bridge, launch: Launch) -> None:
    await launch.open_server()
    await launch.server(BEGUN, sequence=1)
    await launch.open_page()
    await launch.page(DONE, sequence=1, terminated=True)

    assert dispositions(bridge) == ["applied", "superseded"]
    assert bridge.rules() == ["initialized"]
    assert summary(bridge)[1:3] == (None, None)


async def test_forged_results_end_with_the_servers_first_word(bridge: Bridge, launch: Launch) -> None:
    """And the server's player is loaded with nothing of a page's."""
    await launch.open_page()
    await launch.page(DONE | {"cmi.core.score.raw": "100"}, sequence=1)
    await launch.open_server()
    await launch.server({"cmi.core.lesson_status": "failed", "cmi.core.score.raw": "30"}, sequence=1)
    await launch.page(DONE, sequence=2)
    assert "canary-of-the-page" not in json.dumps(launch.opened)
    assert launch.opened["attempt"]["entry"] == "ab-initio"
    assert summary(bridge) == (None, "failed", 30, 0)
    (report,) = bridge.reports()
    assert (report.attempt.success_status, report.attempt.score_raw) == ("failed", 30)
    assert bridge.rules()[-2:] == ["scored", "failed"]
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_a_value_that_the_server_says_otherwise_is_told_and_is_the_last(bridge: Bridge, launch: Launch) -> None:
    await launch.page_plays()
    await launch.open_server()
    await launch.server(DONE | {"cmi.core.score.raw": "70"}, sequence=1, terminated=True)

    scores = [
        json.loads(statement.body)["result"]["score"]["raw"]
        for report in bridge.reports()
        for statement in report.statements
        if statement.rule == "scored"
    ]

    assert scores == [80, 70]


async def test_a_later_launch_of_the_server_is_told_as_one(bridge: Bridge, launch: Launch) -> None:
    await launch.page_plays()
    bridge.clock.advance(SAME_LAUNCH_WINDOW / 1000 + 1)
    await launch.server_plays()

    assert bridge.rules().count("terminated") == 2
    assert [report.attempt.number for report in bridge.reports()] == [1, 2]


async def test_another_attempt_that_the_server_asks_for_is_one(bridge: Bridge, launch: Launch) -> None:
    await launch.page_plays()
    await launch.open_server(attempt=2)
    await launch.server(DONE, sequence=1, terminated=True)

    assert bridge.rules().count("passed") == 2


async def test_a_commit_that_names_no_session_goes_to_none_of_a_page(bridge: Bridge, launch: Launch) -> None:
    await launch.open_page()
    await launch.page(DONE, sequence=1)
    await bridge.commit({"core": {"lesson_status": "failed", "score": {"raw": "30"}}}, scorm_version="1.2")
    assert summary(bridge)[1:3] == ("failed", 30)
    await launch.page(DONE, sequence=2)
    assert dispositions(bridge) == ["applied", "applied", "superseded"]


async def test_a_page_changes_no_name_and_adds_what_is_not_known(bridge: Bridge, launch: Launch) -> None:
    await bridge.open(learner={"id": "u1", "name": "Ada Lovelace"})
    url = await open_page(
        bridge, launch.key, learner={"id": "u1", "name": "Mallory"}, activity={"id": "235", "name": "Lesson 1"}
    )
    await send(bridge, url, BEGUN)

    (report,) = bridge.reports()

    assert (report.attempt.enrollment.learner_name, report.attempt.enrollment.activity_name) == (
        "Ada Lovelace",
        "Lesson 1",
    )


async def test_the_idle_end_of_a_page_beside_the_server_is_not_told(bridge: Bridge, launch: Launch) -> None:
    await launch.open_page()
    await launch.page(BEGUN, sequence=1)
    await launch.open_server()
    await launch.server(DONE, sequence=1, terminated=True)
    bridge.clock.advance(86_400)
    assert bridge.client.app is not None
    parts = bridge.client.app[SERVICES]

    assert await IdleSessionReaper(parts.database, parts.commits, bridge.clock, 3_600).reap() == 1
    assert bridge.rules() == ["initialized", "responded", "scored", "completed", "passed", "terminated"]
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_an_idle_page_session_ends_as_any_other(bridge: Bridge, launch: Launch) -> None:
    await launch.open_page()
    await launch.page(BEGUN, sequence=1)
    bridge.clock.advance(86_400)
    assert bridge.client.app is not None
    parts = bridge.client.app[SERVICES]

    assert await IdleSessionReaper(parts.database, parts.commits, bridge.clock, 3_600).reap() == 1
    assert bridge.rules() == ["initialized", "abandoned"]
