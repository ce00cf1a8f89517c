"""The launch that the guide to scorm-again shows, in a browser with the real player."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.sandbox_bridge import SandboxBridge, learner_id
from tests.documentation.blocks import ROOT, blocks

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ_LAUNCH = """async path => {
    const page = new DOMParser().parseFromString(await (await fetch(path)).text(), "text/html");
    return JSON.parse(page.querySelector('script[type="application/json"]').textContent);
}"""
PLAY = """async ([code, launch]) => {
    document.body.replaceChildren(document.createElement("iframe"), document.createElement("p"));
    const { start, show } = new Function(`${code}; return { start: launch, show: showState };`)();
    const api = start({ commitUrl: launch.commit_url, cmi: launch.cmi, courseUrl: "about:blank" });
    show(api, document.querySelector("p"));
    window.API.LMSInitialize("");
    window.API.LMSSetValue("cmi.core.lesson_status", "passed");
    window.API.LMSSetValue("cmi.core.score.raw", "85");
    window.API.LMSCommit("");
}"""


async def test_what_content_sets_is_committed_and_the_page_says_so(
    bridge: SandboxBridge, page: Page, learner: str
) -> None:
    code = "\n".join(block.text for block in blocks(ROOT / "docs/guides/scorm-again.md") if block.language == "js")
    await page.goto(bridge.start_page)
    launch = await page.evaluate(READ_LAUNCH, f"/sandbox/launch?version=1.2&learner={learner}")
    await page.add_script_tag(url="/sandbox/scorm-again/scorm12.min.js")

    await page.evaluate(PLAY, [code, launch])
    await page.get_by_text("Saved", exact=True).wait_for()

    stored = await bridge.verify(learner, "1.2")

    assert stored["learner"]["id"] == learner_id(learner)
    assert (stored["success_status"], stored["best_score"]["scaled"]) == ("passed", 0.85)
