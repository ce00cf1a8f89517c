"""Calls that a page records are stored once, within bounds, and whatever becomes of them, commits are stored."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pytest

from bridge.http.services import SERVICES
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import revoke_browser_key
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.recordings.calls import MAX_PART_BYTES, MAX_PART_CALLS, parse_body
from bridge.recordings.download import write_recording
from bridge.settings import LimitSettings
from storage import recordings
from storage.engine import reading, writing
from storage.erasures import Later
from storage.queries.learner_data import Learner
from tests.support.bridge import Bridge, FakeMonotonic, StartBridge
from tests.support.browser_keys import PAGE, PASSED, STORED, create_key, open_page, path_of, send
from tests.support.recordings import call, calls_path, send_calls
from tests.support.sql import rows, scalar

STARTED = call(1, "Initialize", "")
SET = call(2, "SetValue", "cmi.core.lesson_status", "passed")
COMMITTED = call(3, "Commit", "", commit=2)


def recorded(bridge: Bridge, url: str) -> list[dict[str, Any]]:
    """Return the lines of a session's recording, the header first."""
    session_id = path_of(url).split("/")[3]
    with reading(bridge.engine) as connection:
        content = write_recording(connection, session_id)
    return [json.loads(line) for line in (content or b"").splitlines()]


def numbers(bridge: Bridge, url: str) -> list[int]:
    return [line["number"] for line in recorded(bridge, url)[1:]]


async def test_calls_are_kept_with_answer_error_and_time(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)
    refused = call(3, "SetValue", "cmi.core.score.raw", "many", answer="false")
    asked = call(4, "GetLastError", answer="405")
    assert await send_calls(bridge, url, [STARTED, SET, refused, asked]) == (200, STORED)

    header, *lines = recorded(bridge, url)
    assert (header["learner"]["id"], header["activity"]["id"], header["scorm_version"]) == ("u1", "235", "1.2")
    assert (header["made"], header["kept"], header["started"]) == (4, 4, "2026-01-01T00:00:00.000Z")
    assert lines[2] == {
        "number": 3, "at_ms": 300, "duration_ms": 2, "commit": 1, "method": "SetValue",
        "arguments": ["cmi.core.score.raw", "many"], "answer": "false", "error": "405", "manner": "",
    }  # fmt: skip
    assert [line["error"] for line in lines] == [None, None, "405", None]


async def test_what_is_sent_again_is_kept_once_however_it_is_cut(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)
    await send_calls(bridge, url, [SET, COMMITTED])

    for again in ([STARTED], [SET, COMMITTED], [STARTED, SET, COMMITTED], [STARTED, SET, COMMITTED, call(5, "Commit")]):
        assert await send_calls(bridge, url, again) == (200, STORED), again

    assert numbers(bridge, url) == [1, 2, 3, 5]
    assert recorded(bridge, url)[0]["made"] == 5


async def test_calls_that_a_page_could_not_keep_are_counted(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)
    await send_calls(bridge, url, [STARTED], made=4)
    await send_calls(bridge, url, [call(9, "Commit")], made=9)
    await send_calls(bridge, url, [], made=12)

    header = recorded(bridge, url)[0]

    assert (header["made"], header["kept"]) == (12, 2)


async def test_of_a_session_the_first_calls_are_kept(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MAX_CALLS", 3)
    key = create_key(bridge).key
    url, another = await open_page(bridge, key), await open_page(bridge, key, learner={"id": "u2"})
    await send_calls(bridge, url, [STARTED, SET])
    assert await send_calls(bridge, url, [COMMITTED, call(4, "Commit"), call(5, "Commit")]) == (200, STORED)
    assert await send_calls(bridge, url, [call(6, "Commit")]) == (200, STORED)
    assert (numbers(bridge, url), recorded(bridge, url)[0]["made"]) == ([1, 2, 3], 6)
    monkeypatch.setattr(recordings, "MAX_BYTES", 100)
    await send_calls(bridge, another, [STARTED, SET, COMMITTED])
    assert numbers(bridge, another) == [1]


WRONG_CALLS = [
    [call(1, "GetValue", "x" * 4_001)],
    [call(1, "Steal", "")],
    [call(1, "Commit", "", "", "", "")],
    [SET, STARTED],
    [STARTED, STARTED],
    [call(0, "Commit")],
    [call(2**31, "Commit")],
    [call(number, "Commit") for number in range(1, MAX_PART_CALLS + 2)],
    [[1, 0]],
    [[1, -1, 0, 1, "Commit", [], "true"]],
    [[1, 0, 0, 1, "Commit", [[]], "true"]],
    [[]],
    [{}],
]
WRONG_BODIES = [
    *(json.dumps({"started_at": 1, "made": 1, "calls": calls}).encode() for calls in WRONG_CALLS),
    *(b"", b"[]", b"{", b"[" * 40_000, b'{"started_at": 1e400}', b"\xff\xfe", b"7" * 60_000),
]


async def test_what_is_no_recording_is_refused_in_words(bridge: Bridge) -> None:
    path = calls_path(await open_page(bridge, create_key(bridge).key))
    codes = {body[:100]: await _code(bridge, path, body) for body in WRONG_BODIES}
    too_long = json.dumps([call(number, "GetValue", "x" * 4_000) for number in range(1, 18)]).encode()

    assert codes == dict.fromkeys((body[:100] for body in WRONG_BODIES), "malformed-body")
    assert await _code(bridge, path, b"[" * 60_000) == "body-too-complex"
    assert await _code(bridge, path, too_long) == "body-too-large"


async def _code(bridge: Bridge, path: str, body: bytes) -> str:
    async with bridge.client.post(path, data=io.BytesIO(body), headers={"Origin": PAGE}) as response:
        return str((await response.json(content_type=None))["code"])


async def test_half_characters_that_courses_produce_are_mended(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)

    assert await send_calls(bridge, url, [call(1, "SetValue", "cmi.comments", "half \ud83d, nul \0")]) == (200, STORED)
    assert recorded(bridge, url)[1]["arguments"] == ["cmi.comments", "half \ufffd, nul \0"]


async def test_values_of_other_types_are_kept_as_they_are(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)
    arguments = [True, 92.5, None]
    await send_calls(bridge, url, [call(1, "SetValue", *arguments, answer={"length": 9, "start": "a"})])

    (line,) = recorded(bridge, url)[1:]

    assert (line["arguments"], line["answer"]) == (arguments, {"length": 9, "start": "a"})


async def test_only_the_page_that_opened_a_session_records_it(bridge: Bridge) -> None:
    key = create_key(bridge)
    url = await open_page(bridge, key.key)
    by_server = (await bridge.open())["commit_url"]
    another = await open_page(bridge, key.key, learner={"id": "u2"})
    stolen = url.split("?", maxsplit=1)[0] + "?" + another.split("?", maxsplit=1)[1]
    refused = [
        await send_calls(bridge, by_server, [STARTED]),
        await send_calls(bridge, stolen, [STARTED]),
        await send_calls(bridge, url.split("?", maxsplit=1)[0] + "?", [STARTED]),
        await send_calls(bridge, url, [STARTED], origin="https://evil.example"),
    ]

    assert [(status, answer["code"]) for status, answer in refused] == [
        (403, "recording-forbidden"), (401, "bad-commit-token"), (401, "no-token"), (403, "browser-origin-forbidden"),
    ]  # fmt: skip
    assert scalar(bridge, "SELECT count(*) FROM recording_part") == 0


async def test_a_key_that_is_revoked_records_nothing_more(bridge: Bridge) -> None:
    key = create_key(bridge)
    url = await open_page(bridge, key.key)
    with writing(bridge.engine) as connection:
        revoke_browser_key(connection, key.id, AuditContext("ada", "leaked", bridge.clock()))
    bridge.clock.advance(31)

    assert (await send_calls(bridge, url, [STARTED]))[1]["code"] == "browser-key-unknown"


async def test_pages_read_how_their_calls_were_answered_and_others_do_not(bridge: Bridge) -> None:
    url = await open_page(bridge, create_key(bridge).key)
    for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None)):
        async with bridge.client.post(calls_path(url), data=b"{}", headers={"Origin": origin}) as response:
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Access-Control-Allow-Credentials" not in response.headers, origin


@pytest.mark.parametrize(
    "limits",
    [
        {"browser_requests_per_learner": "2/minute"},
        {"browser_requests_per_key": "2/minute"},
        {"browser_requests_per_address": "2/minute"},
        {"recordings": {"mib": 1, "mib_per_minute": 1}},
    ],
)
async def test_a_flood_of_calls_is_refused_and_takes_nothing_from_commits(
    start: StartBridge, limits: dict[str, Any]
) -> None:
    monotonic = FakeMonotonic()
    bridge = await start(limits=LimitSettings.model_validate(limits), monotonic=lambda: monotonic.seconds)
    url = await open_page(bridge, create_key(bridge).key)
    calls = [call(number, "GetValue", "x" * 3_900) for number in range(1, 16)]
    answers = [await send_calls(bridge, url, calls) for _ in range(20)]
    assert answers[0] == (200, STORED)
    assert {answer[0] for answer in answers} == {200, 429}
    assert await send(bridge, url, PASSED, sequence=1) == (200, STORED)
    monotonic.seconds += 61
    assert await send_calls(bridge, url, calls) == (200, STORED)
    assert bridge.reports()[0].attempt.success_status == "passed"


async def test_on_a_disk_that_is_nearly_full_nothing_is_recorded(start: StartBridge) -> None:
    bridge = await start(limits=LimitSettings(min_free_mib=0))
    url = await open_page(bridge, create_key(bridge).key)
    assert bridge.client.app is not None
    bridge.client.app[SERVICES].disk.is_low = True

    status, answer = await send_calls(bridge, url, [STARTED])

    assert (status, answer["code"]) == (503, "disk-low")


async def test_what_was_recorded_of_a_learner_goes_with_them(bridge: Bridge) -> None:
    key = create_key(bridge)
    url = await open_page(bridge, key.key)
    await send_calls(bridge, url, [STARTED])
    await send_calls(bridge, url, [SET])
    request = ErasureRequest(Learner("u1"), Later.REFUSE, {}, AuditContext("ada", "", bridge.clock()))
    erasure = erase_learner(
        bridge.engine, request, now=bridge.clock, new_id=lambda: "6f3c2a9e-1111-4111-8111-111111111111"
    )

    assert erasure.counts["recordings"] == 2
    assert await send_calls(bridge, url, [COMMITTED]) == (200, STORED)
    assert rows(bridge, "SELECT id FROM recording_part") == []


def test_as_many_calls_as_may_come_at_once_are_mended_as_well() -> None:
    body = msgspec.json.encode({
        "started_at": 1, "made": 1, "calls": [[n, 1, 1, 1, "SetValue", ["\ufffd" * 60, "x" * 100], {"length": 1}, ""]
                                             for n in range(1, MAX_PART_CALLS + 1)],
    })  # fmt: skip

    assert len(body) < MAX_PART_BYTES
    assert len(parse_body(body.replace("\ufffd".encode(), rb"\ud83d", 1)).calls) == MAX_PART_CALLS
