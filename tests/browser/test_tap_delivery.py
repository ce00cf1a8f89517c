"""What the tap recorded reaches the bridge, whatever happens to page, network and bridge; and nobody else sees it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Frame, Page, async_playwright, expect

from tests.browser.conftest import ARGUMENTS, Watch
from tests.browser.tap_pages import LMS, MAKE_API, SCO, Ear
from tests.support.waiting import poll, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("ear")]
# servers that outlive the page: what it sends as it is closed finds them

STATUS, PLACE, SCORE = "cmi.core.lesson_status", "cmi.core.lesson_location", "cmi.core.score.raw"
KEPT = "() => Object.keys(localStorage).length"
AWAY = ("Failed to load resource", "failed: POST", "status [45]..")
"""What a browser itself says of requests that fail."""


def _lay_out(ear: Ear, *attributes: str, course: str = "", head: str = "") -> None:
    """Give the LMS a page with the tap and a course in it."""
    ear.pages |= {
        "/lms": LMS
        % (f"{head}{ear.script(*attributes)}<script>{MAKE_API} window.API = makeApi('1.2');</script>", "/sco"),
        "/bare": LMS % (f"<script>{MAKE_API} window.API = makeApi('1.2');</script>", "/tapped"),
        "/sco": SCO % ("", course + "begin();"),
        "/tapped": SCO % (ear.script(*attributes), course + "begin();"),
        "/dashboard": f"{ear.script()}<p>Dashboard</p>",
    }


async def _begin(page: Page, ear: Ear, path: str = "/lms") -> Frame:
    """Load a page and return the course in it, which has begun."""
    await page.goto(ear.lms + path)
    await expect(page.frame_locator("#sco").locator("body")).to_have_attribute("data-begun", "1.2")
    return page.frames[1]


async def _set(frame: Frame, **values: str) -> None:
    """Have the course set values and commit them."""
    for name, value in values.items():
        element = {"status": STATUS, "place": PLACE, "score": SCORE, "suspend": "cmi.suspend_data"}[name]
        assert await frame.evaluate("pair => call('SetValue', ...pair)", [element, value]) == "true"
    assert await frame.evaluate("() => call('Commit', '')") == "true"


async def _close_the_tab(page: Page) -> None:
    await page.close(run_before_unload=True)


async def _remove_the_frame(page: Page) -> None:
    await page.evaluate("document.getElementById('sco').remove()")


async def _go_elsewhere(page: Page) -> None:
    await page.goto("about:blank")


LAST_WORDS = f"""
  addEventListener("unload", () => {{
    call("SetValue", "{STATUS}", "passed");
    call("SetValue", "{SCORE}", "80");
    if (call("Commit", "") === "true") call("Terminate", "");
  }});
"""


@pytest.mark.parametrize("path", ["/lms", "/bare"], ids=["tap in the LMS", "tap in the course"])
@pytest.mark.parametrize(
    "leave", [_close_the_tab, _remove_the_frame, _go_elsewhere], ids=["tab closed", "frame removed", "page left"]
)
async def test_content_that_speaks_as_its_page_goes_is_heard_to_the_end(
    page: Page, ear: Ear, watch: Watch, path: str, leave: Callable[[Page], Awaitable[None]]
) -> None:
    watch.expect(r"failed: POST .*: net::ERR_ABORTED")  # nobody is there to hear the answer
    _lay_out(ear, course=LAST_WORDS)
    frame = await _begin(page, ear, path)
    await _set(frame, place="page 1")
    await ear.wait_for(PLACE, "page 1")
    await leave(page)
    await ear.wait_for_end()

    assert ear.told() == {PLACE: "page 1", STATUS: "passed", SCORE: "80"}


@pytest.mark.parametrize("path", ["/lms", "/bare"], ids=["tap in the LMS", "tap in the course"])
async def test_content_that_never_commits_and_never_finishes_is_recorded(
    page: Page, ear: Ear, watch: Watch, path: str
) -> None:
    watch.expect(r"failed: POST .*: net::ERR_ABORTED")
    _lay_out(ear)
    frame = await _begin(page, ear, path)
    await ear.wait(bool)
    await frame.evaluate(f"() => {{ call('SetValue', '{STATUS}', 'completed'); }}")
    await page.close(run_before_unload=True)
    await ear.wait_for(STATUS, "completed")

    assert [commit["terminated"] for commit in ear.of()] == [False, False]


async def test_every_half_minute_what_has_changed_is_sent(page: Page, ear: Ear) -> None:
    _lay_out(ear)
    await page.clock.install()
    frame = await _begin(page, ear)
    await ear.wait(bool)
    await frame.evaluate(f"() => {{ call('SetValue', '{PLACE}', 'page 7'); }}")
    await page.clock.run_for(30_000)
    await ear.wait_for(PLACE, "page 7")
    await page.clock.run_for(90_000)
    await _set(frame, status="completed")
    await ear.wait_for(STATUS, "completed")

    assert [commit["sequence"] for commit in ear.of()] == [1, 2, 3]


async def test_what_was_recorded_offline_is_sent_when_the_network_is_back(page: Page, ear: Ear) -> None:
    _lay_out(ear)
    frame = await _begin(page, ear)
    await ear.wait(bool)
    await page.context.set_offline(True)
    await _set(frame, place="page 1")
    await _set(frame, place="page 2", status="completed")
    kept = await poll(lambda: page.evaluate(KEPT), lambda count: count == 1)
    await page.context.set_offline(False)
    await ear.wait_for(STATUS, "completed")

    assert kept == 1
    assert [commit["cmi"].get(PLACE) for commit in ear.of()] == [None, "page 1", "page 2"]
    assert await poll(lambda: page.evaluate(KEPT), lambda count: count == 0) == 0


async def test_what_a_page_could_not_deliver_the_next_one_does(page: Page, ear: Ear, watch: Watch) -> None:
    watch.expect(*AWAY)
    _lay_out(ear)
    ear.refusals.extend([503, 0, 500, 429] * 50)
    frame = await _begin(page, ear)
    await _set(frame, place="page 1", suspend="secret")
    await _set(frame, status="passed")
    await frame.evaluate("() => call('Terminate', '')")
    await wait_until(lambda: ear.refused)
    ear.pages["/elsewhere"] = "<p>Forum</p>"
    await page.goto(f"{ear.lms}/elsewhere")
    kept = await page.evaluate("() => Object.values(localStorage).join()")
    ear.refusals.clear()
    await page.goto(f"{ear.lms}/dashboard")
    await ear.wait_for_end()

    assert ear.told() == {PLACE: "page 1", STATUS: "passed"}
    assert "secret" not in kept
    assert await poll(lambda: page.evaluate(KEPT), lambda count: count == 0) == 0


async def test_what_was_never_answered_is_sent_once_more_under_its_number(page: Page, ear: Ear, watch: Watch) -> None:
    watch.expect(*AWAY)
    _lay_out(ear)
    ear.losses = 1
    frame = await _begin(page, ear)
    await wait_until(lambda: len(ear.launches) == 2)
    await ear.wait(bool)
    ear.losses = 1
    await _set(frame, place="page 1")
    await frame.evaluate("() => call('Terminate', '')")
    await ear.wait_for_end()

    assert len({launch["launch_id"] for launch in ear.launches}) == 1
    assert [commit["sequence"] for commit in ear.commits["s1"]] == [1, 2, 2, 3]
    assert ear.commits["s1"][1] == ear.commits["s1"][2]


async def test_a_commit_address_that_has_expired_is_renewed(page: Page, ear: Ear, watch: Watch) -> None:
    watch.expect(*AWAY)
    _lay_out(ear)
    frame = await _begin(page, ear)
    await ear.wait(bool)
    ear.refusals.append(401)
    await _set(frame, status="completed")
    await ear.wait_for(STATUS, "completed")

    assert len(ear.launches) == 2
    assert ear.launches[0] == ear.launches[1]


@pytest.mark.parametrize("status", [403, 410])
async def test_a_session_that_is_refused_is_given_up_at_once(page: Page, ear: Ear, watch: Watch, status: int) -> None:
    watch.expect(*AWAY)
    _lay_out(ear)
    ear.refusals.append(status)
    frame = await _begin(page, ear)
    await wait_until(lambda: ear.refused)
    await _set(frame, status="completed")
    await page.goto(f"{ear.lms}/dashboard")
    await _begin(page, ear)
    await ear.wait(bool)

    assert len(ear.methods) == 3  # what was refused, and the second page's two
    assert await page.evaluate(KEPT) == 0


async def test_a_policy_that_forbids_requests_is_told_once_to_who_has_the_console_open(
    page: Page, ear: Ear, watch: Watch
) -> None:
    watch.expect("Content Security Policy", "violates the document's Content Security Policy", "Fetch API cannot load")
    watch.expect(f"nothing is recorded. Add {ear.address} to connect-src", r"failed: POST .*: csp")
    count = """window.violations = 0;
      document.addEventListener("securitypolicyviolation", () => { window.violations++; });"""
    _lay_out(ear, head=f"<script>{count}</script>")
    ear.policies["/lms"] = f"default-src 'self'; img-src data:; script-src 'self' 'unsafe-inline' {ear.address}"
    frame = await _begin(page, ear)
    await wait_until(lambda: [each for each in watch.complaints if "connect-src of" in each])
    await _set(frame, place="page 1")
    await page.evaluate("() => dispatchEvent(new Event('online'))")  # time to try again
    ended = await frame.evaluate("() => call('Terminate', '')")
    await page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")

    assert ended == "true"
    assert await page.evaluate("() => violations") == 1
    assert len([each for each in watch.complaints if "nothing is recorded" in each]) == 1
    assert ear.methods == []
    assert await page.evaluate(KEPT) == 0


async def test_where_third_parties_have_no_storage_nothing_is_kept_and_all_is_sent(
    ear: Ear, watch: Watch, tmp_path: Path
) -> None:
    _lay_out(ear)
    ear.pages["/portal"] = LMS % ("", f"{ear.lms}/bare")
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_text(json.dumps({"profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}}))
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        watch.on(context)
        page = context.pages[0]
        await page.goto(f"{ear.lms.replace('127.0.0.1', 'localhost')}/portal")
        course = page.frame_locator("#sco").frame_locator("#sco").locator("body")
        await expect(course).to_have_attribute("data-begun", "1.2")
        frame = page.frames[2]
        blocked = await frame.evaluate("() => { try { return !localStorage } catch (error) { return true } }")
        await _set(frame, status="passed")
        await frame.evaluate("() => call('Terminate', '')")
        await ear.wait_for_end()
        await context.close()

    assert blocked is True
    assert ear.told() == {STATUS: "passed"}
    assert watch.unexpected() == []


@pytest.mark.parametrize(
    "lack",
    [
        "delete window.fetch; window.fetch = undefined;",
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } });",
        "crypto.getRandomValues = () => { throw new Error('broken'); };",
        "window.scormBridgeTap = { activity() { throw new Error('their own'); } };",
        "window.scormBridgeTap = { bridge: 'no address', learner: {} };",
    ],
    ids=["no fetch", "no storage", "no random", "an error in the page's settings", "wrong settings"],
)
async def test_what_a_page_lacks_or_has_wrong_is_no_error_in_it(page: Page, ear: Ear, lack: str) -> None:
    _lay_out(ear, head=f"<script>{lack}</script>")
    frame = await _begin(page, ear)
    await _set(frame, place="page 1")
    await page.evaluate("() => dispatchEvent(new PageTransitionEvent('pagehide'))")
    await page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")

    assert await frame.evaluate("() => call('Terminate', '')") == "true"


async def test_requests_are_simple_and_have_no_cookies(page: Page, ear: Ear) -> None:
    await page.context.add_cookies([{"name": "session", "value": "secret", "url": ear.address}])
    _lay_out(ear)
    frame = await _begin(page, ear)
    await _set(frame, place="x" * 40_000)
    await frame.evaluate("() => call('Terminate', '')")
    await ear.wait_for_end()

    assert set(ear.methods) == {"POST"}
    assert [headers for headers in ear.headers if "Cookie" in headers] == []
    assert {headers["Content-Type"] for headers in ear.headers} == {"text/plain;charset=UTF-8"}
    assert {headers["Origin"] for headers in ear.headers} == {ear.lms}
    assert len(ear.told()[PLACE]) == 40_000


async def test_learners_can_be_hashed_before_anything_leaves_the_page(page: Page, ear: Ear) -> None:
    _lay_out(ear, "data-hash-learner")
    await _begin(page, ear)
    await ear.wait(bool)

    assert ear.launches[0]["learner"] == {"sha256": hashlib.sha256(b"u42").hexdigest()}
    assert "Lovelace" not in json.dumps([ear.launches, ear.commits])


async def test_suspend_data_is_sent_where_it_is_asked_for(page: Page, ear: Ear) -> None:
    _lay_out(ear, "data-suspend-data")
    await _set(await _begin(page, ear), suspend="bookmark")
    await ear.wait_for("cmi.suspend_data", "bookmark")

    assert ear.told() == {"cmi.suspend_data": "bookmark"}


async def test_a_page_can_say_by_itself_who_plays_what(page: Page, ear: Ear) -> None:
    own = """<script>window.scormBridgeTap = { activity: () => ({ id: document.title + " 1", name: "Engines" }),
      course: "c7", learner: () => ({ id: 77, name: "Grace Hopper" }), suspendData: true };</script>"""
    _lay_out(ear, 'data-activity="another"', head=own)
    await _set(await _begin(page, ear), suspend="bookmark")
    await ear.wait_for("cmi.suspend_data", "bookmark")

    launch = ear.launches[0]

    assert launch["activity"] == {"id": "Campus 1", "name": "Engines"}
    assert launch["course"] == {"id": "c7"}
    assert launch["learner"] == {"id": "77", "name": "Grace Hopper"}


PLACES = {
    "Moodle": (
        "/mod/scorm/player.php?a=3&currentorg=o&scoid=11&sesskey=k",
        '<body class="course-9 cmid-45"><script id="external-scormapi" src="/api?scoid=12"></script>',
        ("12", "9"),
    ),
    "Open edX": (
        "/xblock/block-v1:Org+C1+R1+type@vertical+block@v1",
        '<div data-usage-id="block-v1:Org+C1+R1+type@scorm+block@s1" data-block-type="scorm"><iframe></iframe></div>',
        ("block-v1:Org+C1+R1+type@scorm+block@s1", "course-v1:Org+C1+R1"),
    ),
    "Open edX, the block alone": (
        "/xblock/block-v1:Org+C1+R1+type@scorm+block@s2?view=student_view",
        "",
        ("block-v1:Org+C1+R1+type@scorm+block@s2", "course-v1:Org+C1+R1"),
    ),
    "ILIAS": (
        "/ilias.php?baseClass=ilSAHSPresentationGUI&ref_id=77",
        "<script>iv = { launchId: 'sco-3' };</script>",
        ("sco-3", "77"),
    ),
    "Chamilo": (
        "/main/lp/lp_controller.php?cidReq=ALGEBRA&action=view&lp_id=5&item_id=1",
        "<script>olms = { lms_item_id: 21 };</script>",
        ("21", "ALGEBRA"),
    ),
    "Sakai": ("/portal/site/s1/tool/t1/player?contentPackageId=4", "", ("4", "s1")),
    "any other": ("/play.php?course=5&token=abc", "", ("LMS/play.php?course=5", None)),
}


async def test_pages_of_known_lmss_say_what_they_play(page: Page, ear: Ear) -> None:
    for session, (address, body, _) in enumerate(PLACES.values(), 1):
        ear.pages[address.partition("?")[0]] = (
            f"{ear.script()}<title>Engines</title>{body}<script>{MAKE_API} window.API = makeApi('1.2');"
            "window.API.LMSInitialize('');</script>"
        )
        await page.goto(ear.lms + address)
        await ear.wait(bool, session)

    assert {launch["activity"]["name"] for launch in ear.launches} == {"Engines"}
    assert {
        lms: (launch["activity"]["id"].replace(ear.lms, "LMS"), launch.get("course", {}).get("id"))
        for lms, launch in zip(PLACES, ear.launches, strict=True)
    } == {lms: expected for lms, (_, _, expected) in PLACES.items()}


async def test_whoever_sets_it_up_can_have_it_say_what_it_does(page: Page, ear: Ear, watch: Watch) -> None:
    watch.expect(*AWAY)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "info" else None)
    _lay_out(ear, "data-debug", 'data-activity="a1"')
    frame = await _begin(page, ear)
    await ear.wait(bool)
    ear.refusals.append(413)
    await _set(frame, place="page 1")
    await wait_until(lambda: len(said) == 3)

    assert said == [
        "SCORM bridge tap: session 200 a1",
        "SCORM bridge tap: commit 1 200 a1",
        "SCORM bridge tap: commit 2 413 a1",
    ]
