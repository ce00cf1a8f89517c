"""The course played against the sandbox LRS: what it then keeps of the attempt, for the next launch to look up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from bridge.sandbox.lrs import DOCUMENTS
from tests.browser.conftest import StartSandbox
from tests.browser.expected_statements import DURATION
from tests.browser.sandbox_bridge import learner_id
from tests.support.accounts import HOME_PAGE
from tests.support.lrs import Lrs, serve_lrs
from tests.support.waiting import poll

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROFILE = "https://w3id.org/xapi/scorm/"


@pytest_asyncio.fixture(loop_scope="session")
async def keeper() -> AsyncIterator[Lrs]:
    """A sandbox LRS, which has all of xAPI's document resources."""
    async with serve_lrs() as lrs:
        yield lrs


PREFERENCES = {"audio_level": 1, "delivery_speed": 1, "audio_captioning": 0}
"""What scorm-again says of a SCORM 2004 learner who has set nothing."""


@pytest.mark.parametrize("version", ["1.2", "2004"])
async def test_an_attempt_that_was_left_can_be_looked_up_at_the_lrs(
    start: StartSandbox, keeper: Lrs, sqlite_url: str, page: Page, learner: str, version: str
) -> None:
    bridge = await start(sqlite_url, keeper.endpoint)
    course = await bridge.launch(page, learner, version)
    await course.turn_to("what-resumes")
    await course.save_and_leave()
    await course.expect_end("suspended")
    await bridge.shown_attempts(page, learner)

    first = keeper.store.statements()[0]
    grouping = [activity["id"] for activity in first["context"]["contextActivities"]["grouping"]]
    (attempt,) = (
        activity_id
        for activity_id in grouping
        if activity_id.startswith(f"{HOME_PAGE}/courses/sample/sample-{version}?attemptId=")
    )
    preferences = {"preferences": PREFERENCES} if version == "2004" else {}
    place = {"credit": "credit", "mode": "normal", "location": "what-resumes", "total_time": DURATION}
    expected = {
        "activity-state": {"attempts": [attempt]},
        "attempt-state": place | preferences,
        "agent-profile": {"learner_id": learner_id(learner), "learner_name": learner} | preferences,
    }
    if version == "2004":
        expected["activity-profile"] = {"time_limit_action": "continue,no message"}

    async def look() -> dict[str, Any]:
        return _held(keeper)

    assert await poll(look, lambda seen: seen == expected) == expected


def _held(keeper: Lrs) -> dict[str, Any]:
    documents = keeper.app[DOCUMENTS].matching(lambda _: True)
    return {name.removeprefix(PROFILE): json.loads(document.content) for name, document in documents}
