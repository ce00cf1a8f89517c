"""The LRS or the bridge is away while the course is played: the learner notices as little as possible."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import StartSandbox, Watch
from tests.browser.expected_statements import STARTED, answered, expect_statements, passed, rules, seen, stored
from tests.browser.sandbox_bridge import HOST, TARGET, SandboxBridge
from tests.real_lrs.learning_locker import LearningLocker
from tests.support.server import free_port

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.parametrize("version", ["1.2", "2004"])]


@pytest.fixture
def nowhere() -> str:
    """The address of an LRS at a port that nothing listens on."""
    return f"http://{HOST}:{free_port()}/xAPI/"


async def test_a_course_is_played_without_its_lrs_and_told_in_order_once_it_is_there(
    start: StartSandbox,
    sqlite_url: str,
    nowhere: str,
    lrs: LearningLocker,
    page: Page,
    learner: str,
    version: str,
) -> None:
    alone = await start(sqlite_url, nowhere)
    course = await alone.launch(page, learner, version)
    await course.expect_page("page-api")
    await expect(course.status).to_have_text("Saved")
    await course.play("passed")

    expected = [STARTED, *seen(version, 1, 9), *passed(100, 1)]
    [attempt] = await alone.shown_attempts(page, learner, delivery="waiting")
    assert [statement["rule"] for statement in attempt["statements"]] == rules(expected)
    assert attempt["fields"]["success"] == "passed"
    assert stored(lrs, learner) == []

    await alone.stop()
    bridge = await start(sqlite_url, lrs.endpoint)
    await expect_statements(lrs, learner, version, expected)
    [attempt] = await bridge.shown_attempts(page, learner)
    assert attempt["statements"] == [{"rule": rule, "deliveries": [[TARGET, "delivered"]]} for rule in rules(expected)]


async def test_a_bridge_that_is_away_for_a_page_loses_nothing(
    start: StartSandbox,
    bridge: SandboxBridge,
    lrs: LearningLocker,
    page: Page,
    watch: Watch,
    learner: str,
    version: str,
) -> None:
    # what the browser and the player say to whoever has the console open
    watch.expect("ERR_CONNECTION_REFUSED", "Failed to fetch", "(?i)scorm ?error")
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.turn_to("set-is-not-save")
    port = bridge.port
    await bridge.stop()

    await course.answer("set-is-not-save", right=True)
    await course.button("Next").click()
    await course.expect_page("what-resumes", status="failed")
    await expect(course.status).to_have_text("Saving failed: the bridge did not answer")

    await start(bridge.database_url, lrs.endpoint, port=port)
    await course.answer("what-resumes", right=True)
    await course.button("Next").click()
    await course.expect_page("what-it-says")
    await course.play("passed")
    # the fifth page was never told by itself: the commit of the sixth told both, with the answers given on both
    progress = [*seen(version, 1, 4), answered(version, "set-is-not-save"), *seen(version, 6, 9)]
    await expect_statements(lrs, learner, version, [STARTED, *progress, *passed(100, 1)])
