"""Leaving the course in every way a learner can, and launching it again."""

from __future__ import annotations

from typing import Any

import isodate
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.course_page import CoursePage
from tests.browser.expected_statements import (
    RESUMED,
    STARTED,
    SUSPENDED,
    Line,
    answered,
    expect_statements,
    extension,
    passed,
    seen,
)
from tests.browser.sandbox_bridge import SandboxBridge
from tests.real_lrs.learning_locker import LearningLocker

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.parametrize("version", ["1.2", "2004"])]

WRONG = "set-is-not-save"


def suspended_on(version: str, page: int) -> list[Line]:
    """Return what is told of a first session that is left on a page, counted from 1."""
    return [STARTED, *seen(version, 1, page, wrong=(WRONG,)), SUSPENDED]


async def leave(course: CoursePage) -> None:
    """End a session in which nothing more happens."""
    await course.save_and_leave()
    await course.expect_end("suspended")


async def test_a_course_saved_and_left_goes_on_where_it_was_and_its_times_add_up(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    await page.clock.install()
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await page.clock.fast_forward("20:00")
    await course.turn_to("what-it-says", wrong=(WRONG,))
    await leave(course)
    await expect_statements(lrs, learner, version, suspended_on(version, 6))

    course = await bridge.launch(page, learner, version)
    await course.expect_page("what-it-says")
    await course.expect_answered(WRONG, "incorrect")
    await course.expect_answered("what-resumes", "correct")
    await expect(course.question("what-it-says")).not_to_have_attribute("data-result", "correct")
    await page.clock.fast_forward("05:00")
    await course.play("passed")
    statements = await expect_statements(
        lrs, learner, version, [*suspended_on(version, 6), RESUMED, *seen(version, 7, 9), *passed(80, 0.8)]
    )

    spent = [
        isodate.parse_duration(statement["result"]["duration"]).total_seconds()
        for statement in statements
        if statement["verb"]["display"]["en-US"] in {"suspended", "terminated"}
    ]
    assert 20 * 60 < spent[0] < 24 * 60
    assert 5 * 60 < spent[1] < 9 * 60
    [attempt] = await bridge.shown_attempts(page, learner)
    hours, minutes, seconds = map(float, attempt["fields"]["time"].split(":"))
    assert hours * 3600 + minutes * 60 + seconds == pytest.approx(sum(spent), abs=0.001)
    expect_one_attempt_in_two_sessions(statements)
    stored = await bridge.verify(learner, version)
    assert [session["ended"] for session in stored["attempts"][0]["sessions"]] == ["suspended", "terminated"]


async def test_a_tab_closed_in_the_middle_loses_nothing(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.turn_to("what-resumes", wrong=(WRONG,))
    await course.answer("what-resumes", right=True)  # not committed: only the beacon knows of it
    await page.close(run_before_unload=True)
    first = [*suspended_on(version, 5)[:-1], answered(version, "what-resumes"), SUSPENDED]
    await expect_statements(lrs, learner, version, first)

    course = await bridge.launch(await page.context.new_page(), learner, version)
    await course.expect_page("what-resumes")
    await course.expect_answered("what-resumes", "correct")
    await leave(course)
    statements = await expect_statements(lrs, learner, version, [*first, RESUMED, SUSPENDED])
    expect_one_attempt_in_two_sessions(statements)


async def test_leaving_by_the_link_and_returning_by_the_back_button_goes_on(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, watch: Watch, learner: str, version: str
) -> None:
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.turn_to("what-resumes", wrong=(WRONG,))
    await page.get_by_role("link", name="Back to the sandbox").click()
    await expect(page.get_by_role("heading", name="Sandbox")).to_be_visible()
    await expect_statements(lrs, learner, version, suspended_on(version, 5))

    # the frame that the browser brings back from its history gives way to the new launch's
    watch.expect(r"course/index\.html: net::ERR_ABORTED")
    await page.go_back()
    await course.expect_page("what-resumes")
    await course.expect_answered(WRONG, "incorrect")
    await leave(course)
    statements = await expect_statements(lrs, learner, version, [*suspended_on(version, 5), RESUMED, SUSPENDED])
    expect_one_attempt_in_two_sessions(statements)


async def test_a_page_reloaded_in_the_middle_goes_on(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.turn_to("what-resumes", wrong=(WRONG,))
    await page.reload()

    await course.expect_page("what-resumes")
    await course.expect_answered(WRONG, "incorrect")
    await leave(course)
    statements = await expect_statements(lrs, learner, version, [*suspended_on(version, 5), RESUMED, SUSPENDED])
    expect_one_attempt_in_two_sessions(statements)


async def test_a_finished_course_launched_again_is_a_second_attempt(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await course.play("passed", wrong=(WRONG,))
    first = [STARTED, *seen(version, 1, 9, wrong=(WRONG,)), *passed(80, 0.8)]
    await expect_statements(lrs, learner, version, first)

    course = await bridge.launch(page, learner, version)
    await course.expect_page("page-api")
    await expect(course.question(WRONG)).not_to_have_attribute("data-result", "incorrect")
    await leave(course)
    statements = await expect_statements(lrs, learner, version, [*first, *suspended_on(version, 1)])

    numbers = [extension(statement)["attempt"] for statement in statements]
    assert numbers == ["1"] * len(first) + ["2"] * (len(statements) - len(first))
    assert len(registrations(statements)) == 1
    shown = await bridge.shown_attempts(page, learner)
    assert [(attempt["number"], attempt["fields"]["success"]) for attempt in shown] == [(2, "unknown"), (1, "passed")]
    stored = await bridge.verify(learner, version)
    assert (stored["total_attempts"], stored["success_status"], stored["best_score"]["scaled"]) == (2, "passed", 0.8)


def registrations(statements: list[dict[str, Any]]) -> set[str]:
    """Return the registrations of statements."""
    return {statement["context"]["registration"] for statement in statements}


def expect_one_attempt_in_two_sessions(statements: list[dict[str, Any]]) -> None:
    """Check that all statements are of one attempt, of which those from `resumed` on are of another session."""
    assert len(registrations(statements)) == 1
    assert {extension(statement)["attempt"] for statement in statements} == {"1"}
    assert len({statement["context"]["contextActivities"]["grouping"][1]["id"] for statement in statements}) == 1
    verbs = [statement["verb"]["display"]["en-US"] for statement in statements]
    sessions = [extension(statement)["session_id"] for statement in statements]
    turn = verbs.index("resumed")
    assert len(set(sessions[:turn])) == len(set(sessions[turn:])) == 1
    assert sessions[0] != sessions[-1]
