"""LRSs, token endpoints and identity providers that misbehave, and a running bridge that must outlast them."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import structlog
from aiohttp import web

from bridge import passwords
from bridge.forwarding import forwarder, polling_loop, transport
from bridge.forwarding.targets import Target
from bridge.forwarding.transport import MAX_ANSWER_BYTES, Transport
from bridge.http_client import HttpResponse
from bridge.settings import AuditSettings, OidcSettings, TargetSettings
from mappings.xapi.statement_equality import Comparison
from storage import outbox
from storage.queries.lookups import DeliveryLine
from tests.audit.oidc_provider import CLIENT, SECRET, Provider
from tests.support.accounts import FAST_HASHER, add_account
from tests.support.bridge import Bridge, FakeClock, StartBridge
from tests.support.browser import new_visitor
from tests.support.deliveries import deliveries_by_id, statements
from tests.support.http_server import LOOPBACK, Handler, in_pieces, serve
from tests.support.lrs import accept, posted_ids
from tests.support.server import Server
from tests.support.waiting import wait_until

DONE = {"core": {"lesson_status": "passed", "score": {"raw": "85"}}}
LEARNERS = tuple(f"u{number}" for number in range(8))
"""Enough that each shard has the attempts of two."""
ABOUT = msgspec.json.encode({"version": ["1.0.3"], "extensions": {"https://lrs.example.org/x": "y" * 300_000}})


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", FAST_HASHER)


def _target(endpoint: str, **changed: Any) -> TargetSettings:
    return TargetSettings(**({"name": "lrs", "endpoint": f"{endpoint}xapi/", "version": "1.0.3"} | changed))


def _nested(levels: int) -> str:
    """Return JSON that is nested so many levels deep."""
    return "[" * levels + "]" * levels


def _tell(figure: str) -> None:
    """Print a figure, for those who run this with `-s`."""
    print(figure)


def _deliveries(bridge: Bridge) -> dict[str, DeliveryLine]:
    return {
        statement.id: delivery
        for statement in statements(bridge, LEARNERS)
        for delivery in statement.deliveries
        if delivery.target == "lrs"
    }


def _none_waits(bridge: Bridge) -> bool:
    deliveries = _deliveries(bridge)
    return len(deliveries) == len(statements(bridge, LEARNERS)) and all(
        way.state != "waiting" for way in deliveries.values()
    )


def _all_settled(bridge: Bridge) -> bool:
    deliveries = deliveries_by_id(bridge)
    return bool(deliveries) and {way.state for way in deliveries.values()} == {"delivered"}


async def _stored(start: StartBridge) -> Bridge:
    """Store statements of all learners with a bridge that has no LRS, and stop it."""
    bridge = await start()
    for learner in LEARNERS:
        await bridge.commit(DONE, learner={"id": learner})
    await bridge.close()
    return bridge


async def test_every_answer_may_arrive_in_pieces_with_oauth_and_a_version_that_is_asked_for(start: StartBridge) -> None:
    requests: Counter[str] = Counter()
    token = "t" * 3_000

    async def lrs(request: web.Request) -> web.StreamResponse:
        requests[request.path] += 1
        if request.path == "/token":
            return await in_pieces(request, msgspec.json.encode({"access_token": token, "expires_in": 3600}), size=50)
        if request.headers.get("Authorization") != f"Bearer {token}":
            return web.Response(status=401)
        if request.path == "/xapi/about":
            return await in_pieces(request, ABOUT, size=20_000)
        if request.method == "POST":
            return await in_pieces(request, msgspec.json.encode(posted_ids(await request.read())))
        return await accept(request)

    async with serve(lrs) as url:
        oauth = {"token_url": f"{url}token", "client_id": "bridge", "client_secret": "s"}
        bridge = await start(targets=(_target(url, version="auto", **oauth),))
        await bridge.commit(DONE)
        await wait_until(lambda: _all_settled(bridge))
        await bridge.close()

    assert requests["/token"] == 1
    assert requests["/xapi/about"] == 1


async def test_an_identity_provider_may_answer_in_pieces_and_with_200_kb_of_keys(start: StartBridge) -> None:
    provider = Provider(FakeClock())

    @web.middleware
    async def piecemeal(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if not isinstance(response, web.Response) or response.status != 200:
            return response
        body = bytes(response.body)  # type: ignore[arg-type]  # bytes: the provider's answers are JSON
        if request.path == "/keys":
            body = msgspec.json.encode(msgspec.json.decode(body) | {"padding": "x" * 200_000})
        return await in_pieces(request, body, size=max(7, len(body) // 50))

    provider.server.app.middlewares.append(piecemeal)
    await provider.server.start_server()
    oidc = OidcSettings(issuer=provider.issuer, client_id=CLIENT, client_secret=SECRET, roles={"ops": "admin"})
    bridge = await start(audit=AuditSettings(oidc=oidc))
    provider.now = bridge.clock
    person = new_visitor(bridge.url)
    redirect = await person.get("/audit/sign-in/oidc")
    there = await person.client.get(redirect.headers["Location"], allow_redirects=False)
    back = await person.get(there.headers["Location"])
    assert (back.status, back.headers["Location"]) == (303, "/audit/")
    await person.client.close()
    await provider.server.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (ABOUT, "connected and without credentials, supports xAPI 1.0.3"),
        (ABOUT + b" " * 1_048_576, "the answer is too long"),
        (b'{"version": ' + _nested(100_000).encode() + b"}", "unexpected answer (200)"),
    ],
    ids=["long", "too long", "deep"],
)
async def test_a_connection_is_tested_with_the_whole_answer(start: StartBridge, body: bytes, words: str) -> None:
    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("statements"):
            return web.json_response({"statements": [], "more": ""})
        return await in_pieces(request, body, size=50_000)

    async with serve(lrs) as url:
        bridge = await start(targets=(_target(url, version="auto"),))
        add_account(bridge.engine, "ada", "admin")
        admin = new_visitor(bridge.url)
        await admin.sign_in("ada")
        assert words in await (await admin.post("/audit/targets/lrs/test")).text()
        await admin.client.close()
        await bridge.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"access_token": "' + b"x" * 100_000 + b'"}', "the token endpoint: the answer is longer than 65,536 bytes"),
        (b'{"x": ' + _nested(20_000).encode() + b', "access_token": "t"}', "holds no access_token"),
        (b'{"access_token": "t\\r\\nX-Evil: 1"}', "access_token holds what no header can"),
        (b'{"access_token": 7}', "holds no access_token"),
        (b"\xff\xfe", "holds no access_token"),
    ],
    ids=["too long", "deep", "header injection", "number", "no text"],
)
async def test_a_hostile_token_endpoint_is_told_in_words_and_nothing_is_lost(
    start: StartBridge, answer: bytes, words: str
) -> None:
    well = asyncio.Event()

    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return await in_pieces(request, b'{"access_token": "good"}' if well.is_set() else answer, size=4_096)
        if request.method == "POST":
            assert request.headers["Authorization"] == "Bearer good"
            assert "X-Evil" not in request.headers
        return await accept(request)

    async with serve(lrs) as url:
        oauth = {"token_url": f"{url}token", "client_id": "bridge", "client_secret": "s"}
        bridge = await start(targets=(_target(url, **oauth),))
        await bridge.commit(DONE)
        await wait_until(lambda: any(words in (way.last_answer or "") for way in deliveries_by_id(bridge).values()))
        well.set()
        await wait_until(lambda: _all_settled(bridge))
        await bridge.close()


async def test_a_compressed_answer_that_would_fill_the_memory_is_read_to_its_limit(tmp_path: Path) -> None:
    size = 256 * 1024 * 1024
    bomb = gzip.compress(bytes(size), compresslevel=9)

    async def lrs(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, body=bomb, headers={"Content-Encoding": "gzip"})

    async with serve(lrs) as url, transport.open_session(LOOPBACK) as session:
        to = Transport(session, Target("lrs", url, version="1.0.3"))
        tracemalloc.start()
        reply = await to.post(b"[{}]")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert reply.status == 400
    assert len(reply.text) <= MAX_ANSWER_BYTES
    _tell(f"{len(bomb):,} bytes that unpack to {size:,}: {peak:,} bytes in use at most")
    assert peak < size // 8


async def test_an_answer_that_drips_is_given_up_at_the_deadline_and_holds_up_no_other_target(
    start: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REQUEST_TIMEOUT", 0.5)
    over = asyncio.Event()

    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.method != "POST" or request.path.startswith("/well/"):
            return await accept(request)
        response = web.StreamResponse()
        await response.prepare(request)
        while not over.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    async with serve(lrs) as url:
        well = TargetSettings(name="well", endpoint=f"{url}well/", version="1.0.3")
        bridge = await start(targets=(_target(url), well))
        await bridge.commit(DONE)
        await wait_until(lambda: {way.state for way in deliveries_by_id(bridge, "well").values()} == {"delivered"})
        await wait_until(
            lambda: any(
                "no answer within 0.5 s" in (way.last_answer or "") for way in deliveries_by_id(bridge).values()
            )
        )
        assert {way.state for way in deliveries_by_id(bridge).values()} == {"waiting"}
        over.set()
        await bridge.close()


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (lambda poison: f'{{"id": "{poison}", "result": {_nested(900)}}}', "it is nested deeper than 100 levels"),
        (lambda poison: f'{{"id": "{poison}", "actor": {{"objectType": {{}}}}}}', "it differs at "),
        (lambda poison: f'{{"id": "{poison}", "x": "{"y" * 5_000_000}"}}', "the answer is longer than 4,194,304 bytes"),
    ],
    ids=["900 deep", "odd", "5 MB"],
)
async def test_a_conflict_with_a_hostile_statement_is_dead_with_a_reason_and_nothing_else_waits(
    start: StartBridge, stored: Any, reason: str
) -> None:
    bridge = await _stored(start)
    poison = statements(bridge, LEARNERS[2:3])[0].id

    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.path == "/xapi/statements":
            if request.method == "GET":
                return await in_pieces(request, stored(poison).encode(), size=1_000_000)
            if poison in posted_ids(await request.read()):
                return web.Response(status=409, text="I have it")
        return await accept(request)

    async with serve(lrs) as url:
        bridge = await start(targets=(_target(url),), token=bridge.token)
        await wait_until(lambda: _none_waits(bridge))
        deliveries = _deliveries(bridge)
        dead = deliveries.pop(poison)
        assert (dead.state, dead.last_status) == ("dead", 409)
        assert reason in (dead.last_answer or "")
        assert "I have it" in (dead.last_answer or "")
        assert {way.state for way in deliveries.values()} == {"delivered"}
        await bridge.close()


async def test_a_delivery_that_the_bridge_itself_fails_over_waits_alone_with_growing_pauses(
    start: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the fault: it is logged once a try, told of the delivery, and everything else of its shard goes on."""
    # the clock goes on with each millisecond, and so would the pauses with each wait between two polls
    monkeypatch.setattr(polling_loop, "COLLECTING_INTERVAL", 0.0)
    bridge = await _stored(start)
    its = [statement.id for statement in statements(bridge, LEARNERS[2:3])]
    failures: list[int] = []

    def broken(_sent: bytes, _stored: dict[str, Any]) -> Comparison:
        failures.append(bridge.clock())
        raise RuntimeError("words that may tell of a learner")

    monkeypatch.setattr(forwarder, "compare", broken)

    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.path == "/xapi/statements":
            if request.method == "GET":
                return web.json_response({"id": its[0]})
            if its[0] in posted_ids(await request.read()):
                return web.Response(status=409)
        return await accept(request)

    def others_delivered() -> bool:
        return {way.state for statement_id, way in _deliveries(bridge).items() if statement_id not in its} == {
            "delivered"
        }

    with structlog.testing.capture_logs() as logs:
        async with serve(lrs) as url:
            bridge = await start(targets=(_target(url),), token=bridge.token, random=lambda: 1.0)
            await wait_until(others_delivered)
            await wait_until(lambda: failures)
            assert {way.state for statement_id, way in _deliveries(bridge).items() if statement_id in its} == {
                "waiting"
            }
            for _ in range(8):  # commits that come meanwhile wake its senders, and do not hurry it
                await bridge.commit(DONE | {"exit": ""}, learner={"id": LEARNERS[2]})
            assert len(failures) == 1
            while len(failures) < 4:
                bridge.clock.advance(0.5)
                await asyncio.sleep(0.001)
            pauses = [after - before for before, after in pairwise(failures)]
            assert pauses == sorted(pauses)
            assert pauses[-1] >= 4_000
            await wait_until(lambda: "RuntimeError" in (_deliveries(bridge)[its[0]].last_answer or ""))
            await bridge.close()
    events = [line for line in logs if line["event"] == "forwarding_interrupted"]

    assert len(events) == len(failures)
    assert "words that may tell" not in str([line["error"] for line in events])


async def test_a_sender_that_fails_again_and_again_is_no_hot_loop_whatever_wakes_it(
    start: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = outbox.claim
    failures: list[float] = []

    def broken(connection: Any, part: outbox.ShardLease, **options: Any) -> outbox.ClaimedBatch:
        if part.shard == 0:
            failures.append(time.monotonic())
            raise RuntimeError("nobody foresaw this")
        return claim(connection, part, **options)

    monkeypatch.setattr(outbox, "claim", broken)

    with structlog.testing.capture_logs() as logs:
        async with serve(accept) as url:
            bridge = await start(targets=(_target(url),))
            await wait_until(lambda: failures)
            while time.monotonic() < failures[0] + 2.5 * polling_loop.POLL_INTERVAL:
                for learner in LEARNERS:
                    await bridge.commit(DONE, learner={"id": learner})
            await wait_until(lambda: "delivered" in {way.state for way in _deliveries(bridge).values()})
            await bridge.close()
    assert all(after - before >= polling_loop.POLL_INTERVAL for before, after in pairwise(failures))
    events = [line for line in logs if line["event"] == "forwarding_interrupted"]
    assert len(events) == len(failures) > 1
    assert [line["failures"] for line in events] == list(range(1, len(events) + 1))
    # the traceback stands there once, not with every try
    assert [line["exc_info"] is not None for line in events] == [True] + [False] * (len(events) - 1)


@pytest.mark.parametrize("bad", ["deep", "long"])
async def test_a_hostile_document_is_dead_with_a_reason_and_no_other_waits_for_it(start: StartBridge, bad: str) -> None:
    content = f'{{"theirs": {_nested(2_000)}}}' if bad == "deep" else f'{{"theirs": "{"x" * 5_000_000}"}}'
    written: list[str] = []

    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.method == "PUT":
            written.append(request.path)
        if (request.method, request.path) == ("GET", "/xapi/activities/state"):
            return await in_pieces(request, content.encode(), size=500_000)
        return await accept(request)

    async with serve(lrs) as url:
        bridge = await start(targets=(_target(url),))
        await bridge.commit({"completion_status": "incomplete", "location": "p2", "scaled_passing_score": "0.8"})
        await bridge.let_documents_follow()

        def states() -> dict[str, DeliveryLine]:
            return {
                document.name: way
                for report in bridge.reports()
                for document in report.documents
                for way in document.deliveries
            }

        await wait_until(lambda: states() and all(way.state != "waiting" for way in states().values()))
        deliveries = states()
        reason = "nested too deeply" if bad == "deep" else "longer than 4,194,304 bytes"
        assert {name for name, way in deliveries.items() if way.state == "dead"} == {"attempt-state", "activity-state"}
        assert all(reason in (way.last_answer or "") for way in deliveries.values() if way.state == "dead")
        assert written
        assert set(written) <= {"/xapi/activities/profile", "/xapi/agents/profile"}
        await bridge.close()


async def test_a_bridge_whose_lrs_hangs_stops_quickly_and_sends_what_it_cancelled_when_it_runs_again(
    tmp_path: Path, database_url: str
) -> None:
    hanging, well = asyncio.Event(), asyncio.Event()
    arrived: Counter[str] = Counter()

    async def lrs(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            ids = posted_ids(await request.read())
            if not well.is_set():
                hanging.set()
                await asyncio.Event().wait()
            arrived.update(ids)
        return await accept(request)

    async with serve(lrs) as url:
        server = Server(tmp_path, database_url, endpoint=f"{url}xapi/", target='version = "1.0.3"\n')
        try:
            token = server.new_token()
            await server.start()
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
                for learner in LEARNERS:
                    body = {"learner": {"id": learner}, "activity": {"id": "1"}, "cmi": DONE}
                    async with http.post(f"{server.url}/v1/commits", json=body) as response:
                        assert response.status == 200
            await hanging.wait()
            begun = time.monotonic()
            async with asyncio.timeout(15):  # an answer is waited for eight times as long
                assert await server.stop() == 0
            _tell(f"stopped with a hung LRS in {time.monotonic() - begun:.1f} s")
            assert "sends_cancelled" in server.log
            well.set()
            await server.start()
            stored: set[str] = set()
            for learner in LEARNERS:
                (enrollment,) = await server.verify(learner, "1")
                stored |= {statement["id"] for statement in enrollment["attempts"][0]["statements"]}
            await wait_until(lambda: arrived.keys() == stored)
            assert set(arrived.values()) == {1}
            assert await server.stop() == 0
        finally:
            await server.kill()


def test_text_of_an_answer_can_be_stored_whatever_its_bytes_are() -> None:
    text = HttpResponse(200, {}, b"a\x00\xff\xed\xa0\x80b").text

    assert text.encode().decode() == text
    assert "\x00" not in text
