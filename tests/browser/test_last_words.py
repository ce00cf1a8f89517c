"""Content that speaks as its page goes away, and finishes only if its commit was answered true: nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Watch
from tests.browser.expected_statements import VERBS, stored
from tests.browser.sandbox_bridge import SandboxBridge
from tests.real_lrs.learning_locker import LearningLocker
from tests.support.waiting import poll

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.parametrize("version", ["1.2", "2004"])]

CONTENT = """<!doctype html>
<html lang="en">
<title>Content of a habit that many courses have</title>
<body>
<script>
  const is2004 = Boolean(parent.API_1484_11);
  const api = is2004 ? parent.API_1484_11 : parent.API;
  const call = (name, ...values) => api[is2004 ? name : { Initialize: "LMSInitialize", SetValue: "LMSSetValue",
    Commit: "LMSCommit", Terminate: "LMSFinish" }[name]](...values);
  const elements = is2004
    ? { raw: "cmi.score.raw", place: "cmi.location", exit: "cmi.exit" }
    : { raw: "cmi.core.score.raw", place: "cmi.core.lesson_location", exit: "cmi.core.exit" };
  call("Initialize", "");
  call("SetValue", elements.place, "first words");
  call("SetValue", "cmi.suspend_data", "x".repeat(3000));
  call("Commit", "");
  window.addEventListener("unload", () => {
    call("SetValue", elements.raw, "80");
    if (is2004) {
      call("SetValue", "cmi.score.scaled", "0.8");
      call("SetValue", "cmi.completion_status", "completed");
      call("SetValue", "cmi.success_status", "passed");
    } else {
      call("SetValue", "cmi.core.lesson_status", "passed");
    }
    call("SetValue", elements.place, "last words");
    call("SetValue", elements.exit, is2004 ? "normal" : "");
    if (call("Commit", "") === "true") {
      call("Terminate", "");
    }
  });
  document.body.dataset.ready = "true";
</script>
</body>
</html>
"""


async def _close_the_tab(page: Page) -> None:
    await page.close(run_before_unload=True)


async def _remove_the_frame(page: Page) -> None:
    await page.evaluate("document.getElementById('sco').remove()")


async def _go_elsewhere(page: Page) -> None:
    await page.goto("about:blank")


@pytest.mark.parametrize(
    "leave", [_close_the_tab, _remove_the_frame, _go_elsewhere], ids=["tab closed", "frame removed", "page left"]
)
async def test_content_that_finishes_only_after_a_commit_loses_no_last_word(
    bridge: SandboxBridge,
    lrs: LearningLocker,
    page: Page,
    watch: Watch,
    learner: str,
    version: str,
    leave: Callable[[Page], Awaitable[None]],
) -> None:
    async def give_content(route: Route) -> None:
        await route.fulfill(body=CONTENT, content_type="text/html; charset=utf-8")

    # a page that is left does not wait for its icon
    watch.expect(r"failed: GET .*/icon\.svg: net::ERR_ABORTED")
    await page.route("**/sandbox/course/index.html*", give_content)
    course = await bridge.launch(page, learner, version)
    await expect(course.sco.locator("body")).to_have_attribute("data-ready", "true")
    await expect(course.status).to_have_attribute("data-state", "saved")
    await leave(page)

    attempt = await poll(lambda: _attempt(bridge, learner, version), lambda seen: seen["status"] == "terminated")
    assert (attempt["status"], attempt["completion_status"], attempt["success_status"]) == (
        "terminated", "completed", "passed",
    )  # fmt: skip
    assert attempt["score"]["raw"] == 80
    cmi = attempt["cmi"]
    assert (cmi["core"]["lesson_location"] if version == "1.2" else cmi["location"]) == "last words"
    assert cmi["suspend_data"] == "x" * 3000
    assert {commit["disposition"] for commit in attempt["sessions"][0]["commits"]} <= {"applied", "stale", "late"}
    verbs = await poll(lambda: _verbs(lrs, learner), lambda seen: "terminated" in seen)
    assert verbs[0] == "initialized"
    assert verbs[-1] == "terminated"
    assert {*verbs} >= {"completed", "passed"}


async def _attempt(bridge: SandboxBridge, learner: str, version: str) -> dict[str, Any]:
    (attempt,) = (await bridge.verify(learner, version))["attempts"]
    return dict(attempt)


async def _verbs(lrs: LearningLocker, learner: str) -> list[str]:
    statements = await asyncio.to_thread(stored, lrs, learner)
    return [statement["verb"]["id"].removeprefix(VERBS) for statement in statements]
