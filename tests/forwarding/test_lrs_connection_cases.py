"""Versions, tokens and redirects as LRSs and gateways were reported to have them, played against a real bridge."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qs, unquote_plus

import pytest
from aiohttp import web

from storage import target_alarms
from storage.engine import reading
from tests.support.bridge import StartBridge
from tests.support.deliveries import alarms, deliveries_by_id, is_settled
from tests.support.lrs import StartLrs
from tests.support.waiting import wait_until

PASSED = {"core": {"lesson_status": "passed"}}


async def test_a_version_that_the_lrs_gave_up_is_asked_for_again(
    start_lrs: StartLrs, start: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.forwarding.transport.VERSION_RECHECK_AGE", 0.0)
    versions = ["1.0.3"]

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path == "/xapi/about":
            return web.json_response({"version": versions})
        if request.method == "POST" and request.headers["X-Experience-API-Version"] not in versions:
            return web.Response(status=400, text="X-Experience-API-Version header is not supported")
        return None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED)
    await wait_until(lambda: is_settled(bridge))
    versions[:] = ["2.0.0"]
    await bridge.commit(PASSED, learner={"id": "u2"})
    await wait_until(lambda: is_settled(bridge))

    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}


@pytest.mark.parametrize("about", ["large", "needs a version"])
async def test_about_may_be_large_and_may_want_the_version_header(
    start_lrs: StartLrs, start: StartBridge, about: str
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path != "/xapi/about":
            return None
        if about == "large":
            content = {"extensions": {"https://x.example/ext": "y" * 900_000}, "version": ["1.0.3", "2.0.0"]}
            return web.json_response(content)
        if "X-Experience-API-Version" not in request.headers:
            return web.Response(status=400, text="version header missing")
        return web.json_response({"version": ["1.0.3"]})

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit(PASSED)
    await wait_until(lambda: is_settled(bridge))

    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}


CLIENT_SECRET = "kT+9/x%2Fab=&ü"


@pytest.mark.parametrize("posted", [False, True])
async def test_an_oauth_client_is_known_by_what_rfc_6749_says(
    start_lrs: StartLrs, start: StartBridge, *, posted: bool
) -> None:
    forms: list[dict[str, list[str]]] = []

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path == "/xapi/token":
            form = parse_qs((await request.read()).decode())
            forms.append(form)
            if posted:
                credentials = form["client_id"][0], form["client_secret"][0]
                assert "Authorization" not in request.headers
            else:
                basic = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
                name, _, secret = basic.partition(":")
                credentials = unquote_plus(name), unquote_plus(secret)
            is_known = credentials == ("bridge:1", CLIENT_SECRET)
            return web.json_response({"access_token": "t"}) if is_known else web.Response(status=401)
        return web.Response(status=401) if request.headers.get("Authorization") != "Bearer t" else None

    lrs = await start_lrs(fault)
    target = lrs.settings(
        token_url=f"{lrs.endpoint}token",
        client_id="bridge:1",
        client_secret=CLIENT_SECRET,
        client_secret_post=posted,
        audience="https://lrs.example.org",
    )
    bridge = await start(targets=(target,))
    await bridge.commit(PASSED)
    await wait_until(lambda: is_settled(bridge))

    assert forms[0]["audience"] == ["https://lrs.example.org"]
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}


@pytest.mark.parametrize("status", [503, 429, 404, 201, 302])
async def test_what_the_token_endpoint_answered_is_what_people_read(
    start_lrs: StartLrs, start: StartBridge, status: int
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.path != "/xapi/token":
            return None
        return web.Response(status=status, text="maintenance until noon", headers={"Location": "https://id.example/x"})

    lrs = await start_lrs(fault)
    oauth = {"token_url": f"{lrs.endpoint}token", "client_id": "b", "client_secret": "s"}
    bridge = await start(targets=(lrs.settings(**oauth),))
    await bridge.commit(PASSED)
    words = f"the token endpoint answered {status}"

    def last_answers() -> list[str]:
        return [way.last_answer or "" for way in deliveries_by_id(bridge).values()]

    await wait_until(lambda: any(words in text for text in last_answers()))
    assert all("maintenance until noon" in text for text in last_answers() if text)
    if status == 302:
        assert any("redirects to https://id.example/x" in text for text in last_answers())
    await wait_until(lambda: alarms(bridge) == {"statements": "unreachable"})


async def test_where_a_redirect_points_to_is_told_and_not_followed(start_lrs: StartLrs, start: StartBridge) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        assert not request.path.startswith("/elsewhere")
        if request.path == "/xapi/about":
            return None
        return web.Response(status=308, headers={"Location": "/elsewhere/statements"})

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(version="1.0.3"),))
    await bridge.commit(PASSED)
    await wait_until(
        lambda: any(
            "redirects to /elsewhere/statements" in (way.last_answer or "") for way in deliveries_by_id(bridge).values()
        )
    )
    await wait_until(lambda: alarms(bridge) == {"statements": "unreachable"})
    with reading(bridge.engine) as connection:
        (alarm,) = target_alarms.current(connection)

    assert "redirects to /elsewhere/statements" in alarm.reason
