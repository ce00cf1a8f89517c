"""The tap on every kind of API: content and LMS notice nothing, and what was accepted is told once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.tap_pages import LMS, MAKE_API, SCO, Ear
from tests.support.waiting import poll

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("ear")]
# servers that outlive the page: what it sends as it is closed finds them

PLAY = """
  function play() {
    const is12 = version === "1.2", core = is12 ? "cmi.core." : "cmi.";
    call("SetValue", core + (is12 ? "lesson_location" : "location"), "page 1");
    call("SetValue", "nonsense", "x");
    call("SetValue", core + "exit", "refused");
    call("GetLastError");
    call("SetValue", "cmi.suspend_data", "secret");
    call("Commit", "");
    call("SetValue", core + "score.raw", 85);
    call("GetValue", core + "score.raw");
    call("SetValue", core + (is12 ? "lesson_status" : "completion_status"), "completed");
    call("Terminate", "");
    call("SetValue", core + "score.raw", "99");
    document.body.dataset.played = "true";
  }
"""
BEGIN_AND_PLAY = PLAY + "begin(); (function wait() { document.body.dataset.begun ? play() : setTimeout(wait, 20); })();"
TOLD = {
    "1.2": {
        "cmi.core.lesson_location": "page 1",
        "cmi.core.score.raw": "85",
        "cmi.core.lesson_status": "completed",
    },
    "2004": {"cmi.location": "page 1", "cmi.score.raw": "85", "cmi.completion_status": "completed"},
}
NAMES = {"1.2": "API", "2004": "API_1484_11"}

IN_THE_LMS = {
    "var": "var NAME = makeApi(VERSION);",
    "global": "setTimeout(() => { NAME = makeApi(VERSION); }, 60);",
    "function": "function NAME() {} Object.assign(NAME, makeApi(VERSION));",
    "methods later": "var NAME = {}; setTimeout(() => Object.assign(NAME, makeApi(VERSION)), 60);",
    "frozen": "window.NAME = Object.freeze(makeApi(VERSION));",
    "read-only": """const api = {};
      for (const [name, value] of Object.entries(makeApi(VERSION))) Object.defineProperty(api, name, { value });
      window.NAME = api;""",
    "class": """class Player {
        #api = makeApi(VERSION);
        constructor() { this.calls = 0; }
      }
      for (const name of Object.keys(makeApi(VERSION))) Player.prototype[name] =
        new Function("get", `return function (...values) { this.calls++; return get(this)["${name}"](...values); }`)(
          (player) => player.api || (player.api = makeApi(VERSION)));
      window.NAME = new Player();""",
    "set again": "window.NAME = makeApi(VERSION); window.NAME = null; window.NAME = makeApi(VERSION);",
    "wrapped by the LMS": """const api = window.NAME = makeApi(VERSION);
      for (const [name, method] of Object.entries(api)) api[name] = (...values) => method(...values);""",
    "property": "Object.defineProperty(window, 'NAME', { value: makeApi(VERSION) });",
}
"""Ways in which an LMS's page gets its API, after the tap."""


def _lms(head: str, api: str, version: str) -> str:
    script = api.replace("NAME", NAMES[version]).replace("VERSION", f'"{version}"')
    return LMS % (f"{head}<script>{MAKE_API}</script><script>{script}</script>", "/sco")


async def _calls(page: Page) -> list[Any]:
    frame = page.frame_locator("#sco")
    await expect(frame.locator("body")).to_have_attribute("data-played", "true")
    return await frame.locator("body").evaluate("() => calls")


@pytest.mark.parametrize(
    ("api", "version"), [(api, version) for api, version in zip(IN_THE_LMS, itertools.cycle(NAMES), strict=False)]
)
async def test_an_lms_s_page_behaves_as_without_the_tap(page: Page, ear: Ear, api: str, version: str) -> None:
    ear.pages |= {
        "/without": _lms("", IN_THE_LMS[api], version),
        "/with": _lms(ear.script('data-activity="a1"'), IN_THE_LMS[api], version),
        "/sco": SCO % ("", BEGIN_AND_PLAY),
    }
    await page.goto(f"{ear.lms}/without")
    expected, log = await _calls(page), await page.evaluate("() => lmsLog")
    await page.goto(f"{ear.lms}/with")
    calls = await _calls(page)
    await ear.wait_for_end()

    assert calls == expected
    assert [entry for entry in await page.evaluate("() => lmsLog") if not _is_read_by_the_tap(entry)] == [
        entry for entry in log if not _is_read_by_the_tap(entry)
    ]
    assert ear.told() == TOLD[version]
    assert [launch["learner"] for launch in ear.launches] == [{"id": "u42", "name": "Lovelace, Ada"}]
    assert ear.launches[0]["activity"]["id"] == "a1"
    assert (ear.launches[0]["mode"], ear.launches[0]["credit"]) == ("normal", "credit")
    assert {commit["scorm_version"] for commit in ear.of()} == {version}


def _is_read_by_the_tap(entry: str) -> bool:
    return entry.startswith("GetValue") and "score" not in entry


async def test_a_frame_that_is_the_api_stays_one(page: Page, ear: Ear) -> None:
    ear.pages |= {
        "/lms": LMS % (ear.script(), "/sco") + '<iframe name="API" src="/api"></iframe>',
        "/api": f"<script>{MAKE_API} Object.assign(window, makeApi('1.2'));</script>",
        "/sco": SCO % ("", BEGIN_AND_PLAY),
    }
    await page.goto(f"{ear.lms}/lms")
    await _calls(page)
    await ear.wait_for_end()

    assert ear.told() == TOLD["1.2"]


IN_THE_COURSE = {
    "beside": ("window.NAME = makeApi(VERSION);", True),
    "later": ("setTimeout(() => { window.NAME = makeApi(VERSION); }, 150);", True),
    "frozen": ("window.NAME = Object.freeze(makeApi(VERSION));", False),
}


@pytest.mark.parametrize(
    ("api", "version"), [("beside", "1.2"), ("later", "2004"), ("frozen", "1.2"), ("frozen", "2004")]
)
async def test_a_course_with_the_tap_finds_its_api_as_without(page: Page, ear: Ear, api: str, version: str) -> None:
    script, goes_on_without_a_trace = IN_THE_COURSE[api]
    ear.pages |= {
        "/without": _lms("", script, version),
        "/with": _lms("", script, version).replace("/sco", "/tapped"),
        "/sco": SCO % ("", BEGIN_AND_PLAY),
        "/tapped": SCO % (ear.script(), BEGIN_AND_PLAY),
    }
    await page.goto(f"{ear.lms}/without")
    expected = await _calls(page)
    await page.goto(f"{ear.lms}/with")
    assert await _calls(page) == expected
    await ear.wait_for_end()
    assert ear.told() == TOLD[version]
    assert ear.launches[0]["activity"] == {"id": f"{ear.lms}/tapped", "name": "Course"}
    if goes_on_without_a_trace:
        frame = page.frame_locator("#sco").locator("body")
        owns = await poll(
            lambda: frame.evaluate(f"() => Object.prototype.hasOwnProperty.call(window, '{NAMES[version]}')"),
            lambda has: not has,
        )
        assert owns is False


async def test_a_course_in_a_window_of_its_own_is_heard(page: Page, ear: Ear) -> None:
    ear.pages |= {
        "/lms": f"<script>{MAKE_API} window.API = makeApi('1.2');</script><p>Campus</p>",
        "/popup": SCO % (ear.script(), BEGIN_AND_PLAY),
    }
    await page.goto(f"{ear.lms}/lms")
    async with page.expect_popup() as opened:
        await page.evaluate("() => { window.open('/popup'); }")
    popup = await opened.value
    await expect(popup.locator("body")).to_have_attribute("data-played", "true")
    await ear.wait_for_end()

    assert ear.told() == TOLD["1.2"]


async def test_the_next_course_wraps_the_api_anew(page: Page, ear: Ear) -> None:
    """The page whose wrappers the API had is dead: nothing of it is called any more."""
    ear.pages |= {
        "/lms": _lms("", "window.NAME = makeApi(VERSION);", "1.2"),
        "/sco": SCO % (ear.script(), BEGIN_AND_PLAY),
        "/next": SCO % (ear.script(), BEGIN_AND_PLAY),
    }
    await page.goto(f"{ear.lms}/lms")
    await _calls(page)
    await ear.wait_for_end()
    await page.evaluate("() => { document.getElementById('sco').src = '/next'; }")
    await ear.wait_for_end(2)

    assert ear.told(1) == ear.told(2) == TOLD["1.2"]
    assert [launch["activity"]["id"] for launch in ear.launches] == [f"{ear.lms}/sco", f"{ear.lms}/next"]
    assert (await page.evaluate("() => lmsLog")).count("Commit") == 2


async def test_where_lms_and_course_both_have_the_tap_one_of_them_reports(page: Page, ear: Ear) -> None:
    twice = ear.script('data-activity="of the LMS"') * 2
    ear.pages |= {
        "/lms": _lms(twice, "window.NAME = makeApi(VERSION);", "2004"),
        "/sco": SCO % (ear.script('data-activity="of the course"'), BEGIN_AND_PLAY),
    }
    await page.goto(f"{ear.lms}/lms")
    await _calls(page)
    await ear.wait_for_end()

    assert [launch["activity"]["id"] for launch in ear.launches] == ["of the LMS"]
    assert ear.told() == TOLD["2004"]


async def test_pages_without_scorm_are_left_alone(page: Page, ear: Ear) -> None:
    ear.pages["/page"] = f"{ear.script()}<script>const API = {{ get: () => 1 }}; window.API_1484_11 = 'text';</script>"
    await page.goto(f"{ear.lms}/page")

    assert await page.evaluate("() => [API.get(), API_1484_11, window.API]") == [1, "text", None]
    assert ear.launches == []
