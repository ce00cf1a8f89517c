"""The pages themselves: every kind of question is playable, and everything fits on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Frame, Page, expect

from tests.browser.conftest import Watch, watched_page
from tests.browser.course_page import PAGES, CoursePage
from tests.browser.expected_statements import expect_every_type
from tests.browser.sandbox_bridge import SandboxBridge
from tests.real_lrs.learning_locker import LearningLocker

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}
EXTRA = ("call-that-saves", "in-your-words", "how-sure", "leave-well", "time-of-day")
ALL_PAGES = (*PAGES[:-1], *EXTRA, PAGES[-1])

TOO_WIDE = """() => [...document.querySelectorAll("html, body, body *")]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().right > document.documentElement.clientWidth)
    .filter(one => !one.closest(".unseen"))
    .map(one => one.outerHTML.slice(0, 120))"""
"""What sticks out of the window on the right, whether or not the page can be scrolled there."""


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser, watch: Watch) -> AsyncIterator[Page]:
    """A page as wide as a phone."""
    async with watched_page(browser, watch, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        yield page


async def expect_fits(where: Page | Frame) -> None:
    """Check that nothing is wider than the window."""
    assert await where.evaluate(TOO_WIDE) == []
    assert await where.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


async def launch_with_all_questions(bridge: SandboxBridge, page: Page, learner: str, version: str) -> CoursePage:
    """Launch the course with one question of each type."""
    await page.goto(f"{bridge.start_page}launch?learner={learner}&version={version}&questions=all")
    return CoursePage(page)


async def test_every_page_fits_on_a_phone(bridge: SandboxBridge, phone: Page, learner: str) -> None:
    course = await launch_with_all_questions(bridge, phone, learner, "2004")
    for name in ALL_PAGES:
        await course.expect_page(name)
        await expect_fits(phone)
        [sco] = phone.main_frame.child_frames
        await expect_fits(sco)
        await course.button("Finish" if name == "results" else "Next").click()
    await course.expect_end("failed")
    await expect_fits(sco)

    await bridge.shown_attempts(phone, learner)
    for summary in await phone.locator("details:not([open]) summary").all():
        await summary.click()
    await expect_fits(phone)


@pytest.mark.parametrize("version", ["1.2", "2004"])
async def test_the_player_takes_an_answer_to_every_type_of_question_and_the_lrs_is_told(
    bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str, version: str
) -> None:
    course = await launch_with_all_questions(bridge, page, learner, version)
    await course.expect_page("page-api")
    for name in ALL_PAGES[:-1]:
        if name not in PAGES[:3]:
            # the course warns of every value that the player refuses, and the watch fails the test for it
            await course.answer(name, right=True)
        await course.button("Next").click()
    await course.expect_page("results")
    await expect(course.sco.locator("#standing")).to_have_text("Your score is 100 of 100. It takes 80 to pass.")
    await course.finish()
    await course.expect_end("passed")
    await expect_every_type(lrs, learner, version)


async def test_a_name_of_any_letters_is_only_ever_text(bridge: SandboxBridge, page: Page, learner: str) -> None:
    name = f"</script><b>Ødegård & 'Søn' \"{learner}\"</b>"
    course = await bridge.launch(page, name, "1.2")
    await course.expect_page("page-api")
    await expect(page.locator(".who strong")).to_have_text(name)
    await page.get_by_role("link", name="Back to the sandbox").click()
    await expect(page.get_by_role("heading", name=f"{name}, attempt 1")).to_be_visible()
