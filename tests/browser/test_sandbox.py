"""The sandbox's own pages: they show what arrives as it arrives, fit, and shut nobody out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from bridge.sandbox.lrs import create_lrs
from tests.browser.audit_site import DESKTOP, PHONE
from tests.browser.conftest import StartSandbox, Watch, watched_page
from tests.browser.sandbox_bridge import SandboxBridge
from tests.browser.test_audit import expect_fits, expect_no_barriers

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def watch() -> Watch:
    """What the test's browser complains of; that a page which is closed hears no more news is as it should be."""
    watch = Watch()
    watch.expect("^failed: GET [^ ]*:[0-9]+/live: net::ERR_ABORTED$")
    return watch


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox_lrs() -> AsyncIterator[str]:
    """The address of a sandbox LRS's page."""
    async with TestServer(create_lrs()) as server:
        yield str(server.make_url("/"))


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(start: StartSandbox, sqlite_url: str, sandbox_lrs: str) -> SandboxBridge:
    """A bridge that forwards to the sandbox LRS."""
    return await start(sqlite_url, f"{sandbox_lrs}xapi/")


async def test_open_pages_show_what_arrives_and_leave_open_what_was_open(
    browser: Browser, watch: Watch, sandbox: SandboxBridge, sandbox_lrs: str, learner: str
) -> None:
    async with watched_page(browser, watch, viewport=DESKTOP) as course_page:
        start_page, lrs_page = await course_page.context.new_page(), await course_page.context.new_page()
        await lrs_page.goto(sandbox_lrs)
        await expect(lrs_page.locator("table")).to_have_count(0)
        await start_page.goto(sandbox.start_page)
        course = await sandbox.launch(course_page, learner, "2004")
        await course.expect_page("page-api")

        first = lrs_page.locator("#statements tbody").last
        await first.get_by_text("JSON").click()
        shown = start_page.locator(f'article.attempt[data-learner="{learner}"]')
        await expect(shown).to_have_attribute("data-state", "active")
        await course_page.get_by_role("link", name="Back to the sandbox").click()

        await expect(shown).to_have_attribute("data-state", "suspended")
        await expect(lrs_page.locator("#statements tbody").first).to_contain_text("suspended")
        await expect(lrs_page.locator("#documents tbody")).to_have_count(4)
        await expect(first.locator("details")).to_have_attribute("open", "")
        await expect(lrs_page.locator("#summary")).to_contain_text("no request refused or cut")
        for page in (start_page, lrs_page):
            await expect_fits(page)
            await expect_no_barriers(page)
            await page.set_viewport_size(PHONE)
            await expect_fits(page)


async def test_the_front_page_leads_to_the_others(browser: Browser, watch: Watch, sandbox: SandboxBridge) -> None:
    async with watched_page(browser, watch, viewport=DESKTOP) as page:
        await page.goto(f"{sandbox.origin}/")
        await expect_fits(page)
        await expect_no_barriers(page)
        await page.set_viewport_size(PHONE)
        await expect_fits(page)
        await page.get_by_role("link", name="Sandbox").click()
        await expect(page.get_by_role("heading", name="Play the sample course")).to_be_visible()
