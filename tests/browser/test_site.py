"""The documentation's site in a browser: every page fits a phone, and shuts nobody out."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.audit_site import DESKTOP, PHONE
from tests.browser.conftest import Watch, watched_page
from tests.browser.test_audit import axe
from tests.documentation.site import build_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIND_FAULTS = """async () => (await axe.run(".md-content", { resultTypes: ["violations"] })).violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => [one.id, one.nodes.map(node => node.html.slice(0, 200))])"""
"""What shuts people out of a page's text; what surrounds it is the theme's."""
WIDTH = "document.querySelector('.md-content').scrollWidth"
SEEN = ("tutorial", "reference/commands", "runbook")
"""Pages that are looked at closely; all others are made of the same parts."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
        """Log nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The address of the site, and its pages."""
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", [_name(folder, page) for page in sorted(folder.rglob("*.html"))]
        server.shutdown()
        thread.join()


def _name(folder: Path, page: Path) -> str:
    return str(page.relative_to(folder).with_suffix(""))


async def test_every_page_fits_a_phone(browser: Browser, watch: Watch, site: tuple[str, list[str]]) -> None:
    origin, pages = site
    watch.expect(r"net::ERR_ABORTED$")  # of a page that is left before it is complete
    # without scripts, which change no width of the text and take time
    async with watched_page(browser, watch, viewport=PHONE, is_mobile=True, java_script_enabled=False) as page:
        wide = []
        for name in pages:
            await page.goto(f"{origin}/{name}.html")  # until its style sheets are there
            if await page.evaluate(WIDTH) > PHONE["width"]:
                wide.append(name)

    assert len(pages) > 40
    assert wide == []


@pytest.mark.parametrize("name", SEEN)
async def test_a_page_shuts_nobody_out(browser: Browser, watch: Watch, site: tuple[str, list[str]], name: str) -> None:
    origin, _ = site
    async with watched_page(browser, watch, viewport=DESKTOP) as page:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await page.goto(f"{origin}/{name}.html")
            await page.evaluate(axe())
            assert await page.evaluate(FIND_FAULTS) == [], scheme
