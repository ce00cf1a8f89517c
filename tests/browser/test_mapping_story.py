"""A mapping is changed while a learner is at work: drafted, judged by what is stored, let hold and taken back."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, Page, expect

from bridge.mapping_library.documents import read_document
from mappings.xapi.voiding import VOIDED
from tests.browser.audit_site import ADMIN, LEFT, add_admin, delivery, sign_in, trail
from tests.browser.conftest import Watch, watched_page
from tests.browser.course_page import PAGES, CoursePage
from tests.browser.expected_statements import VERBS, stored
from tests.browser.sandbox_bridge import SandboxBridge
from tests.real_lrs.learning_locker import LearningLocker
from tests.support.waiting import poll

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHIPPED = read_document("scorm-profile")
OLD_RULE = 'when = "progress.changed"\nverb = "progressed"'
NEW_RULE = 'when = "progress.changed"\nverb = "moved-on"'
VERB = """
[verbs.moved-on]
id = "https://verbs.example.org/moved-on"
display = { en-US = "moved on" }
"""
DRAFT = SHIPPED.replace(OLD_RULE, NEW_RULE)
MENDED = DRAFT.replace("\n[verbs.passed]", f"{VERB}\n[verbs.passed]")
MOVED_ON = "https://verbs.example.org/moved-on"
NONE = "\N{EN DASH}"
"""What the audit log shows where no reason was given."""
PROGRESSED = f"{VERBS}progressed"


@pytest.fixture
def watch() -> Watch:
    """What the admin's browser complains of; that a draft with a fault is answered 400 is as it should be."""
    watch = Watch()
    watch.expect(LEFT, "status 400: [^ ]*/audit/mappings/draft$", "console: Failed to load resource: .* 400")
    return watch


async def test_a_mapping_is_drafted_judged_let_hold_taken_back_and_told_anew(
    browser: Browser, bridge: SandboxBridge, lrs: LearningLocker, page: Page, learner: str
) -> None:
    add_admin(bridge.database_url)
    await sign_in(page, bridge.origin)
    async with watched_page(browser, Watch()) as learners_page:
        course = await bridge.launch(learners_page, learner, "2004")
        await course.turn_to(PAGES[1])
        verbs = await lrs_has(lrs, learner, "initialized", PROGRESSED, PROGRESSED)

        await draft_with_a_fault_is_mended(page)
        await impact_is_of_what_is_stored(page, changed=2)

        # it holds at once, for a course that is being played
        await page.get_by_role("link", name="Activate on the basis of this report…").click()
        await page.get_by_role("textbox", name="Reason").fill("“progressed” says too little")
        await page.get_by_role("button", name="Activate").click()
        await expect(page.get_by_role("status")).to_contain_text("Activated for all LMSs")
        attempt = await turn_and_see(page, course, learner, PAGES[2], "moved on")
        verbs = await lrs_has(lrs, learner, *verbs, MOVED_ON)

        # and is taken back at once
        await page.get_by_role("link", name="Mappings", exact=True).click()
        await page.get_by_role("textbox", name="Reason").fill("reports look for “progressed”")
        await page.get_by_role("button", name="Roll back").click()
        await expect(page.get_by_role("status")).to_contain_text("Rolled back")
        await turn_and_see(page, course, learner, PAGES[3], "progressed")
        verbs = await lrs_has(lrs, learner, *verbs, PROGRESSED)

        # what was made while it held is told anew, the old way
        await re_issue(page, replaced=1, reason="one of them was left over")
        verbs.remove(MOVED_ON)
        await lrs_has(lrs, learner, *verbs, VOIDED, PROGRESSED)
        await expect_voided_and_replaced(page, attempt)

        # the course has noticed nothing
        await course.turn_to(PAGES[4])
    entries = await trail(page)
    basis = entries[2].pop()

    assert basis.startswith("“progressed” says too little; based on the impact report of 20")
    assert basis.endswith("added: 0, dropped: 0, changed: 2)")
    assert entries == [
        [ADMIN, "reissue", "1", "one of them was left over"],
        [ADMIN, "rollback", "1", "reports look for “progressed”"],
        [ADMIN, "activate", "1"],
        [ADMIN, "keep-draft", "1", NONE],
    ]


async def draft_with_a_fault_is_mended(page: Page) -> None:
    """Save a draft in the second try, and look at it."""
    await page.get_by_role("link", name="Mappings", exact=True).click()
    await page.get_by_role("link", name="scorm-profile").click()
    await page.get_by_role("link", name="Edit as a draft").click()
    text = page.get_by_label("Mapping (TOML)")
    await expect(text).to_have_value(SHIPPED)
    await text.fill(DRAFT)
    await page.get_by_role("button", name="Validate and save").click()
    fault = page.get_by_role("alert")
    await expect(fault).to_contain_text("1 fault. Nothing was saved.")
    line = DRAFT[: DRAFT.index(NEW_RULE) + len(NEW_RULE)].count("\n") + 1
    await fault.get_by_role("link", name=f"Line {line}").click()
    await expect(page.locator(f"#line-{line}")).to_have_text(re.compile('^verb = "moved-on"'))
    await expect(page.locator(f"#line-{line} + .fault")).to_contain_text("moved-on")
    await expect(text).to_have_value(DRAFT)
    await text.fill(MENDED)
    await page.get_by_role("button", name="Validate and save").click()
    await expect(page.get_by_role("status")).to_contain_text("saved as a draft")


async def impact_is_of_what_is_stored(page: Page, *, changed: int) -> None:
    """Read what the draft on the page would have made of all that is stored."""
    await page.get_by_role("button", name="Impact report").click()
    row = page.get_by_role("region", name="By rule").locator("tr", has_text="progressed")
    await expect(row.locator("td")).to_have_text(["progressed", "0", "0", str(changed), "0"])
    example = page.locator("details", has_text="progressed").first
    await example.locator("summary").click()
    await expect(example.get_by_label("Active")).to_contain_text(PROGRESSED)
    await expect(example.get_by_label("New")).to_contain_text(MOVED_ON)


async def turn_and_see(page: Page, course: CoursePage, learner: str, name: str, verb: str) -> str:
    """Let the learner turn a page, and see on the attempt's, whose address is given, what was made of it."""
    await course.turn_to(name)
    await page.get_by_role("link", name="Learners", exact=True).click()
    await page.get_by_role("link", name=learner).click()
    await page.get_by_label("Enrollments").locator("tbody a").first.click()
    await page.get_by_role("link", name="Attempt 1").click()
    newest = page.locator("li.commit").last.locator("li.statement")
    await expect(newest).to_have_count(1)
    await expect(newest.locator(".sentence")).to_contain_text(verb)
    await expect(newest.locator(".delivery")).to_contain_text("delivered")
    return page.url


async def re_issue(page: Page, *, replaced: int, reason: str) -> None:
    """Tell all of the last days anew by the version that holds, having looked what that does."""
    await page.get_by_role("link", name="Mappings", exact=True).click()
    active = page.get_by_role("row").filter(has=page.locator(".badge", has_text="active"))
    await active.get_by_role("link", name="scorm-profile").click()
    await page.get_by_role("link", name="Re-issue history").click()
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_text(f"{replaced} statements would be replaced")).to_be_visible()
    row = page.get_by_role("region", name="By rule").locator("tr", has_text="progressed")
    await expect(row.locator("td").nth(3)).to_have_text(str(replaced))
    await page.get_by_label("Reason").fill(reason)
    await page.get_by_role("button", name="Void and re-issue").click()
    await expect(page.get_by_role("status")).to_contain_text(f"{replaced} statements were replaced")


async def expect_voided_and_replaced(page: Page, attempt: str) -> None:
    """See on an attempt's page the statement that is voided, the one that voids it and the new one, all delivered."""
    await page.goto(attempt)
    statements = page.locator("li.statement")
    ended = {}
    for verb in ("moved on", "voided"):
        row = statements.filter(has=page.locator(".sentence", has_text=verb))
        await expect(row).to_have_count(1)
        ended[verb] = str(await row.get_attribute("id")).removeprefix("statement-")
        await expect(delivery(page, ended[verb])).to_contain_text("delivered")
    commit = page.locator("li.commit").filter(has=page.locator(f"[id='statement-{ended['moved on']}']"))
    new = commit.locator("li.statement").filter(has=page.locator(".sentence", has_text="progressed"))
    await expect(new.locator(".delivery")).to_contain_text("delivered")
    await page.locator(f"[id='statement-{ended['moved on']}']").get_by_role("link", name="Statement").click()
    await page.get_by_text("Voided by a re-issue").get_by_role("link").click()
    await expect(page).to_have_url(re.compile(ended["voided"]))


async def lrs_has(lrs: LearningLocker, learner: str, *verbs: str) -> list[str]:
    """Wait until the LRS has these of a learner that are not voided, in the order it got them; return their verbs."""
    expected = [verb if ":" in verb else f"{VERBS}{verb}" for verb in verbs]

    async def look() -> list[str]:
        return [statement["verb"]["id"] for statement in await asyncio.to_thread(stored, lrs, learner)]

    stored_verbs = await poll(look, lambda seen: seen == expected)
    assert stored_verbs == expected
    return stored_verbs
