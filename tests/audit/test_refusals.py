"""The page of requests that were refused lately: by LMS and code, the newest first."""

from __future__ import annotations

import re
from html import unescape

import pytest

from bridge.http.services import SERVICES
from tests.audit.page_content import table
from tests.support.accounts import register_lms
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sql import rows

CANARY = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def refused(bridge: Bridge) -> Bridge:
    """Three refused requests of two LMSs."""
    token = register_lms(bridge.engine, "second", "https://s.example").token
    await bridge.post("/v1/sessions", {"learner": {"id": f"a\n{CANARY}"}, "activity": "235"})
    bridge.clock.advance(60)
    await bridge.post("/v1/commits", data=b"{", token=token)
    bridge.clock.advance(60)
    await bridge.get("/v1/sessions/00000000-0000-4000-8000-0000000000ff")
    assert bridge.client.app is not None
    await bridge.client.app[SERVICES].refusals.flush()
    return bridge


def _codes(text: str) -> list[str]:
    return re.findall(r'<td data-label="Code"><code>([^<]*)</code></td>', text)


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["session-unknown", "malformed-body", "malformed-field"]),
        ("?lms=lms", ["session-unknown", "malformed-field"]),
        ("?lms=second", ["malformed-body"]),
        ("?code=malformed-field", ["malformed-field"]),
        ("?lms=second&code=malformed-field", []),
        ("?lms=nobody", []),
    ],
)
async def test_refusals_are_found_by_lms_and_code_the_newest_first(
    auditor: Visitor, query: str, expected: list[str]
) -> None:
    text = await auditor.text(f"/audit/refusals{query}")

    assert _codes(text) == expected
    if not expected:
        assert "No matching refused requests." in text


async def test_reasons_are_counted_as_the_database_does_and_lead_to_their_requests(
    refused: Bridge, auditor: Visitor
) -> None:
    expected = rows(
        refused,
        "SELECT lms.name, refusal.code, count(*) FROM refusal JOIN lms ON lms.id = refusal.lms_id"
        " GROUP BY lms.name, refusal.code ORDER BY count(*) DESC, lms.name, refusal.code",
    )
    text = await auditor.text("/audit/refusals")
    listed = table(text, "Reasons")

    assert [[row[0], row[2], row[3]] for row in listed] == [[lms, code, str(number)] for lms, code, number in expected]
    assert "The body cannot be understood." in next(row[1] for row in listed if row[2] == "malformed-body")
    for link in re.findall(r'href="(/audit/refusals\?lms=[^"]+&amp;code=[^"]+)"', text):
        assert len(_codes(await auditor.text(unescape(link)))) == 1


async def test_a_refusal_tells_what_was_wrong_and_where_and_no_parameter_of_the_address(
    refused: Bridge, auditor: Visitor
) -> None:
    await refused.get("/v1/sessions/00000000-0000-4000-8000-0000000000ff?odd=secret")
    assert refused.client.app is not None
    await refused.client.app[SERVICES].refusals.flush()

    text = await auditor.text("/audit/refusals")

    assert "This LMS has no session 00000000-0000-4000-8000-0000000000ff" in text
    assert "GET /v1/sessions/00000000-0000-4000-8000-0000000000ff<" in text
    assert "secret" not in text
    assert "<img" not in text
    assert "learner.id has a control character" in text


@pytest.mark.usefixtures("refused")
async def test_readers_do_not_see_what_may_repeat_some_of_a_request(reader: Visitor) -> None:
    assert (await reader.get("/audit/refusals")).status == 403
    assert '<a href="/audit/refusals"' not in await reader.text("/audit/targets")


async def test_an_empty_list_says_what_will_be_in_it(auditor: Visitor) -> None:
    assert "No refused requests." in await auditor.text("/audit/refusals")


async def test_pages_together_hold_each_refusal_once(bridge: Bridge, auditor: Visitor) -> None:
    for number in range(120):
        await bridge.get(f"/v1/sessions/00000000-0000-4000-8000-000000000{number:03}")
    assert bridge.client.app is not None
    await bridge.client.app[SERVICES].refusals.flush()
    path, seen = "/audit/refusals", []
    while path:
        text = await auditor.text(path)
        seen += re.findall(r"GET /v1/sessions/\S*(\d{3})</code>", text)
        more = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = more[1].replace("&amp;", "&") if more else ""

    assert seen == [f"{number:03}" for number in reversed(range(120))]


@pytest.mark.parametrize("query", ["after=x", "after=WyJhIl0", "lms=%00", "code=a%00b", "code=" + "x" * 20_000])
async def test_an_address_that_was_changed_by_hand_is_told_so(auditor: Visitor, query: str) -> None:
    assert (await auditor.get(f"/audit/refusals?{query}")).status == 400
