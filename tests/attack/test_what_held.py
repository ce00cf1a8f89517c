"""What held before any other attack and must go on to hold: bombs, deep JSON, other tenants, forged forms."""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from typing import Any

import aiohttp
import pytest

from tests.attack.conftest import PrintFigures
from tests.attack.lms import Lms
from tests.attack.load import peak_memory, resident_memory
from tests.attack.probe import Probe
from tests.support.browser import csrf_token, new_visitor

WHO = b'"learner":{"id":"mallory"},"activity":{"id":"1"}'
DEEP = 100_000
BOMBS: dict[str, tuple[bytes, dict[str, str]]] = {
    "100 MB of nothing, gzip": (gzip.compress(bytes(100_000_000), 1), {"Content-Encoding": "gzip"}),
    "100 MB of nothing, deflate": (zlib.compress(bytes(100_000_000), 1), {"Content-Encoding": "deflate"}),
    "gzip in gzip": (gzip.compress(gzip.compress(bytes(100_000_000), 9), 9), {"Content-Encoding": "gzip"}),
    "gzip cut off": (gzip.compress(b'{"cmi":{}}' * 1000)[:-20], {"Content-Encoding": "gzip"}),
    "no gzip at all": (b'{"cmi":{}}', {"Content-Encoding": "gzip"}),
    "lists, deep": (b'{"cmi":{"suspend_data":%b%b},%b}' % (b"[" * DEEP, b"]" * DEEP, WHO), {}),
    "objects, deep": (b'{"cmi":%b1%b,%b}' % (b'{"a":' * DEEP, b"}" * DEEP, WHO), {}),
    "lists that never end": (b"[" * 1_000_000, {}),
    "a number of 900,000 digits": (
        b'{"cmi":{"core":{"score":{"raw":%b}}},"sequence":1,%b}' % (b"9" * 900_000, WHO),
        {},
    ),
    "10 MB of suspend data": (b'{"cmi":{"suspend_data":"%b"},%b}' % (b"x" * 10_000_000, WHO), {}),
}
ROUNDS = {False: 2, True: 20}


async def test_bombs_are_refused_and_honest_commits_are_taken_meanwhile(
    lms: Lms, probe: Probe, http: aiohttp.ClientSession, figures: PrintFigures, *, is_full: bool
) -> None:
    statuses: dict[str, set[int]] = {name: set() for name in BOMBS}
    before = resident_memory(lms.server.pid)

    async def throw(name: str) -> None:
        body, headers = BOMBS[name]
        headers = lms.headers | headers
        try:
            async with http.post(f"{lms.server.url}/v1/commits", data=io.BytesIO(body), headers=headers) as response:
                await response.read()
                statuses[name].add(response.status)
        except aiohttp.ClientConnectionError:
            statuses[name].add(413)  # it need not read to the end of what it refuses

    async with probe:
        for number in range(ROUNDS[is_full]):
            bombs = [asyncio.create_task(throw(name)) for name in BOMBS]
            answer = await lms.commit("honest", "1", {"suspend_data": f"{number}"})
            await asyncio.gather(*bombs)
            assert answer.body["disposition"] == "applied", number
    figures(
        f"{probe.summary()}; RSS {before / 1e6:.0f} -> {peak_memory(lms.server.pid) / 1e6:.0f} MB at most; {statuses}"
    )
    for name, seen in statuses.items():
        assert seen <= {200, 400, 413, 415, 422}, name
    assert statuses["100 MB of nothing, gzip"] <= {400, 413}
    assert statuses["lists, deep"] | statuses["objects, deep"] <= {400, 413}
    stored = [
        commit["disposition"]
        for enrollment in await lms.server.verify("honest", "1")
        for attempt in enrollment["attempts"]
        for session in attempt["sessions"]
        for commit in session["commits"]
    ]
    assert stored == ["applied"] * ROUNDS[is_full]


async def test_an_lms_gets_nothing_of_another_one(lms: Lms, http: aiohttp.ClientSession) -> None:
    owned = (await lms.commit("honest", "1", {"suspend_data": "secret"})).body
    intruder = {"Authorization": f"Bearer {lms.server.new_token('intruder', 'https://intruder.example.org')}"}
    session = f"{lms.server.url}/v1/sessions/{owned['session_id']}"
    opening = {"session_id": owned["session_id"], "learner": {"id": "honest"}, "activity": {"id": "1"}}
    requests: list[tuple[str, str, Any]] = [
        ("GET", session, None),
        ("POST", f"{session}/commits", {"cmi": {"suspend_data": "stolen"}}),
        ("POST", f"{lms.server.url}/v1/sessions", opening),
        ("POST", f"{lms.server.url}/v1/commits", opening | {"cmi": {"suspend_data": "stolen"}}),
        ("GET", f"{lms.server.url}/v1/attempts/{owned['attempt']['id']}", None),
    ]
    for method, url, body in requests:
        async with http.request(method, url, json=body, headers=intruder) as response:
            text = await response.text()
            assert response.status == 404, (method, url, text)
            assert "secret" not in text, method
    async with http.get(f"{lms.server.url}/v1/enrollments?learner=honest", headers=intruder) as response:
        assert "honest" not in await response.text()
    async with http.get(session, headers=lms.headers) as response:
        assert (await response.json())["cmi"]["suspend_data"] == "secret"


@pytest.mark.parametrize("name", ["no token", "another browser's token", "junk"])
async def test_a_forged_form_does_nothing(lms: Lms, name: str) -> None:
    async with new_visitor(lms.server.url) as admin, new_visitor(lms.server.url) as stranger:
        assert (await admin.sign_in("ada")).status == 303
        foreign_token = csrf_token(await stranger.text("/audit/sign-in"))
        form = {"reason": "forged"} | {
            "no token": {}, "another browser's token": {"csrf": foreign_token}, "junk": {"csrf": "x" * 50},
        }[name]  # fmt: skip
        for page in ("/audit/targets/lrs/pause", "/audit/deliveries/discard?target=lrs", "/audit/sign-out"):
            headers = {"Origin": "https://evil.example"}
            async with admin.client.post(page, data=form, headers=headers, allow_redirects=False) as response:
                assert response.status == 403, page
        await admin.text("/audit/targets")  # not even signed out
