"""Players run on the LMS's pages: their browsers must be let through, others' need not be."""

from __future__ import annotations

import pytest

from bridge.operations.audit_context import AuditContext
from bridge.operations.lms import LmsChange, change_lms
from storage.engine import writing
from tests.support.accounts import HOME_PAGE
from tests.support.bridge import Bridge
from tests.support.waiting import poll

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def test_a_preflight_from_the_lms_is_answered(bridge: Bridge) -> None:
    opened = await bridge.open()
    path = "/" + opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    async with bridge.client.options(path, headers=PREFLIGHT | {"Origin": HOME_PAGE}) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == HOME_PAGE
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert set(response.headers["Access-Control-Allow-Headers"].split(", ")) >= {"authorization", "content-type"}


@pytest.mark.parametrize("body", [b'{"cmi":{"suspend_data":"x"}}', b"{"])
async def test_answers_and_problems_can_be_read_by_the_lms_page(bridge: Bridge, body: bytes) -> None:
    opened = await bridge.open()
    path = "/" + opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    async with bridge.client.post(path, data=body, headers={"Origin": HOME_PAGE}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == HOME_PAGE
        assert "Origin" in response.headers["Vary"]


async def test_an_unknown_origin_is_not_let_through(bridge: Bridge) -> None:
    async with bridge.client.options(
        "/v1/commits", headers=PREFLIGHT | {"Origin": "https://other.example"}
    ) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_beacon_of_a_page_that_is_not_known_is_stored_all_the_same(bridge: Bridge) -> None:
    """The commit URL's token permits it; browsers do not ask before they send plain text."""
    opened = await bridge.open()
    path = "/" + opened["commit_url"].split("//", 1)[1].split("/", 1)[1]
    headers = {"Origin": "https://other.example", "Content-Type": "text/plain;charset=utf-8"}
    status, answer = await bridge.post(path, token=None, data=b'{"cmi":{"suspend_data":"x"}}', headers=headers)

    assert (status, answer["disposition"]) == (200, "applied")


async def test_an_origin_that_another_process_adds_is_allowed_within_a_second(bridge: Bridge) -> None:
    """Although the origins were read just now, and the clock stands still."""
    added = {"Origin": "https://new.example.org"}

    async def allowed() -> str | None:
        async with bridge.client.options("/v1/commits", headers=PREFLIGHT | added) as response:
            return response.headers.get("Access-Control-Allow-Origin")

    assert await allowed() is None
    with writing(bridge.engine) as connection:
        change_lms(connection, "lms", LmsChange(add_origins=[added["Origin"]]), AuditContext("ada", "", bridge.clock()))
    assert await poll(allowed, lambda origin: origin is not None) == added["Origin"]
