"""`make screenshots`: each audit page on a desktop and a phone, light and dark, and the pictures of the docs."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, ViewportSize, async_playwright

from bridge.sandbox.lrs import create_lrs
from storage.engine import open_engine
from storage.migrations import migrate
from tests.browser.audit_site import DESKTOP, PHONE, AuditSite, sign_in, start_site
from tests.browser.conftest import ARGUMENTS
from tests.browser.pictures import FOLDER as PICTURES
from tests.browser.pictures import take_pictures

FOLDER = Path(".screenshots")
SIZES: dict[str, ViewportSize] = {"desktop": DESKTOP, "phone": PHONE}


async def take(site: AuditSite, browser: Browser, folder: Path) -> int:
    """Write a picture of each page as high as it is; return how many."""
    count = 0
    for size, viewport in SIZES.items():
        context = await browser.new_context(viewport=viewport, is_mobile=size == "phone")
        page = await context.new_page()
        await page.goto(f"{site.origin}/audit/sign-in")
        await page.screenshot(path=folder / f"sign-in-{size}.png")
        await sign_in(page, site.origin)
        for name, path in site.paths.items():
            if name == "sign-in":
                continue
            await page.goto(site.origin + path)
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                shade = "" if scheme == "light" else "-dark"
                await page.screenshot(path=folder / f"{name}-{size}{shade}.png", full_page=True)
                count += 1
        await context.close()
    return count


async def main(folder: Path) -> None:
    """Start everything, take the pictures, stop everything."""
    executable = shutil.which("chromium")
    if executable is None:
        sys.exit("This needs chromium: run `make test-tools`.")
    with tempfile.TemporaryDirectory() as directory:
        url = _new_database(f"{directory}/bridge.db")
        async with TestServer(create_lrs()) as lrs:
            site = await start_site(url, str(lrs.make_url("/xapi/")))
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
                count = await take(site, browser, folder)
                await take_pictures(browser, _new_database(f"{directory}/pictures.db"))
                await browser.close()
            await site.bridge.close()
    sys.stdout.write(f"{count} pictures are in {folder}/, those of the documentation in {PICTURES}/\n")


def _new_database(file: str) -> str:
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    return f"sqlite:///{file}"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    asyncio.run(main(FOLDER))
