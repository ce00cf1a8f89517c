"""State documents and ids as LRSs were reported to take them, played against a real bridge."""

from __future__ import annotations

import msgspec
import pytest
from aiohttp import web

from bridge.sandbox.lrs import DOCUMENTS
from tests.support.bridge import Bridge, StartBridge
from tests.support.deliveries import alarms, deliveries_by_id, is_settled, statements
from tests.support.lrs import Lrs, StartLrs
from tests.support.waiting import wait_until

PASSED = {"core": {"lesson_status": "passed"}}


async def expect_content(bridge: Bridge, contents: dict[str, bytes], content: bytes) -> None:
    """Wait until one of the documents that are kept holds this; what waits for its turn is waited for."""

    def is_paused() -> bool:
        bridge.clock.advance(1)
        return any(content in body for body in contents.values())

    await wait_until(is_paused)


async def test_a_document_that_is_let_in_does_not_resume_statements_that_are_not(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=401) if request.method == "POST" else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
    await wait_until(lambda: alarms(bridge) == {"statements": "not-allowed"})
    await bridge.let_documents_follow()
    await wait_until(lambda: len(list(lrs.app[DOCUMENTS].matching(lambda _: True))) == 4)

    assert alarms(bridge) == {"statements": "not-allowed"}


async def test_a_target_that_lets_statements_in_and_no_documents_says_so(
    start_lrs: StartLrs, start: StartBridge
) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        is_document = request.path not in {"/xapi/statements", "/xapi/about"}
        return web.Response(status=403, text="no state API") if is_document else None

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
    await bridge.let_documents_follow()
    await wait_until(lambda: alarms(bridge) == {"documents": "not-allowed"})
    await wait_until(lambda: is_settled(bridge))
    await bridge.commit(PASSED)
    await wait_until(lambda: is_settled(bridge))

    assert alarms(bridge) == {"documents": "not-allowed"}


@pytest.mark.parametrize("missing", [204, 200])
@pytest.mark.parametrize("written", [200, 201, 204])
async def test_a_document_that_is_missing_is_written_however_the_lrs_says_so(
    start_lrs: StartLrs, start: StartBridge, missing: int, written: int
) -> None:
    contents: dict[str, bytes] = {}

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith(("/xapi/activities/", "/xapi/agents/")):
            return None
        key = str(request.rel_url)
        if request.method == "GET":
            assert request.headers["Accept-Encoding"] == "identity"
            if key not in contents:
                return web.Response(status=missing)
            return web.Response(body=contents[key], headers={"ETag": '"1"'})
        if request.headers.get("If-Match") != ('"1"' if key in contents else None):
            return web.Response(status=412)
        contents[key] = await request.read()
        return web.Response(status=written)

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
    await bridge.let_documents_follow()
    await wait_until(lambda: len(contents) == 4)
    bridge.clock.advance(100)
    await bridge.commit({"location": "p3"})
    await bridge.let_documents_follow()
    await expect_content(bridge, contents, b"p3")


@pytest.mark.parametrize("shown", ['W/"1"', '"1-gzip"', 'W/"1-gzip"', '"1--gzip"', '"1;gzip"', '"1-br"'])
async def test_an_etag_that_a_proxy_changed_is_understood(start_lrs: StartLrs, start: StartBridge, shown: str) -> None:
    contents: dict[str, bytes] = {}

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith(("/xapi/activities/", "/xapi/agents/")):
            return None
        key = str(request.rel_url)
        if request.method == "GET":
            if key not in contents:
                return web.Response(status=404)
            return web.Response(body=contents[key], headers={"ETag": shown})
        if request.headers.get("If-Match") != ('"1"' if key in contents else None):
            return web.Response(status=412)
        contents[key] = await request.read()
        return web.Response(status=204)

    lrs = await start_lrs(fault)
    bridge = await start(targets=(lrs.settings(documents={"adl-suspend-data": True}),))
    await bridge.commit({"location": "p1", "suspend_data": "first" * 50})
    await bridge.let_documents_follow()
    await expect_content(bridge, contents, b"p1")
    bridge.clock.advance(100)
    await bridge.commit({"location": "p2", "suspend_data": "second" * 50})
    await bridge.let_documents_follow()
    await expect_content(bridge, contents, b"p2")
    await expect_content(bridge, contents, b"second")


IDS = [
    "http://ex.org/100%",
    "http://ex.org/a%zz",
    "https://?x=1",
    "https://#f",
    "http://ex.org/c1\x81",
    "http://ex.org/a[b]",
    "http://ex.org/a#b#c",
    "http://ex.org:99999/x",
    "http://ex.org/\ue000",
    "http://ex.org/\ufdd0x\U0001ffff",
]


@pytest.mark.parametrize("id_", IDS)
async def test_an_id_that_is_no_iri_quite_is_sent_all_the_same(lrs: Lrs, start: StartBridge, id_: str) -> None:
    bridge = await start(targets=(lrs.settings(),))
    kind = "http://ex.org/t%"
    answer = await bridge.commit(
        {"core": {"lesson_status": "passed"}}, activity={"id": id_, "type": kind}, course={"id": id_}
    )
    assert answer["statements"]
    await bridge.let_documents_follow()

    def ways_of(kind: str) -> set[str]:
        lines = [line for report in bridge.reports("u1", id_) for line in getattr(report, kind)]
        return {way.state for line in lines for way in line.deliveries}

    await wait_until(lambda: ways_of("statements") == ways_of("documents") == {"delivered"})
    assert len(lrs.ids()) == len(answer["statements"])


async def test_nul_is_taken_out_of_responses_and_item_ids_with_a_warning(lrs: Lrs, start: StartBridge) -> None:
    bridge = await start(targets=(lrs.settings(),))
    interactions = {"0": {"id": "q\x001", "type": "fill-in", "student_response": "a\x00b", "result": "correct"}}
    answer = await bridge.commit({"interactions": interactions}, scorm_version="1.2")
    assert [(warning["code"], warning["element"]) for warning in answer["warnings"]] == [
        ("nul-removed", f"cmi.interactions.0.{name}") for name in ("id", "student_response")
    ]
    await wait_until(lambda: is_settled(bridge))
    (responded,) = [statement for statement in statements(bridge, ["u1"]) if statement.rule == "responded"]
    assert "\\u0000" not in responded.body
    assert "%00" not in responded.body
    assert msgspec.json.decode(responded.body)["result"]["response"] == "ab"
    assert {way.state for way in deliveries_by_id(bridge).values()} == {"delivered"}
