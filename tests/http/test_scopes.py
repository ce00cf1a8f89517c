"""What each scope of a token permits, for every route there is."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from structlog.testing import capture_logs

from bridge import formats
from bridge.http.mirror import MIRROR_FORMATS
from bridge.http.services import SERVICES
from bridge.token_monitor import USE_INTERVAL
from storage import tokens
from storage.engine import reading, writing
from storage.states import TokenScope
from tests.http.test_openapi import routes
from tests.support.accounts import register_lms
from tests.support.bridge import Bridge, StartBridge
from tests.support.waiting import poll

DOOR = "/v1/formats/{format}/sessions/{session_id}/commits"
RULES: dict[tuple[str, str], TokenScope | None] = {
    ("POST", "/v1/sessions"): TokenScope.COMMIT,
    ("GET", "/v1/sessions/{session_id}"): TokenScope.READ,
    ("POST", "/v1/sessions/{session_id}/commits"): TokenScope.COMMIT,
    ("PUT", "/v1/sessions/{session_id}/commits"): TokenScope.COMMIT,
    ("POST", "/v1/commits"): TokenScope.COMMIT,
    ("POST", "/scorm/progress/{topic_id}/"): TokenScope.COMMIT,
    ("POST", "/scorm/progress/{topic_id}"): TokenScope.COMMIT,
    # a player that loads what it resumes
    ("GET", DOOR): TokenScope.COMMIT,
    ("POST", DOOR): TokenScope.COMMIT,
    ("PUT", DOOR): TokenScope.COMMIT,
    ("POST", "/v1/formats/scorm-cloud"): TokenScope.COMMIT,
    ("POST", "/v1/mirror/{format}"): TokenScope.MIRROR,
    ("GET", "/v1/attempts/{attempt_id}"): TokenScope.READ,
    ("GET", "/v1/courses/{course_id}"): TokenScope.READ,
    ("GET", "/v1/enrollments"): TokenScope.READ,
    ("POST", "/v1/browser/sessions"): None,
    ("GET", "/"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/tap.js"): None,
    ("GET", "/metrics"): None,
}
"""The scope that each route needs, none where it is for anyone: a new route needs a rule here."""
BY_COMMIT_URL = ("POST", "/v1/sessions/{session_id}/calls")
"""The route that the token in a page's commit URL permits, and an LMS's does not."""
ID = "00000000-0000-4000-8000-0000000000aa"


def _addresses(path: str) -> list[str]:
    """Return the addresses of a route: one, or one for each format."""
    filled = path.replace("{session_id}", ID).replace("{attempt_id}", ID).replace("{topic_id}", "235")
    filled = filled.replace("{course_id}", "c7")
    names = MIRROR_FORMATS if path.startswith("/v1/mirror/") else formats.BY_NAME
    return [filled.replace("{format}", name) for name in names] if "{format}" in path else [filled]


async def test_every_route_has_a_rule(bridge: Bridge) -> None:
    assert {*RULES, BY_COMMIT_URL} == routes(bridge)


@pytest.mark.parametrize("scope", TokenScope)
async def test_no_scope_permits_what_a_page_alone_does(bridge: Bridge, scope: TokenScope) -> None:
    headers = {"Authorization": f"Bearer {register_lms(bridge.engine, scopes=[scope]).token}"}
    method, path = BY_COMMIT_URL
    async with bridge.client.request(method, path.replace("{session_id}", ID), headers=headers, data=b"{}") as response:
        assert response.status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("scope", TokenScope)
async def test_each_scope_permits_its_routes_and_no_others(bridge: Bridge, scope: TokenScope) -> None:
    headers = {"Authorization": f"Bearer {register_lms(bridge.engine, scopes=[scope]).token}"}
    for (method, path), needed in RULES.items():
        is_permitted = needed in {None, scope} or scope is TokenScope.ADMIN
        for address in _addresses(path):
            with capture_logs() as lines:
                response = await bridge.client.request(method, address, headers=headers)
            async with response:
                # formats refuse in their own words, and some with 200
                refusals = [line for line in lines if line.get("code") == "insufficient-scope"]
                assert len(refusals) == (not is_permitted), (method, address)
                if response.content_type == "application/problem+json" and not is_permitted:
                    assert response.status == HTTPStatus.FORBIDDEN, address
                    expected = f'Bearer error="insufficient_scope", scope="{needed}"'
                    assert response.headers["WWW-Authenticate"] == expected, address
                elif is_permitted:
                    assert response.status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}, (method, address)


async def test_a_token_that_expires_is_refused_from_then_on_although_it_is_cached(bridge: Bridge) -> None:
    token = register_lms(bridge.engine, expires_at=bridge.clock() + 5_000).token
    assert (await bridge.get("/v1/enrollments", token=token))[0] == 200
    bridge.clock.advance(4.999)
    assert (await bridge.get("/v1/enrollments", token=token))[0] == 200
    bridge.clock.advance(0.001)
    status, answer = await bridge.get("/v1/enrollments", token=token)
    assert (status, answer["code"]) == (401, "token-expired")
    assert "2026-01-01T00:00:05.000Z" in answer["detail"]


async def test_the_last_use_is_stored_later_and_when_the_bridge_stops(start: StartBridge) -> None:
    """Not with each commit."""
    bridge = await start()
    await bridge.commit({"core": {"lesson_status": "incomplete"}})
    used_at = bridge.clock()
    with reading(bridge.engine) as connection:
        assert [token.last_used_at for token in tokens.of_lms(connection)] == [None]
    await bridge.client.close()
    with reading(bridge.engine) as connection:
        assert [token.last_used_at for token in tokens.of_lms(connection)] == [used_at]
    await bridge.close()


async def test_uses_are_stored_once_a_minute(start: StartBridge) -> None:
    passed = [0.0]
    bridge = await start(monotonic=lambda: passed[0])
    assert (await bridge.get("/v1/enrollments"))[0] == 200
    passed[0] = USE_INTERVAL

    async def last_use() -> int | None:
        with reading(bridge.engine) as connection:
            return tokens.of_lms(connection)[0].last_used_at

    assert await poll(last_use, lambda used_at: used_at is not None) == bridge.clock()


async def test_a_token_that_was_read_before_it_was_revoked_is_not_cached_after_it(bridge: Bridge) -> None:
    """The change is noticed while the token is on its way from the database."""
    app = bridge.client.app
    assert app is not None
    lms_tokens = app[SERVICES].lms_tokens
    database = app[SERVICES].database
    read = database.read

    async def read_then_change(*arguments: object) -> object:
        token = await read(*arguments)
        with writing(bridge.engine) as connection:
            tokens.revoke(connection, [token.id], bridge.clock())
        lms_tokens.forget()
        return token

    database.read = read_then_change
    assert (await bridge.get("/v1/enrollments"))[0] == 200
    database.read = read
    assert (await bridge.get("/v1/enrollments"))[0] == 401
