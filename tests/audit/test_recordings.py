"""Recorded calls on the pages: between the commits they led to, each to those who may see it."""

from __future__ import annotations

import json
import re

import pytest

from bridge.audit.pages import recordings, timeline
from tests.audit.page_content import table
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.browser_keys import create_key, open_page, path_of, send
from tests.support.recordings import call, send_calls

SECRETS = ("VALUECANARY", "ANSWERCANARY", "cmi.core.lesson_location", "ERRORCANARY")
NONE = "\u2013"
CALLS = [
    call(1, "Initialize", ""),
    call(2, "GetValue", "cmi.core.entry", answer="resume", manner="tap"),
    call(3, "SetValue", "cmi.core.lesson_location", "VALUECANARY", answer="false", commit=2),
    call(4, "GetLastError", answer="405", commit=2),
    call(5, "GetValue", "cmi.core.lesson_location", answer="ANSWERCANARY", commit=2),
    call(6, "GetLastError", answer="ERRORCANARY", commit=2),
    *(call(number, "GetValue", "cmi.core.score.raw", answer="", commit=2) for number in range(7, 16)),
    call(16, "Commit", "", commit=2),
    call(17, "Terminate", "", answer=None, commit=3, manner="threw"),
    call(20, "GetLastError", answer="0", commit=4),
]


@pytest.fixture
async def session_id(bridge: Bridge) -> str:
    """A session with three commits and calls around them, two of which were not kept."""
    url = await open_page(bridge, create_key(bridge).key)
    for sequence in (1, 2, 3):
        bridge.clock.advance(1)
        await send(bridge, url, {"cmi.core.score.raw": str(sequence)}, sequence=sequence, terminated=sequence == 3)
    assert (await send_calls(bridge, url, CALLS[:8]))[0] == 200
    assert (await send_calls(bridge, url, CALLS[8:]))[0] == 200
    return path_of(url).split("/")[3]


def groups(page: str) -> list[tuple[str, bool, int]]:
    """Return the calls of a timeline: what is said of each group, whether it is unfolded, and the calls it shows."""
    found = re.findall(r'<details class="calls"( open)?><summary>(.*?)</summary>(.*?)</details>', page, re.DOTALL)
    return [
        (re.sub("<[^>]*>", "", summary), bool(unfolded), body.count('data-label="Method"'))
        for unfolded, summary, body in found
    ]


async def test_calls_stand_between_their_commits_and_many_are_folded_away(
    bridge: Bridge, auditor: Visitor, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/audit/attempts/{bridge.reports()[0].attempt.uuid}"
    page = await auditor.text(path)
    assert groups(page) == [
        ("2 calls before commit 1", True, 2),
        ("14 calls before commit 2", False, 14),
        ("1 call before commit 3", True, 1),
        ("1 call after commit 3", True, 1),
    ]
    order = [page.index(text) for text in ("before commit 2", ">Commit 2</a>", "before commit 3", ">Commit 3</a>")]
    assert order == sorted(order)
    assert f'<a href="/audit/sessions/{session_id}/calls"><span class="number">18</span></a>, ' in page
    assert "not kept" in page
    monkeypatch.setattr(timeline, "MAX_COMMITS", 1)
    first = await auditor.text(path)
    following = re.search(r'href="([^"]*after=[^"]*)" rel="next"', first)
    assert following is not None
    second = await auditor.text(following[1].replace("&amp;", "&"))
    assert groups(first) == [("2 calls before commit 1", True, 2)]
    assert groups(second) == [("14 calls before commit 2", False, 14)]


async def test_an_auditor_reads_each_call_with_its_error(auditor: Visitor, session_id: str) -> None:
    page = await auditor.text(f"/audit/sessions/{session_id}/calls")
    calls = table(page, "Calls")

    assert [row[5] for row in calls[:6]] == [NONE, NONE, "405", NONE, "ERRORCANARY", NONE]
    assert calls[2][3] == 'SetValue("cmi.core.lesson_location", "VALUECANARY")'
    assert calls[1][3].endswith("by the tap")
    assert calls[16][3].endswith("threw an error")
    assert '<span title="2026-01-01T00:00:00.100Z">0.100 s</span>' in page
    assert calls[0][:3] == ["1", "0.100 s", "2 ms"]


async def test_a_reader_sees_that_there_were_calls_and_no_value_of_any(
    bridge: Bridge, reader: Visitor, session_id: str
) -> None:
    pages = [
        await reader.text(f"/audit/attempts/{bridge.reports()[0].attempt.uuid}"),
        await reader.text(f"/audit/sessions/{session_id}/calls"),
    ]

    for page in pages:
        assert "SetValue()" in page
        assert "405" in page
        assert [secret for secret in SECRETS if secret in page] == [], page
    assert (await reader.get(f"/audit/sessions/{session_id}/recording")).status == 403


async def test_the_calls_are_shown_a_page_at_a_time(
    auditor: Visitor, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "MAX_CALLS", 10)
    path = f"/audit/sessions/{session_id}/calls"
    first = await auditor.text(path)
    second = await auditor.text(f"{path}?call=11")

    assert [row[0] for row in table(first, "Calls")] == [*map(str, range(1, 11))]
    assert f'href="{path}?call=11" rel="next"' in first
    assert [row[0] for row in table(second, "Calls")] == [*map(str, [*range(11, 18), 20])]
    assert "Next calls" not in second


async def test_the_recording_is_a_file(auditor: Visitor, session_id: str) -> None:
    response = await auditor.get(f"/audit/sessions/{session_id}/recording")
    header, *calls = [json.loads(line) for line in (await response.text()).splitlines()]

    assert response.headers["Content-Disposition"] == f'attachment; filename="recording-{session_id}.ndjson"'
    assert (header["session_id"], header["made"], header["kept"]) == (session_id, 20, 18)
    assert [line["number"] for line in calls] == [each[0] for each in CALLS]


async def test_of_a_session_without_a_recording_there_is_no_page(bridge: Bridge, auditor: Visitor) -> None:
    url = await open_page(bridge, create_key(bridge).key)
    session = path_of(url).split("/")[3]
    await send(bridge, url, {"cmi.core.score.raw": "1"}, sequence=1)

    statuses = [
        (await auditor.get(f"/audit/sessions/{each}/{page}")).status
        for each in (session, "6f3c2a9e-1111-4111-8111-111111111111", "x")
        for page in ("calls", "recording")
    ]

    assert statuses == [404] * 6
    assert ">Calls</th>" not in await auditor.text(f"/audit/attempts/{bridge.reports()[0].attempt.uuid}")
