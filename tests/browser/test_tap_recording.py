"""With data-record="calls" the tap keeps every call; the LMS hears no other ones, and commits are sent as without."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bridge.recordings.download import read_recording, write_recording
from bridge.recordings.player import play
from bridge.recordings.replay import differences
from storage.engine import reading
from tests.browser.conftest import Watch
from tests.browser.tap_pages import LMS, MAKE_API, SCO, Ear
from tests.browser.test_tap_bridge import COURSE, PLAYER, SCORM_AGAIN, campus
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("ear")]

RECORD = 'data-record="calls"'
PLAY = """
  function play() {
    const is12 = version === "1.2", core = is12 ? "cmi.core." : "cmi.";
    call("GetValue", core + (is12 ? "student_id" : "learner_id"));
    call("SetValue", core + (is12 ? "lesson_location" : "location"), "refused");
    call("GetLastError");
    call("SetValue", "cmi.suspend_data", "secret=1");
    call("GetValue", "cmi.suspend_data");
    call("SetValue", core + "score.raw", 92.5);
    call("Commit", "");
    call("SetValue", "cmi.comments", "x".repeat(5000));
    call("Terminate", "");
    call("GetLastError");
    document.body.dataset.played = "true";
  }
"""


def _lay_out(ear: Ear, *attributes: str, version: str = "1.2", course: str = PLAY, made: str = "") -> None:
    name = "API" if version == "1.2" else "API_1484_11"
    api = f"<script>{MAKE_API} const api = makeApi('{version}'); {made} window.{name} = api;</script>"
    ear.pages |= {
        "/lms": LMS % (ear.script(*attributes) + api, "/sco"),
        "/sco": SCO % ("", course + "begin();"),
        "/dashboard": f"{ear.script()}<p>Dashboard</p>",
    }


async def _play(page: Page, ear: Ear, version: str = "1.2") -> list[str]:
    """Have the course play, and return what the LMS has heard."""
    await page.goto(f"{ear.lms}/lms")
    await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-begun", version)
    await page.frames[1].evaluate("() => play()")
    return list(await page.evaluate("lmsLog"))


def _said(calls: list[list[Any]]) -> list[list[Any]]:
    """Return method, arguments and answer of calls that the tap did not make itself."""
    return [[method, arguments, answer] for _, _, _, _, method, arguments, answer, manner in calls if manner != "tap"]


@pytest.mark.parametrize("version", ["1.2", "2004"])
async def test_every_call_is_kept_in_its_order_and_the_lms_hears_the_same_as_without(
    page: Page, ear: Ear, version: str
) -> None:
    heard = []
    for attributes in ((), (RECORD,)):
        _lay_out(ear, *attributes, version=version)
        heard.append(await _play(page, ear, version))
        await ear.wait_for_end(len(heard))
    await wait_until(lambda: len(_said(ear.calls(2))) >= 11)
    await page.goto("about:blank")
    await wait_until(lambda: len(_said(ear.calls(2))) == 12)
    calls, core = ear.calls(2), "cmi.core." if version == "1.2" else "cmi."
    place, who = ("lesson_location", "student_id") if version == "1.2" else ("location", "learner_id")

    assert heard[0] == heard[1]
    assert ear.recordings.keys() == {"s2"}
    assert _said(calls) == [
        ["Initialize", [""], "true"],
        ["GetLastError", [], "0"],
        ["GetValue", [f"{core}{who}"], "u42"],
        ["SetValue", [f"{core}{place}", "refused"], "false"],
        ["GetLastError", [], "401"],
        ["SetValue", ["cmi.suspend_data", {"length": 8}], "true"],
        ["GetValue", ["cmi.suspend_data"], {"length": 8}],
        ["SetValue", [f"{core}score.raw", 92.5], "true"],
        ["Commit", [""], "true"],
        ["SetValue", ["cmi.comments", {"length": 5000, "start": "x" * 4000}], "true"],
        ["Terminate", [""], "true"],
        ["GetLastError", [], "0"],
    ]
    assert [call[0] for call in calls] == [*range(1, len(calls) + 1)]
    assert [call[1] for call in calls] == sorted(call[1] for call in calls)
    assert [call[3] for call in calls if call[4] in {"Initialize", "Commit", "Terminate"}] == [1, 2, 3]
    assert [commit["sequence"] for commit in ear.of(2)] == [1, 2, 3]


async def test_suspend_data_is_recorded_where_it_is_asked_for_and_hashed_learners_never_are(
    page: Page, ear: Ear
) -> None:
    _lay_out(ear, RECORD, "data-suspend-data", "data-hash-learner")
    await _play(page, ear)
    await ear.wait_for_end()
    await wait_until(lambda: len(_said(ear.calls())) >= 11)
    said = _said(ear.calls())

    assert ["GetValue", ["cmi.suspend_data"], "secret=1"] in said
    assert ["GetValue", ["cmi.core.student_id"], {"length": 3}] in said
    assert [text for text in ("u42", "Lovelace") if text in json.dumps(ear.recordings)] == []


async def test_an_api_that_cannot_be_changed_is_recorded_and_what_it_throws_is_thrown(page: Page, ear: Ear) -> None:
    course = """
      function play() {
        try { api.LMSGetDiagnostic("x"); } catch (error) { document.body.dataset.caught = error.message; }
        call("SetValue", "cmi.core.score.raw", "5");
        call("Terminate", "");
      }
    """
    throwing = "api.LMSGetDiagnostic = () => { throw new Error('broken'); };"
    inner = "api.LMSFinish = () => window.API.LMSCommit(''); Object.freeze(api);"
    _lay_out(ear, RECORD, course=course, made=throwing + inner)
    await _play(page, ear)
    await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-caught", "broken")
    await ear.wait_for_end()
    await wait_until(lambda: "Terminate" in [call[4] for call in ear.calls()])

    manners = {call[4]: call[7] for call in ear.calls() if call[7] != "tap"}

    assert manners == {
        "Initialize": "", "GetLastError": "", "GetDiagnostic": "threw", "SetValue": "", "Commit": "inner",
        "Terminate": "",
    }  # fmt: skip


async def test_a_refused_recording_ends_alone(page: Page, ear: Ear, watch: Watch) -> None:
    watch.expect("status 413", "Failed to load resource")
    ear.call_refusals.append(413)
    course = PLAY + "function more(count) { for (let n = 0; n < count; n++) call('GetValue', 'cmi.core.entry'); }"
    _lay_out(ear, RECORD, course=course)
    await page.goto(f"{ear.lms}/lms")
    await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-begun", "1.2")
    await ear.wait(len)
    await page.frames[1].evaluate("() => more(60)")
    await wait_until(lambda: ear.refused == [413])
    await page.frames[1].evaluate("() => { more(60); play(); }")
    commits = await ear.wait_for_end()
    await page.goto("about:blank")

    assert [commit["sequence"] for commit in commits] == [1, 2, 3]
    assert ear.recordings == {}


async def test_calls_of_a_page_that_is_gone_are_sent_by_the_next_one_each_once(
    page: Page, ear: Ear, watch: Watch
) -> None:
    watch.expect("status 503", "Failed to load resource", r"failed: POST .*: net::ERR_ABORTED")
    ear.call_refusals.extend([503] * 3)
    _lay_out(ear, RECORD)
    await _play(page, ear)
    await ear.wait_for_end()
    await wait_until(lambda: ear.refused)
    await page.goto("about:blank")
    ear.call_refusals.clear()
    await page.goto(f"{ear.lms}/dashboard")
    await wait_until(lambda: len(_said(ear.calls())) == 12)
    await wait_until_empty(page)

    assert [call[0] for call in ear.calls()] == [*range(1, len(ear.calls()) + 1)]


async def wait_until_empty(page: Page) -> None:
    """Wait until nothing is kept in the page's storage."""
    await page.wait_for_function("() => Object.keys(localStorage).length === 0")


async def test_what_is_more_than_a_page_keeps_is_counted_and_the_last_calls_are_there(page: Page, ear: Ear) -> None:
    many = "function play() { for (let n = 0; n < 1200; n++) call('GetValue', `cmi.${n}`); call('Terminate', ''); }"
    _lay_out(ear, RECORD, course=many)
    await _play(page, ear)
    await ear.wait_for_end()
    await wait_until(lambda: "Terminate" in [call[4] for call in ear.calls()])
    made = max(body["made"] for body in ear.recordings["s1"])

    assert made == ear.calls()[-1][0] > 1200
    assert len(ear.calls()) <= 500
    assert max(len(json.dumps(body)) for body in ear.recordings["s1"]) < 64 * 1024


@pytest.mark.parametrize("version", ["1.2", "2004"])
async def test_a_recording_that_is_replayed_makes_equal_statements(
    page: Page, ear: Ear, sqlite_url: str, version: str
) -> None:
    async with campus(sqlite_url, ear.lms) as lms:
        api = SCORM_AGAIN.replace("VERSION", f'"{version}"').replace("LEARNER", "u42")
        head = lms.script.replace("data-key", f'{RECORD} data-activity="235" data-activity-name="Engines" data-key')
        ear.pages |= {"/lms": LMS % (head + api, "/sco"), "/sco": SCO % ("", COURSE)}
        ear.scripts["/scorm-again.js"] = PLAYER.read_text(encoding="utf-8")
        await page.goto(f"{ear.lms}/lms")
        await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-played", "true")
        await lms.wait_for("u42", "235", "terminated")
        ((session, *_),) = [report.sessions for report in lms.bridge.reports("u42", "235")]
        content = b""

        def is_whole() -> bool:
            nonlocal content
            with reading(lms.bridge.engine) as connection:
                content = write_recording(connection, session.session_id) or b""
            return b'"Terminate"' in content

        await wait_until(is_whole)
        recording = await asyncio.to_thread(read_recording, io.BytesIO(content))
        played = await play(recording, str(lms.bridge.url).rstrip("/"), lms.bridge.token, "u43")
        told, replayed = lms.statements("u42", "235"), lms.statements("u43", "235")

    assert replayed == told
    assert {statement["verb"]["id"].rpartition("/")[2] for statement in told} >= {"initialized", "passed", "terminated"}
    assert sum(len(commit.statements) for commit in played.commits) == len(told)
    assert differences(recording) == []
