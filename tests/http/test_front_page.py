"""`/`: what this is, for people and for programs, and nothing that is not for everybody."""

from __future__ import annotations

import re
from importlib import metadata

import pytest

from bridge.settings import AuditSettings, TargetSettings
from tests.support.bridge import Bridge, StartBridge

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_programs_get_json_whose_links_lead_somewhere(bridge: Bridge) -> None:
    status, answer = await bridge.get("/", token=None)
    assert (status, answer["name"]) == (200, "scorm-xapi-bridge")
    assert [link["href"] for link in answer["links"]] == ["/audit/", "/openapi.json", "/healthz", "/readyz"]
    for link in answer["links"]:
        async with bridge.client.get(link["href"]) as response:
            assert response.status == (401 if link["href"] == "/audit/" else 200), link


async def test_people_get_a_page_with_the_same_links_that_runs_nothing(bridge: Bridge) -> None:
    _, answer = await bridge.get("/", token=None)
    async with bridge.client.get("/", headers=BROWSER) as response:
        page = await response.text()

    assert (response.content_type, response.headers["Vary"]) == ("text/html", "Accept")
    assert re.findall(r'<a href="([^"]+)"', page) == [link["href"] for link in answer["links"]]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "<script" not in page


@pytest.mark.parametrize("headers", [BROWSER, {}], ids=["people", "programs"])
async def test_it_says_nothing_of_lmss_targets_or_releases(start: StartBridge, headers: dict[str, str]) -> None:
    bridge = await start(targets=(TargetSettings(name="secret-lrs", endpoint="http://127.0.0.1:9/xapi/"),))
    async with bridge.client.get("/?probe=1", headers=headers) as response:
        text = await response.text()
    assert response.status == 200
    version = metadata.version("scorm-xapi-bridge")
    assert [word for word in ("secret-lrs", "lms.example.org", version, "aiohttp", "Python") if word in text] == []


async def test_without_audit_pages_there_is_no_link_to_them(start: StartBridge) -> None:
    bridge = await start(audit=AuditSettings(enabled=False))
    _, answer = await bridge.get("/", token=None)

    assert "/audit/" not in [link["href"] for link in answer["links"]]
