"""Every response has the id of its request, which the log and problems have, too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.request_id import MAX_ID_LENGTH, REQUEST_ID_HEADER, add_request_id
from bridge.settings import LogSettings
from tests.support.bridge import Bridge, StartBridge

COMMIT = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"suspend_data": "x"}}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database: nothing here depends on it."""
    return sqlite_url


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with capture_logs(processors=[add_request_id]) as lines:
        yield lines


async def _ids(bridge: Bridge, path: str, sent: str | None = None, *, body: Any = None) -> tuple[str, Any]:
    """Return the id that a response has, and its body."""
    headers = {"Authorization": f"Bearer {bridge.token}"} | ({} if sent is None else {REQUEST_ID_HEADER: sent})
    method = "GET" if body is None else "POST"
    async with bridge.client.request(method, path, json=body, headers=headers) as response:
        return response.headers[REQUEST_ID_HEADER], await response.json(content_type=None)


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/audit/nowhere", "/v1/commits", "/openapi.json"])
async def test_a_usable_id_that_was_sent_is_the_responses(bridge: Bridge, path: str) -> None:
    sent = "Root=1-67891233-abcdef012345678912345678"
    body = COMMIT if path == "/v1/commits" else None
    headers = {"Authorization": f"Bearer {bridge.token}", REQUEST_ID_HEADER: sent}
    async with bridge.client.request("POST" if body else "GET", path, json=body, headers=headers) as response:
        assert response.headers.getall(REQUEST_ID_HEADER) == [sent]


@pytest.mark.parametrize("sent", [None, "", "x" * (MAX_ID_LENGTH + 1), "two words", "ä", 'quote"', "<script>"])
async def test_otherwise_it_is_a_new_one_each_time(bridge: Bridge, sent: str | None) -> None:
    ids = [(await _ids(bridge, "/v1/commits", sent, body=COMMIT))[0] for _ in range(3)]

    assert len({*ids, sent}) == 4
    assert all(0 < len(request_id) <= MAX_ID_LENGTH for request_id in ids)


async def test_a_problem_and_the_lines_of_its_request_have_the_id(bridge: Bridge, logged: list[Any]) -> None:
    ids = ["first-request", "second-request"]
    for request_id in ids:  # on the same connection
        assert (await _ids(bridge, "/v1/sessions/none", request_id))[1]["request_id"] == request_id
    refused = [line for line in logged if line["event"] == "request_refused"]

    assert [line["request_id"] for line in refused] == ids


async def test_requests_at_the_same_time_keep_their_own(bridge: Bridge, logged: list[Any]) -> None:
    sent = [f"request-{number}" for number in range(20)]
    answers = await asyncio.gather(*(_ids(bridge, "/v1/commits", one, body={"cmi": {}}) for one in sent))

    assert [(request_id, body["request_id"]) for request_id, body in answers] == [(one, one) for one in sent]
    assert sorted(line["request_id"] for line in logged if line["event"] == "request_refused") == sorted(sent)


async def test_background_work_has_none(bridge: Bridge, logged: list[Any]) -> None:
    await bridge.commit({"suspend_data": "x"})
    bridge.clock.advance(86_400)
    await bridge.let_documents_follow()
    add_request_id(None, "info", event := {"event": "of the test"})

    assert "request_id" not in event
    assert all("request_id" not in line for line in logged if line["event"] == "idle_sessions_ended")


async def test_the_access_log_has_a_line_for_each_request_without_query_and_address(
    start: StartBridge, logged: list[Any]
) -> None:
    bridge = await start(log=LogSettings(access=True))
    opened = await bridge.open()
    path, _, query = opened["commit_url"].removeprefix(str(bridge.url).rstrip("/")).partition("?")
    async with bridge.client.post(
        f"{path}?{query}", json={"cmi": {"suspend_data": "x"}}, headers={REQUEST_ID_HEADER: "mine"}
    ) as response:
        size = len(await response.read())
    await bridge.get("/nowhere", token=None)
    await bridge.close()
    lines = [line for line in logged if line["event"] == "request"]

    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/v1/sessions", 200),
        ("POST", path, 200),
        ("GET", "/nowhere", 404),
    ]
    assert (lines[1]["request_id"], lines[1]["bytes"], lines[1]["lms"]) == ("mine", size, lines[0]["lms"])
    assert query.removeprefix("token=") not in str(lines)
    assert "127.0.0.1" not in str(lines)


async def test_without_the_setting_there_is_no_access_log(bridge: Bridge, logged: list[Any]) -> None:
    await bridge.commit({"suspend_data": "x"})
    await bridge.close()

    assert not [line for line in logged if line["event"] == "request"]
