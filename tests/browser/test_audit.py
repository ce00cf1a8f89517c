"""The audit pages in a browser: what each looks like to people, and one story told over all of them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from bridge.sandbox.lrs import create_lrs
from bridge.sandbox.lrs.faults import FAULTS, Answer, FaultRule, Match
from bridge.sandbox.lrs.store import STATEMENTS
from tests.browser.audit_site import (
    ADMIN,
    DESKTOP,
    LEFT,
    PAGES,
    PHONE,
    AuditSite,
    add_admin,
    delivery,
    sign_in,
    start_site,
    trail,
)
from tests.browser.conftest import StartSandbox, Watch, watched_page
from tests.support.lrs import serve_lrs

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
FIND_FAULTS = """async only => (await axe.run({ resultTypes: ["violations"], ...only })).violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => [one.id, one.nodes.map(node => node.html.slice(0, 200))])"""
CONTRAST = {"runOnly": ["color-contrast"]}
"""The one rule that the colours matter to."""
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
WIDTH = "document.documentElement.scrollWidth"
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
OVERPRINTS = """() => {
    const within = (cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        const [cut, text] = [cell.getBoundingClientRect(), range.getBoundingClientRect()];
        return [Math.max(cut.left, text.left), Math.max(cut.top, text.top), Math.min(cut.right, text.right),
            Math.min(cut.bottom, text.bottom)];
    };
    const cross = ([a, b, c, d], [e, f, g, h]) => a < g - 1 && e < c - 1 && b < h - 1 && f < d - 1;
    const faults = [];
    for (const row of document.querySelectorAll("table.rows tbody tr")) {
        const boxes = [...row.cells].filter(cell => cell.checkVisibility()).map(within);
        boxes.forEach((box, at) => boxes.slice(at + 1).forEach(other => {
            if (cross(box, other)) faults.push(row.innerText);
        }));
    }
    return faults;
}"""
"""The rows of lists two of whose cells show text in the same place."""
POISON = "This LRS cannot take"
SIGNED_IN = [name for name in PAGES if name != "sign-in"]


@pytest.fixture
def watch() -> Watch:
    """What the test's browser complains of; that a page which is left hears no more news is as it should be."""
    watch = Watch()
    watch.expect(LEFT)
    return watch


@cache
def axe() -> str:
    """Return axe's source."""
    if not AXE.exists():
        pytest.fail("The tests of the audit pages need axe-core: run `make test-tools`.")
    return AXE.read_text("utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AuditSite]:
    """A bridge with something of everything, and its LRS."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("audit") / "bridge.db")
    async with TestServer(create_lrs()) as lrs:
        site = await start_site(f"sqlite:///{path}", str(lrs.make_url("/xapi/")))
        yield site
        await site.bridge.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signed_in(browser: Browser, site: AuditSite) -> Any:
    """The cookies of an admin who has signed in."""
    context = await browser.new_context()
    await sign_in(await context.new_page(), site.origin)
    state = await context.storage_state()
    await context.close()
    return state


async def expect_no_barriers(page: Page) -> None:
    """Check that axe finds no serious or critical fault, light and dark."""
    await page.evaluate(axe())
    schemes: tuple[tuple[Literal["light", "dark"], object], ...] = (("light", {}), ("dark", CONTRAST))
    for scheme, only in schemes:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert (scheme, await page.evaluate(FIND_FAULTS, only)) == (scheme, [])


async def expect_fits(page: Page) -> None:
    """Check that the window needs no scrolling sideways; tables may, by themselves."""
    assert page.viewport_size is not None
    assert await page.evaluate(WIDTH) <= page.viewport_size["width"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SIGNED_IN)
async def test_every_page_is_whole_fits_and_shuts_nobody_out(
    browser: Browser, watch: Watch, site: AuditSite, signed_in: Any, name: str, size: str
) -> None:
    async with watched_page(browser, watch, storage_state=signed_in, **SIZES[size]) as page:
        answer = await page.goto(site.origin + site.paths[name])
        assert answer is not None
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        await expect_fits(page)
        await page.evaluate(UNFOLD)
        await expect_fits(page)
        await expect_no_barriers(page)
        # by keyboard: past the navigation to the page itself
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["statements", "deliveries", "documents"])
async def test_no_cell_of_a_list_is_printed_over_another(
    browser: Browser, watch: Watch, site: AuditSite, signed_in: Any, name: str, size: str
) -> None:
    async with watched_page(browser, watch, storage_state=signed_in, **SIZES[size]) as page:
        await page.goto(site.origin + site.paths[name])
        # as wide as times become in any language
        await page.evaluate("document.querySelectorAll('time').forEach(one => { one.textContent += ' and so on'; })")
        assert await page.locator("table.rows tbody tr").count() > 10
        assert await page.evaluate(OVERPRINTS) == []


async def test_a_desktop_shows_25_rows_of_a_list_at_once(
    browser: Browser, watch: Watch, site: AuditSite, signed_in: Any
) -> None:
    async with watched_page(browser, watch, storage_state=signed_in, viewport={"width": 1280, "height": 800}) as page:
        await page.goto(site.origin + site.paths["statements"])
        bottom = await page.locator("table.rows tbody tr").nth(24).bounding_box()
        assert bottom is not None
        assert bottom["y"] + bottom["height"] <= 800


@pytest.mark.parametrize("size", SIZES)
async def test_those_who_come_in_or_get_lost_are_shut_out_by_nothing_else(
    browser: Browser, watch: Watch, site: AuditSite, signed_in: Any, size: str
) -> None:
    watch.expect("401", "404")
    async with watched_page(browser, watch, **SIZES[size]) as page:
        await page.goto(site.origin + site.paths["sign-in"])
        await expect(page.get_by_label("Name")).to_be_focused()
        await page.keyboard.type("ada")
        await page.keyboard.press("Tab")
        await page.keyboard.type("wrong password")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("Wrong name or password.")
        await expect_fits(page)
        await expect_no_barriers(page)
    async with watched_page(browser, watch, storage_state=signed_in, **SIZES[size]) as page:
        await page.goto(f"{site.origin}/audit/nowhere")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await expect_fits(page)
        await expect_no_barriers(page)


async def test_a_poison_statement_is_found_understood_and_delivered_and_it_is_kept_who_did_it(
    browser: Browser, start: StartSandbox, sqlite_url: str, page: Page, watch: Watch, learner: str
) -> None:
    async with serve_lrs() as lrs:
        bridge = await start(sqlite_url, lrs.endpoint)
        add_admin(sqlite_url)
        origin = bridge.origin
        await sign_in(page, origin)
        async with watched_page(browser, watch) as learners_page:
            course = await bridge.launch(learners_page, learner, "2004")
            await course.expect_page("page-api")
            await page.get_by_role("link", name="Learners").click()
            await page.get_by_role("link", name=learner).click()
            await page.get_by_label("Enrollments").locator("tbody a").first.click()
            await page.get_by_role("link", name="Attempt 1").click()
            attempt, commits, statements = page.url, page.locator("li.commit"), page.locator("li.statement")
            await expect(commits).to_have_count(1)

            # while the admin looks on, the learner goes on
            await page.evaluate("window.stayed = true")
            await course.turn_to("page-commit")
            await expect(commits).to_have_count(2)
            await expect(statements.filter(has_text="delivered")).to_have_count(3)

            # the LRS is away until it is known which one it is not to like
            lrs.app[FAULTS].exchange([FaultRule(Answer(503, {"Retry-After": "1"}), Match(method="POST"))])
            await course.turn_to("set-is-not-save")
            await course.save_and_leave()
            await course.expect_end("suspended")
        waiting = statements.filter(has_text="waiting")
        await expect(waiting).to_have_count(3)
        poison, *sound = [str(await row.get_attribute("id")).removeprefix("statement-") for row in await waiting.all()]
        refusal = Answer(400, body=f"{POISON} {poison}")
        lrs.app[FAULTS].exchange([FaultRule(refusal, Match(method="POST", statement_ids=(poison,)))])
        await expect(delivery(page, poison)).to_contain_text("dead")
        for statement_id in sound:
            await expect(delivery(page, statement_id)).to_contain_text("delivered")
        assert await page.evaluate("window.stayed")

        # what is the matter, and what to do about it
        await page.get_by_role("link", name="Deliveries").click()
        cause = page.locator("section.cause")
        await expect(cause).to_have_count(1)
        for words in ("dead", "refused", "status 400", POISON, "The LRS refuses such statements"):
            await expect(cause).to_contain_text(words)
        lrs.app[FAULTS].exchange([])
        await cause.get_by_role("link", name="Retry…").click()
        await page.get_by_label("Reason").fill("The LRS was mended <b>today</b>")
        await page.get_by_role("button", name="Retry 1").click()

        await page.goto(attempt)
        await expect(delivery(page, poison)).to_contain_text("delivered")
        assert [statement["id"] for statement in lrs.app[STATEMENTS].statements()].count(poison) == 1
        await page.get_by_role("link", name="Deliveries").click()
        await expect(cause).to_have_count(0)
        assert await trail(page) == [
            [ADMIN, "retry", "1", "The LRS was mended <b>today</b>"],
        ]
