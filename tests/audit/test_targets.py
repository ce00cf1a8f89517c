"""Targets: how each does, pausing and resuming, and whether it answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from bridge.settings import TargetSettings
from storage import audit_log, outbox, pauses, target_alarms
from storage.engine import reading, writing
from storage.outbox import Try
from storage.target_alarms import TargetAlarm
from tests.audit.conftest import Meet
from tests.support.accounts import START
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor
from tests.support.deliveries import add_removals
from tests.support.http_server import Handler, serve

LRS = TargetSettings(name="analytics", endpoint="http://127.0.0.1:1/xapi/", username="u", password="p")
NONE = "\u2013"
Ask = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def bridge(start: StartBridge) -> Bridge:
    """A bridge with an LRS that is not there."""
    return await start(targets=(LRS,))


def _facts(text: str) -> dict[str, str]:
    plain = re.sub(r"<(?!/?d[td])[^>]*>", "", text)
    return {name: value.strip() for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", plain)}


async def test_a_target_is_paused_and_resumed_and_it_is_kept_who_did_it_and_why(bridge: Bridge, admin: Visitor) -> None:
    answer = await admin.post("/audit/targets/analytics/pause", reason=" moving house ")
    assert answer.status == 303
    assert answer.headers["Location"].endswith("#target-analytics")
    text = await admin.text(answer.headers["Location"])
    assert "Requests under way may still arrive. Other processes" in text
    assert "Paused by ada" in text
    assert "moving house" in text
    again = await admin.post("/audit/targets/analytics/pause", reason="x")
    assert (again.status, "analytics is already paused" in await again.text()) == (409, True)
    assert (await admin.post("/audit/targets/analytics/resume", reason="moved")).status == 303
    assert (await admin.post("/audit/targets/analytics/resume")).status == 409
    with reading(bridge.engine) as connection:
        assert pauses.current(connection) == {}
        assert [row[1:] for row in audit_log.newest(connection)] == [
            ("ada", "resume", "analytics", 1, "moved"),
            ("ada", "pause", "analytics", 1, "moving house"),
        ]


async def test_a_pause_wants_a_reason(bridge: Bridge, admin: Visitor) -> None:
    for fields in ({}, {"reason": "  "}):
        answer = await admin.post("/audit/targets/analytics/pause", **fields)
        assert (answer.status, "A reason is required" in await answer.text()) == (400, True), fields
    with reading(bridge.engine) as connection:
        assert pauses.current(connection) == {}


async def test_a_target_that_is_not_configured_cannot_be_paused(admin: Visitor) -> None:
    for act in ("pause", "resume", "test"):
        assert (await admin.post(f"/audit/targets/nowhere/{act}", reason="x")).status == 404


async def test_what_waits_and_since_when_is_told(start: StartBridge, meet: Meet) -> None:
    bridge = await start()
    await bridge.commit({"core": {"lesson_status": "passed"}})
    reader = await meet(bridge, "rita", "reader")
    text = await reader.text("/audit/targets")
    facts = _facts(text)

    assert "(no LRS yet)" in text
    assert facts["Waiting"] == str(len(bridge.rules()))
    assert facts["Waiting since"] == "2026-01-01 00:00:00 UTC"
    assert (facts["Dead"], facts["Last delivered"], facts["Failures since then"]) == ("0", NONE, "0")
    assert facts["Circuit breaker"] == "closed"


async def test_what_is_to_be_removed_for_erasures_is_told_and_leads_those_there_who_may_see_them(
    bridge: Bridge, reader: Visitor, auditor: Visitor
) -> None:
    add_removals(bridge, "analytics", 3)
    texts = [await who.text("/audit/targets") for who in (reader, auditor)]

    assert [_facts(text)["To be removed"] for text in texts] == ["3", "3"]
    assert _facts(texts[0])["To be removed since"] == "2026-01-01 00:00:00 UTC"
    assert ['<a href="/audit/erasures">erasures</a>' in text for text in texts] == [False, True]


async def test_the_last_trouble_and_the_failures_since_the_last_delivery_are_told(
    bridge: Bridge, meet: Meet, reader: Visitor
) -> None:
    with writing(bridge.engine) as connection:
        for second, (outcome, status) in enumerate(
            [("retry", 502), ("delivered", 200), ("retry", 503), ("broke", 500)]
        ):
            tried = Try("analytics", START + 1000 * second, 5, outcome, status, f"<b>{status}</b> of u1")
            outbox.add_tries(connection, [tried])
        outbox.add_tries(connection, [Try("another", START + 9000, 5, "retry", None, "no route")])
    auditor = await meet(bridge, "otto", "auditor")
    text = await auditor.text("/audit/targets")
    facts = _facts(text)
    assert (facts["Last delivered"], facts["Failures since then"]) == ("2026-01-01 00:00:01 UTC", "2")
    assert facts["Circuit breaker"] == "open: retried from time to time"
    assert "status 500" in text
    assert "&lt;b&gt;500&lt;/b&gt; of u1" in text
    # what LRSs say can tell of learners
    shown = await reader.text("/audit/targets")
    assert "status 500" in shown
    assert "of u1" not in shown


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["retry", "delivered"], "closed"),
        (["retry", "refused"], "closed"),
        (["refused", "not-allowed"], "open: retried from time to time"),
    ],
)
async def test_the_breaker_is_open_while_the_newest_try_met_trouble(
    bridge: Bridge, reader: Visitor, outcomes: list[str], expected: str
) -> None:
    with writing(bridge.engine) as connection:
        for outcome in outcomes:
            outbox.add_tries(connection, [Try("analytics", START, 5, outcome, None, "")])

    assert _facts(await reader.text("/audit/targets"))["Circuit breaker"] == expected


async def test_an_lrs_that_lets_nobody_in_is_an_alarm(bridge: Bridge, reader: Visitor, admin: Visitor) -> None:
    with writing(bridge.engine) as connection:
        alarm = TargetAlarm("analytics", "statements", "not-allowed", START, START, "the LRS answered 401: no")
        target_alarms.begin(connection, alarm)
    for person, is_told in ((admin, True), (reader, False)):
        text = await person.text("/audit/targets")
        assert "The LRS denies the bridge access" in text, person
        assert ("the LRS answered 401: no" in text) is is_told


async def test_only_an_admin_is_offered_what_only_an_admin_may(admin: Visitor, reader: Visitor) -> None:
    assert "/pause" in await admin.text("/audit/targets")
    assert "/pause" not in await reader.text("/audit/targets")


async def test_without_a_target_it_is_told_what_to_do(start: StartBridge, meet: Meet) -> None:
    reader = await meet(await start(), "rita", "reader")

    assert "Add a [[targets]] section" in await reader.text("/audit/targets")


@pytest.fixture
async def ask(start: StartBridge, meet: Meet) -> AsyncIterator[Ask]:
    """Press the button with an LRS whose `about` is a handler; gives the page."""

    async def asking(about: Handler) -> str:
        url = await stack.enter_async_context(serve(about))
        target = TargetSettings(name="lrs", endpoint=f"{url}xapi", username="u", password="pä")
        admin = await meet(await start(targets=(target,)), "ada", "admin")
        answer = await admin.post("/audit/targets/lrs/test")
        assert answer.status == 200
        return await answer.text()

    async with AsyncExitStack() as stack:
        yield asking


async def test_an_lrs_that_answers_is_asked_with_the_targets_credentials(ask: Ask) -> None:
    seen: list[str] = []

    async def about(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        if request.path == "/xapi/statements":
            assert request.query_string == "limit=1"
            return web.json_response({"statements": [{"actor": "canary"}], "more": ""})
        return web.json_response({"version": ["1.0.3", "2.0.0"]})

    text = await ask(about)

    assert "connected and let in, supports xAPI 1.0.3, 2.0.0" in text
    assert set(seen) == {"Basic dTpww6Q="}
    assert "pä" not in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: web.Response(status=401), "unauthorized (401)"),
        (lambda: web.Response(status=403), "does not allow these credentials to read statements"),
        (lambda: web.Response(text="canary"), "unexpected answer (200)"),
        (lambda: web.json_response([]), "unexpected answer (200)"),
    ],
    ids=["unknown", "may-not-read", "page", "nonsense"],
)
async def test_an_lrs_that_tells_its_versions_to_everybody_and_lets_nobody_in_is_no_success(
    ask: Ask, answer: Callable[[], web.Response], words: str
) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"version": ["1.0.3"]}) if request.path == "/xapi/about" else answer()

    text = await ask(handle)

    assert words in text
    assert "connected" not in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: web.Response(status=401, text="who are you"), "unauthorized (401)"),
        (
            lambda: web.Response(status=302, headers={"Location": "https://x.example"}),
            "It redirects to https://x.example",
        ),
        (lambda: web.Response(status=200, text="<h1>Welcome</h1>"), "unexpected answer (200)"),
        (lambda: web.Response(status=404), "unexpected answer (404)"),
        (lambda: web.json_response({"version": 1}), "unexpected answer (200)"),
    ],
    ids=["refused", "redirect", "page", "missing", "nonsense"],
)
async def test_what_an_lrs_answers_is_told_in_words(ask: Ask, answer: Callable[[], web.Response], words: str) -> None:
    async def about(_request: web.Request) -> web.Response:
        return answer()

    text = await ask(about)

    assert words in text
    assert "<h1>Welcome" not in text


async def test_an_lrs_that_is_not_there_is_told_in_words(admin: Visitor) -> None:
    answer = await admin.post("/audit/targets/analytics/test")
    text = await answer.text()

    assert (answer.status, "analytics: no answer" in text, "Check the endpoint" in text) == (200, True, True)
