"""The pictures of the documentation: a few pages of a sandbox in which learners who do not exist play the course."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, Locator, Page, ViewportSize

from tests.browser.audit_site import add_admin, sign_in
from tests.browser.course_page import QUESTIONS
from tests.browser.png import shrink
from tests.browser.sandbox_bridge import SandboxBridge, start_sandbox
from tests.support.lrs import serve_lrs

FOLDER = Path(__file__).parents[2] / "docs/pictures"
NAMES = ("sandbox", "attempt", "statement", "deliveries")
MAX_BYTES = 80_000
SIZE: ViewportSize = {"width": 960, "height": 690}
HIGH: ViewportSize = {"width": 960, "height": 960}
PASSES, FAILS = "Juno Vale", "Tomas Arkwright"
"""The learners; the LRS refuses what the second one does."""


async def _refuse(request: web.Request) -> web.StreamResponse | None:
    if request.method == "POST" and FAILS.encode() in await request.read():
        return web.Response(status=400, text="This learner has no account here.")
    return None


async def take_pictures(browser: Browser, database_url: str, folder: Path = FOLDER) -> None:
    """Play the course, and write the pictures `NAMES`. The database has the current schema."""
    async with serve_lrs(_refuse) as lrs:
        add_admin(database_url)
        bridge = await start_sandbox(database_url, lrs.endpoint, target="analytics")
        context = await browser.new_context(viewport=SIZE, color_scheme="light")
        page = await context.new_page()
        try:
            await (await bridge.launch(page, PASSES, "1.2")).play("passed")
            await bridge.shown_attempts(page, PASSES)
            await page.set_viewport_size(HIGH)
            await _take(page, folder, "sandbox")
            await page.set_viewport_size(SIZE)
            await (await bridge.launch(page, FAILS, "2004")).play("failed", wrong=QUESTIONS)
            await bridge.shown_attempts(page, FAILS, delivery="dead")
            await _write(page, bridge, folder)
        finally:
            await context.close()
            await bridge.stop()


async def _write(page: Page, bridge: SandboxBridge, folder: Path) -> None:
    await sign_in(page, bridge.origin)
    await page.goto(f"{bridge.origin}/audit/learners")
    await _follow(page.get_by_role("row").filter(has_text=PASSES).get_by_role("link"))
    await _follow(page.locator("a[href*='/audit/attempts/']"))
    await _take(page, folder, "attempt")
    await page.goto(f"{bridge.origin}/audit/statements?rule=passed")
    await _follow(page.locator("a[href*='/audit/statements/']"))
    await _take(page, folder, "statement")
    await page.goto(f"{bridge.origin}/audit/deliveries")
    await _take(page, folder, "deliveries")


async def _take(page: Page, folder: Path, name: str) -> None:
    (folder / f"{name}.png").write_bytes(shrink(await page.screenshot()))


async def _follow(links: Locator) -> None:
    await links.first.click()
    await links.page.wait_for_load_state()
