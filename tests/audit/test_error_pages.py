"""What goes wrong is told on a page, in words, without the values that were at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from bridge.audit import app as pages
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.routes import ROUTES
from bridge.errors import Overloaded
from storage.engine import writing
from tests.audit.conftest import Meet
from tests.support.bridge import Bridge, StartBridge
from tests.support.browser import Visitor

CANARY = "canary of ada"


async def _fails(_request: web.Request) -> web.StreamResponse:
    raise RuntimeError(CANARY)


async def _is_overloaded(_request: web.Request) -> web.StreamResponse:
    raise Overloaded("Try again.", retry_after=7)


async def _is_too_large(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPRequestEntityTooLarge(10, 11)


@pytest.mark.parametrize(
    ("handler", "status", "words", "retry_after"),
    [
        (_fails, 500, "Internal error", None),
        (_is_overloaded, 503, "Try again.", "7"),
        (_is_too_large, 413, "Too large", None),
    ],
)
async def test_a_page_that_cannot_be_made_says_so(
    start: StartBridge,
    meet: Meet,
    monkeypatch: pytest.MonkeyPatch,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    status: int,
    words: str,
    retry_after: str | None,
) -> None:
    monkeypatch.setattr(pages, "ROUTES", (*ROUTES, Route("GET", "/broken", handler, Role.READER)))
    reader = await meet(await start(), "rita", "reader")
    answer = await reader.get("/audit/broken")
    text = await answer.text()

    assert (answer.status, words in text, answer.headers.get("Retry-After")) == (status, True, retry_after)
    assert CANARY not in text
    assert "Sign out" in text


async def test_a_database_that_does_not_answer_is_told_with_when_to_come_back(bridge: Bridge, auditor: Visitor) -> None:
    with writing(bridge.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE audit_log RENAME TO elsewhere")
    answer = await auditor.get("/audit/log")
    text = await answer.text()
    # SQLite cannot tell a missing table from trouble, PostgreSQL can
    assert answer.status in {500, 503}
    assert "SELECT" not in text
    with writing(bridge.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit_log")
    assert (await auditor.get("/audit/log")).status == 200


async def test_what_an_address_is_not_for_is_told(admin: Visitor) -> None:
    answer = await admin.client.put("/audit/log")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert "Method not allowed" in await answer.text()
