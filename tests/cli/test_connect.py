"""`scorm-bridge connect`: a page is looked at, the way is shown, and the first commit as it arrives."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import aiohttp
import pytest
from click.testing import Result

from bridge.cli.arrival import WaitResult, wait_for_commit
from bridge.clock import system_now
from bridge.http.refusals import Refusals
from bridge.http.services import SERVICES
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import NewBrowserKey, create_browser_key
from bridge.tap.script import load_script
from storage.engine import reading, writing
from storage.lms import by_name
from tests.cli.conftest import Run
from tests.lms_pages import pages
from tests.lms_pages.pages import SIGN_IN, SamplePage, serve_page
from tests.support.bridge import Bridge, FakeMonotonic
from tests.support.browser_keys import PASSED, create_key, open_page, send
from tests.support.server import StartServer
from tests.support.sql import closing_engine
from tests.support.waiting import TIMEOUT

ALLOWED = '[outgoing]\nallow = ["127.0.0.0/8"]\n'
PUBLIC_URL = "https://bridge.example.org"
WAITING = "Waiting for the first commit of campus"


async def _connect(run: Run, page: SamplePage, *arguments: str, wait: str = "0s", **environment: str) -> Result:
    """Run the command for a page that a server gives."""
    async with serve_page(page) as url:
        return await asyncio.to_thread(run, "connect", url, "--timeout", wait, *arguments, file=ALLOWED, **environment)


async def _with_key(run: Run, page: SamplePage, *arguments: str, public_url: str = PUBLIC_URL) -> tuple[str, str]:
    """Run the command with a key that is for the page; return the key and what was said."""
    run("migrate")
    async with serve_page(page) as url:
        key = run("keys", "create", "--lms", "campus", "--origin", url.rstrip("/")).stdout.strip()
        result = await asyncio.to_thread(
            run, "connect", url, "--timeout", "0s", "--key", key, *arguments, file=ALLOWED,
            SCORM_BRIDGE_SERVER__PUBLIC_URL=public_url,
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    return key, result.stdout


async def test_the_lms_is_named_with_the_evidence_and_how_to_make_a_key(run: Run) -> None:
    result = await _connect(run, pages.MOODLE)

    assert result.exit_code == 0
    assert "is of Moodle 4.5." in result.stdout
    assert "cookie: a cookie MoodleSession" in result.stdout
    assert "scorm-bridge keys create --lms 127.0.0.1 --origin http://127.0.0.1:" in result.stdout
    assert "additionalhtmlhead" in result.stdout
    assert "docs/guides/moodle.md" in result.stdout


async def test_with_a_key_the_line_can_be_pasted_as_it_is(run: Run) -> None:
    key, output = await _with_key(run, pages.MOODLE)

    assert load_script().element(PUBLIC_URL, key) in output
    assert f"scorm-bridge wrap course.zip --key {key} " in output
    assert "This page does not have the line yet." in output
    assert "keys create" not in output


async def test_the_line_that_a_page_has_already_is_seen(run: Run) -> None:
    tag = load_script().element(PUBLIC_URL, "pk_another")
    _, output = await _with_key(run, SamplePage(head=tag + pages.MOODLE.head))

    assert "This page has the line already, with another key: pk_another." in output


async def test_as_json_it_is_one_object(run: Run) -> None:
    result = await _connect(run, SamplePage(head=pages.OPEN_EDX.head, body=SIGN_IN), "--json")
    told = json.loads(result.stdout)

    assert (told["lms"], told["version"], told["certainty"]) == ("open-edx", "sumac", "certain")
    assert (told["status"], told["title"], told["asks_to_sign_in"]) == (200, "Campus", True)
    assert [instruction["way"] for instruction in told["instructions"]] == ["tap", "wrap"]
    assert (told["commit"], told["refusals"]) == (None, [])
    assert any("asks people to sign in" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (pages.OTHER, "It has no mark of an LMS that is known here."),
        (SamplePage(head=pages.MOODLE.head, status=404), "It answered 404"),
        (SamplePage(head=pages.MOODLE.head, status=403), "It asks people to sign in"),
        (
            SamplePage(head=pages.MOODLE.head, headers={"Content-Security-Policy": "script-src 'self'"}),
            f"add {PUBLIC_URL} to script-src and connect-src",
        ),
    ],
    ids=["unknown", "missing", "forbidden", "policy"],
)
async def test_what_may_be_in_the_way_is_said_with_what_to_do(run: Run, page: SamplePage, said: str) -> None:
    result = await _connect(run, page, SCORM_BRIDGE_SERVER__PUBLIC_URL=PUBLIC_URL)

    assert result.exit_code == 0
    assert said in result.stdout


@pytest.mark.parametrize(
    ("page", "way", "line"),
    [
        (pages.CANVAS, "wrap", "scorm-bridge wrap course.zip --key pk_… -o course-wrapped.zip"),
        (pages.CORNERSTONE, "wrap", "scorm-bridge wrap course.zip --key pk_… -o course-wrapped.zip"),
        (pages.SCORM_CLOUD, "server", f"{PUBLIC_URL}/v1/formats/scorm-cloud"),
        (pages.SCORM_AGAIN, "server", "lmsCommitUrl: commit_url, autocommit: true, useAsynchronousCommits: true,"),
    ],
    ids=["canvas", "cornerstone", "scorm-cloud", "scorm-again"],
)
async def test_an_lms_whose_pages_nobody_can_change_is_connected_in_another_way(
    run: Run, page: SamplePage, way: str, line: str
) -> None:
    result = await _connect(run, page, "--json", SCORM_BRIDGE_SERVER__PUBLIC_URL=PUBLIC_URL)
    first = json.loads(result.stdout)["instructions"][0]

    assert first["way"] == way
    assert line in first["lines"]


async def test_a_key_that_records_nothing_on_this_page_is_said_to(run: Run) -> None:
    run("migrate")
    key = run("keys", "create", "--lms", "campus", "--origin", "https://lms.example.org").stdout.strip()
    run("keys", "revoke", "1", "--reason", "gone")
    result = await _connect(run, pages.MOODLE, "--key", key)

    assert "Key 1 was revoked" in result.stdout
    assert "Key 1 is for pages of https://lms.example.org, and this one is of http://127.0.0.1:" in result.stdout


@pytest.mark.parametrize("arguments", [("--key", "pk_unknown"), ("--lms", "unknown")])
async def test_a_key_or_an_lms_that_is_not_known_is_a_wrong_argument(run: Run, arguments: tuple[str, str]) -> None:
    run("migrate")
    result = await _connect(run, pages.MOODLE, *arguments)

    assert result.exit_code == 2
    assert arguments[0] in result.stderr


async def test_the_address_of_a_page_is_quoted_for_the_shell(run: Run) -> None:
    async with serve_page(pages.MOODLE) as url:
        shown = await asyncio.to_thread(run, "connect", f"{url}a'$(id)", "--timeout", "0s", file=ALLOWED)

    assert """/a'"'"'$(id)' --key""" in shown.stdout


def test_pages_that_cannot_be_visited_are_said_in_words_with_a_status(run: Run) -> None:
    refused = run("connect", "http://127.0.0.1:1/", "--timeout", "0s", file=ALLOWED)
    forbidden = run("connect", "http://127.0.0.1:1/", "--timeout", "0s", file="")
    wrong = run("connect", "lms.example.org", "--timeout", "0s", file="")

    assert (refused.exit_code, forbidden.exit_code, wrong.exit_code) == (69, 1, 2)
    assert "no connection" in refused.stderr
    assert "[outgoing]" in forbidden.stderr
    assert "https://" in wrong.stderr


async def test_nothing_that_comes_within_the_time_is_a_failure(run: Run) -> None:
    run("migrate")
    result = await _connect(run, pages.MOODLE, "--json", wait="1s")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["commit"] is None
    assert "No commit of an LMS came within 1 s" in result.stderr


class Waiting:
    """Waits in a thread of its own; what the test does comes about between two looks."""

    def __init__(self, bridge: Bridge, database_url: str) -> None:
        self._bridge = bridge
        self._url = database_url
        self._monotonic = FakeMonotonic()

    async def run(self, *steps: Any, lms: str | None = None) -> WaitResult:
        """Take a step in each pause, a coroutine function each, and let the time be over after the last."""
        loop, remaining = asyncio.get_running_loop(), list(steps)

        def pause(_seconds: float) -> None:
            if remaining:
                asyncio.run_coroutine_threadsafe(remaining.pop(0)(), loop).result(TIMEOUT)
            else:
                self._monotonic.seconds += 60

        def wait() -> WaitResult:
            with closing_engine(self._url) as engine:
                with reading(engine) as connection:
                    owner = None if lms is None else by_name(connection, lms)
                return wait_for_commit(engine, owner, 60, monotonic=self._monotonic, pause=pause)

        return await asyncio.to_thread(wait)


@pytest.fixture
async def waiting(bridge: Bridge, database_url: str) -> Waiting:
    """Wait on a bridge's database, which has a commit of before."""
    await bridge.commit({"cmi.core.lesson_location": "1"})
    return Waiting(bridge, database_url)


async def test_the_first_commit_after_the_command_began_is_shown_on_both_databases(
    bridge: Bridge, waiting: Waiting
) -> None:
    async def nothing() -> None:
        pass

    async def commits() -> None:
        await bridge.commit(PASSED, learner={"id": "u2"}, course={"id": "c7"})
        await bridge.commit(PASSED, learner={"id": "u3"})

    arrival = await waiting.run(nothing, nothing, nothing, commits)

    assert arrival.commit is not None
    assert (arrival.commit.learner_id, arrival.commit.course_id, arrival.commit.source) == ("u2", "c7", "server")
    assert arrival.verbs[0] == "http://adlnet.gov/expapi/verbs/initialized"
    assert "http://adlnet.gov/expapi/verbs/passed" in arrival.verbs


async def test_a_commit_of_another_lms_is_not_waited_for(bridge: Bridge, waiting: Waiting) -> None:
    key = create_key(bridge, lms="campus", home_page="https://campus.example.org")

    async def of_another() -> None:
        await bridge.commit(PASSED)

    async def of_the_page() -> None:
        assert (await send(bridge, await open_page(bridge, key.key, learner={"id": "u9"}), PASSED))[0] == 200

    arrival = await waiting.run(of_another, of_the_page, lms="campus")

    assert arrival.commit is not None
    assert (arrival.commit.lms, arrival.commit.learner_id, arrival.commit.source) == ("campus", "u9", "browser")


async def test_what_is_refused_while_it_is_waited_for_is_said_once(
    bridge: Bridge, waiting: Waiting, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused() -> None:
        await bridge.post("/v1/commits", {"learner": {"id": "u1"}, "cmi": {}})
        await _refusals(bridge).flush()

    async def nothing() -> None:
        pass

    arrival = await waiting.run(refused, nothing)
    said = capsys.readouterr().err

    assert (arrival.commit, [refusal.status for refusal in arrival.refusals]) == (None, [400])
    assert said.count("Refused, 400") == 1
    assert "what came was refused" in said


def _refusals(bridge: Bridge) -> Refusals:
    assert bridge.client.app is not None
    return bridge.client.app[SERVICES].refusals


def _new_key(database_url: str, origin: str) -> str:
    """Store a key of campus for pages of an origin."""
    with closing_engine(database_url) as engine, writing(engine) as connection:
        new = NewBrowserKey("campus", [origin])
        return create_browser_key(connection, new, AuditContext("ada", "", system_now())).key


async def _told(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(TIMEOUT):
        while line := await process.stderr.readline():
            if words in line.decode():
                return
    raise AssertionError(f"the command ended without saying {words!r}")


async def test_a_page_is_looked_at_its_key_pasted_and_its_commit_shown(
    new_server: StartServer, sqlite_url: str, http: aiohttp.ClientSession
) -> None:
    """The whole path: bridge and command are processes, and the page's requests come from outside."""
    server = new_server(sqlite_url, sections=ALLOWED)
    async with serve_page(pages.MOODLE) as url:
        origin, key = url.rstrip("/"), _new_key(sqlite_url, url.rstrip("/"))
        await server.start()
        process = await server.spawn("connect", url, "--key", key, "--timeout", "5m", stderr=asyncio.subprocess.PIPE)
        await _told(process, WAITING)
        opening = {"key": key, "learner": {"id": "u42"}, "activity": {"id": "7"}, "scorm_version": "1.2"}
        async with http.post(f"{server.url}/v1/browser/sessions", json=opening, headers={"Origin": origin}) as opened:
            commit_url = (await opened.json())["commit_url"]
        async with http.post(
            commit_url, json={"cmi": PASSED, "scorm_version": "1.2"}, headers={"Origin": origin}
        ) as sent:
            assert sent.status == 200
        output, _ = await process.communicate()

    assert process.returncode == 0
    assert "learner u42 of campus, activity 7, attempt 1; applied, as native, from browser." in output.decode()
    assert "http://adlnet.gov/expapi/verbs/passed" in output.decode()


async def test_ctrl_c_ends_the_waiting_in_words(new_server: StartServer, sqlite_url: str) -> None:
    server = new_server(sqlite_url, sections=ALLOWED)
    async with serve_page(pages.MOODLE) as url:
        _new_key(sqlite_url, url.rstrip("/"))
        process = await server.spawn("connect", url, "--lms", "campus", stderr=asyncio.subprocess.PIPE)
        await _told(process, WAITING)
        process.send_signal(signal.SIGINT)
        output, errors = await process.communicate()

    assert process.returncode == 1
    assert "is of Moodle 4.5." in output.decode()
    assert errors.decode().strip() == "Stopped before a commit of campus came."
