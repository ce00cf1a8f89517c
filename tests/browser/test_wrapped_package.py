"""A wrapped package in an LMS that knows nothing of the bridge: what learners do in it becomes statements."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bridge.packages.manifest import MANIFEST
from bridge.packages.wrapping import SCRIPT_NAME, WrapOptions, wrap
from bridge.tap.script import load_script
from tests.browser.tap_pages import LMS, SCO, Ear
from tests.browser.test_tap_bridge import COURSE, PLAYER, SCORM_AGAIN, campus
from tests.packages.packing import MANIFEST_12, pack, unpack

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("ear")]


async def test_it_records_under_the_identifiers_of_its_manifest(
    page: Page, ear: Ear, sqlite_url: str, tmp_path: Path
) -> None:
    async with campus(sqlite_url, ear.lms) as lms:
        options = WrapOptions(lms.key, str(lms.bridge.url).rstrip("/"), load_script().body)
        wrap(
            pack(tmp_path / "in.zip", {MANIFEST: MANIFEST_12, "index.html": SCO % ("", COURSE)}),
            tmp_path / "out.zip",
            options,
        )
        files = unpack(tmp_path / "out.zip")
        api = SCORM_AGAIN.replace("VERSION", '"1.2"').replace("LEARNER", "u42")
        ear.pages |= {"/lms": LMS % (api, "/course/index.html"), "/course/index.html": files["index.html"].decode()}
        ear.scripts |= {
            "/scorm-again.js": PLAYER.read_text(encoding="utf-8"),
            f"/course/{SCRIPT_NAME}": files[SCRIPT_NAME].decode(),
        }
        await page.goto(f"{ear.lms}/lms")
        await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-played", "true")
        await lms.wait_for("u42", "ITEM-1", "terminated")
        (report,) = lms.bridge.reports("u42", "ITEM-1")

    assert all("/COURSE-1" in statement.body for statement in report.statements)
    assert {statement.rule for statement in report.statements} >= {"initialized", "passed", "terminated"}
