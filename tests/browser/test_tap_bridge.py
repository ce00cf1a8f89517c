"""The tap in pages that behave as LMSs' do, with a real bridge: its statements are those that a server causes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Frame, Page, expect

from bridge.clock import system_now
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import NewBrowserKey, create_browser_key, script_tag
from storage.engine import writing
from tests.browser.conftest import Watch
from tests.browser.tap_pages import LMS, SCO, Ear
from tests.support.accounts import HOME_PAGE
from tests.support.bridge import Bridge, FakeClock, start_bridge
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("ear")]

SOURCE = f"{HOME_PAGE}/xapi/extensions/session-source"
PLAYER = Path(__file__).parents[2] / "bridge/sandbox/player/node_modules/scorm-again/dist/scorm-again.min.js"

COURSE = """
  function play() {
    const is12 = version === "1.2", core = is12 ? "cmi.core." : "cmi.", question = "cmi.interactions.0.";
    call("SetValue", core + (is12 ? "lesson_location" : "location"), "page 2");
    call("SetValue", question + "id", "q1");
    call("SetValue", question + "type", "choice");
    call("SetValue", question + (is12 ? "student_response" : "learner_response"), "a");
    call("SetValue", question + "result", "correct");
    call("Commit", "");
    call("SetValue", core + "score.raw", "92");
    if (!is12) call("SetValue", "cmi.score.scaled", "0.92");
    call("SetValue", is12 ? "cmi.core.lesson_status" : "cmi.success_status", "passed");
    if (!is12) call("SetValue", "cmi.completion_status", "completed");
    call("SetValue", core + "session_time", is12 ? "00:12:00.00" : "PT12M");
    call("SetValue", core + "exit", is12 ? "" : "normal");
    call("Commit", "");
    call("Terminate", "");
    document.body.dataset.played = "true";
  }
  begin();
  (function wait() { document.body.dataset.begun ? play() : setTimeout(wait, 20); })();
"""
"""A course that answers a question, passes and leaves."""


@dataclass
class Campus:
    """A bridge with a key for the pages of an LMS."""

    bridge: Bridge
    key: str
    script: str

    def statements(self, learner: str, activity: str) -> list[dict[str, Any]]:
        """Return what is to be compared of the statements about a learner, in their order."""
        return [
            _comparable(json.loads(statement.body), learner)
            for report in self.bridge.reports(learner, activity)
            for statement in report.statements
        ]

    async def wait_for(self, learner: str, activity: str, rule: str) -> None:
        """Wait until a rule has fired for a learner."""
        await wait_until(lambda: rule in self.bridge.rules(learner, activity))


def _comparable(statement: dict[str, Any], learner: str) -> dict[str, Any]:
    """Leave out ids and times, and what says that a page opened the session."""
    statement["context"]["extensions"].pop(SOURCE, None)
    text = json.dumps({key: value for key, value in statement.items() if key not in {"id", "timestamp", "stored"}})
    return json.loads(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text.replace(learner, "LEARNER")))


@asynccontextmanager
async def campus(database_url: str, origin: str) -> AsyncIterator[Campus]:
    """Run a bridge, with a key that the pages of an origin may use."""
    bridge = await start_bridge(database_url=database_url, clock=FakeClock(system_now()))
    try:
        with writing(bridge.engine) as connection:
            new = NewBrowserKey(lms="lms", origins=[origin])
            key = create_browser_key(connection, new, AuditContext("ada", "", bridge.clock()))
        yield Campus(bridge, key.key, script_tag(f"{bridge.url}".rstrip("/"), key.key))
    finally:
        await bridge.close()


async def _play(page: Page, address: str) -> Frame:
    await page.goto(address)
    await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-played", "true")
    return page.frames[1]


SCORM_AGAIN = """<script src="/scorm-again.js"></script><script>
  const version = VERSION;
  const api = window[version === "1.2" ? "API" : "API_1484_11"] =
    new window[version === "1.2" ? "Scorm12API" : "Scorm2004API"]({ autocommit: true, logLevel: 5 });
  api.loadFromJSON(version === "1.2"
    ? { core: { student_id: "LEARNER", student_name: "Ada", credit: "credit", lesson_mode: "normal" } }
    : { learner_id: "LEARNER", learner_name: "Ada", credit: "credit", mode: "normal" });
</script>"""


@pytest.mark.parametrize("version", ["1.2", "2004"])
async def test_on_a_page_of_scorm_again_statements_are_those_of_the_same_session_posted_by_a_server(
    page: Page, ear: Ear, sqlite_url: str, version: str
) -> None:
    async with campus(sqlite_url, ear.lms) as lms:
        api = SCORM_AGAIN.replace("VERSION", f'"{version}"').replace("LEARNER", "u42")
        head = lms.script.replace("data-key", 'data-activity="235" data-activity-name="Engines" data-key') + api
        ear.pages |= {"/lms": LMS % (head, "/sco"), "/sco": SCO % ("", COURSE)}
        ear.scripts["/scorm-again.js"] = PLAYER.read_text(encoding="utf-8")
        frame = await _play(page, f"{ear.lms}/lms")
        await lms.wait_for("u42", "235", "terminated")
        calls = await frame.evaluate("() => calls")
        await _post_by_server(lms.bridge, calls, version)
        told, expected = lms.statements("u42", "235"), lms.statements("u43", "235")

    assert told == expected
    assert {statement["verb"]["id"].rpartition("/")[2] for statement in told} >= {"initialized", "passed", "terminated"}


async def _post_by_server(bridge: Bridge, calls: list[list[Any]], version: str) -> None:
    """Post the session that a course's calls make, as an LMS's server does: what was set since the last commit."""
    opened = await bridge.open(
        learner={"id": "u43", "name": "Ada"},
        activity={"id": "235", "name": "Engines"},
        scorm_version=version,
        mode="normal",
        credit="credit",
    )
    path = "/" + opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    entry = {"cmi.core.entry" if version == "1.2" else "cmi.entry": "ab-initio"}
    commits = [(entry, False)]
    values: dict[str, str] = {}
    for method, *rest in calls:
        if method == "SetValue" and rest[-1] == "true":
            values[rest[0]] = rest[1]
        elif method in {"Commit", "Terminate"}:
            commits.append((values, method == "Terminate"))
            values = {}
    for sequence, (cmi, terminated) in enumerate(commits, 1):
        body = {"cmi": cmi, "sequence": sequence, "terminated": terminated, "scorm_version": version}
        status, answer = await bridge.post(path, body, token=None)
        assert status == 200, answer


MOODLE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Engines</title>%s
<body id="page-mod-scorm-player" class="path-mod-scorm course-9 cmid-45">
<div id="scormapi-parent"><script id="external-scormapi" src="/mod/scorm/loaddatamodel.php?a=3&scoid=12"></script></div>
<iframe id="sco" src="/sco"></iframe></body></html>"""
MOODLE_API = """
  function PlayerApi() {
    const cmi = { "cmi.core.student_id": "ada", "cmi.core.student_name": "Lovelace, Ada", "cmi.core.entry": "ab-initio",
      "cmi.core.credit": "credit", "cmi.core.lesson_mode": "normal", "cmi.core.total_time": "00:00:00" };
    let changed = {}, error = "0", leaving = false;
    addEventListener("pagehide", () => { leaving = true; });
    function store(finish) {
      const form = new URLSearchParams({ scoid: "12", ...changed, ...(finish ? { finish: "1" } : {}) });
      changed = {};
      if (leaving) return String(navigator.sendBeacon("/mod/scorm/datamodel.php", form));
      const request = new XMLHttpRequest();
      request.open("POST", "/mod/scorm/datamodel.php", false);
      request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
      request.send(form.toString());
      return request.responseText.split("\\n")[0];
    }
    this.LMSInitialize = () => "true";
    this.LMSGetValue = (name) => { error = name in cmi ? "0" : "201"; return cmi[name] || ""; };
    this.LMSSetValue = (name, value) => {
      changed[name.replace(/\\./g, "__")] = cmi[name] = value;
      clearTimeout(window.autocommit);
      window.autocommit = setTimeout('API.LMSCommit("")', 150);
      return "true";
    };
    this.LMSCommit = () => store(false);
    this.LMSFinish = () => store(true);
    this.LMSGetLastError = () => error;
  }
  var API = new PlayerApi();
"""
OPEN_EDX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Unit</title>%s<body>
<div class="xblock" data-usage-id="block-v1:Org+C1+R1+type@scorm+block@s1" data-block-type="scorm">
<script>
  const stored = { "cmi.learner_id": "ada", "cmi.learner_name": "Ada", "cmi.entry": "ab-initio" };
  function Player() {
    this.Initialize = this.Terminate = this.Commit = () => "true";
    this.GetLastError = () => "0";
    this.GetValue = (name) => stored[name] || "";
    this.SetValue = (name, value) => {
      fetch("/handler/scorm_set_value", { method: "POST", body: JSON.stringify({ name, value }), keepalive: true });
      return "true";
    };
  }
  addEventListener("DOMContentLoaded", () => { API_1484_11 = new Player(); });
</script><iframe id="sco" src="/sco"></iframe></div></body></html>"""
LEAVES_LATE = """
  begin();
  function answer() {
    call("SetValue", "cmi.core.lesson_status", "incomplete");
    call("SetValue", "cmi.core.score.raw", "40");
  }
  addEventListener("unload", () => {
    call("SetValue", "cmi.core.score.raw", "90");
    call("SetValue", "cmi.core.lesson_status", "passed");
    call("Terminate", "");
  });
"""


async def test_on_a_page_like_moodle_s_the_lms_s_own_commits_are_heard_and_the_last_words_too(
    page: Page, ear: Ear, watch: Watch, sqlite_url: str
) -> None:
    watch.expect(r"failed: POST .*: net::ERR_ABORTED")
    posted = []
    async with campus(sqlite_url, ear.lms) as lms:
        ear.scripts["/mod/scorm/loaddatamodel.php"] = MOODLE_API
        for head in ("", lms.script):
            ear.pages |= {"/mod/scorm/player.php": MOODLE % head, "/sco": SCO % ("", LEAVES_LATE)}
            await page.goto(f"{ear.lms}/mod/scorm/player.php?a=3&scoid=11&currentorg=o")
            await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-begun", "1.2")
            await page.frames[1].evaluate("() => answer()")
            await wait_until(lambda: ear.forms)
            if head:
                await wait_until(lambda: [report for report in lms.bridge.reports("ada", "12") if _score(report) == 40])
            await page.goto("about:blank")
            await wait_until(lambda: len(ear.forms) == 2)
            posted.append([*ear.forms])
            ear.forms.clear()
        await lms.wait_for("ada", "12", "passed")
        await lms.wait_for("ada", "12", "terminated")
        (report,) = lms.bridge.reports("ada", "12")

    assert posted[0] == posted[1]
    assert _score(report) == 90
    assert report.attempt.enrollment.course_id == "9"


def _score(report: Any) -> float | None:
    return report.attempt.score_raw


async def test_on_a_page_like_open_edx_s_commits_without_a_request_are_heard(
    page: Page, ear: Ear, watch: Watch, sqlite_url: str
) -> None:
    watch.expect(r"failed: POST .*/handler/scorm_set_value: net::ERR_ABORTED")  # the page does not read the answers
    posted = []
    async with campus(sqlite_url, ear.lms) as lms:
        for head in ("", lms.script):
            ear.pages |= {"/xblock/unit": OPEN_EDX % head, "/sco": SCO % ("", COURSE)}
            await _play(page, f"{ear.lms}/xblock/unit")
            await wait_until(lambda: '"normal"' in "".join(body for _, body in ear.forms))
            posted.append(sorted(ear.forms))
            ear.forms.clear()
        block = "block-v1:Org+C1+R1+type@scorm+block@s1"
        await lms.wait_for("ada", block, "terminated")
        (report,) = lms.bridge.reports("ada", block)

    assert posted[0] == posted[1]
    assert (report.attempt.success_status, report.attempt.completion_status) == ("passed", "completed")
    assert report.attempt.enrollment.course_id == "course-v1:Org+C1+R1"
