"""`/tap.js`: for every page, kept by browsers for as long as it is the same."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from bridge.tap.script import load_script
from tests.support.bridge import Bridge


async def test_every_page_may_load_it_and_check_what_it_loads(bridge: Bridge) -> None:
    async with bridge.client.get("/tap.js", headers={"Origin": "https://anybody.example"}) as response:
        body = await response.read()

    assert response.status == 200
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in response.headers
    assert load_script().integrity == f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}"


async def test_an_origin_of_an_lms_gets_the_same_answer_as_any_other(bridge: Bridge) -> None:
    async with bridge.client.get("/tap.js", headers={"Origin": "https://lms.example.org"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "gzip"), ("br, GZIP;q=0.5", "gzip"), ("identity", None), ("gzip;q=0, *", None), ("", None)],
)
async def test_each_representation_has_a_strong_tag_of_its_own(
    bridge: Bridge, accepted: str, encoding: str | None
) -> None:
    async with bridge.client.get("/tap.js", headers={"Accept-Encoding": accepted}) as response:
        assert await response.read() == load_script().body
    tag = response.headers["ETag"]
    assert response.headers.get("Content-Encoding") == encoding
    assert tag == f'"{load_script().version}{"-gzip" if encoding else ""}"'

    headers = {"Accept-Encoding": accepted, "If-None-Match": f'"another", {tag}'}
    async with bridge.client.get("/tap.js", headers=headers) as response:
        assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", tag)
    async with bridge.client.get("/tap.js", headers=headers | {"If-None-Match": '"another"'}) as response:
        assert response.status == 200


async def test_what_has_its_version_in_its_address_is_cached_for_good(bridge: Bridge) -> None:
    element = load_script().element("https://bridge.example.org/", 'pk_"')
    found = re.fullmatch(r'<script src="[^/]+//[^/]+(/tap.js\?v=\w+)" integrity="([^"]+)" (.+)><.+', element)
    assert found is not None
    assert found[3] == 'crossorigin="anonymous" data-key="pk_&quot;"'
    async with bridge.client.get(found[1]) as response:
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for address in ("/tap.js", "/tap.js?v=another"):
        async with bridge.client.get(address) as response:
            assert response.headers["Cache-Control"] == "public, max-age=3600", address


async def test_a_misspelled_parameter_is_refused(bridge: Bridge) -> None:
    status, problem = await bridge.get("/tap.js?version=1", token=None)

    assert (status, problem["code"]) == (400, "unknown-parameter")
