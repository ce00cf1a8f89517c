"""Speaking to an LRS: whatever it or the network does comes back as a reply, never as an exception."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from bridge.forwarding import transport
from bridge.forwarding.outcomes import classify
from bridge.forwarding.rate_limiter import RateLimiter
from bridge.forwarding.targets import Basic, Target
from bridge.forwarding.transport import TargetPausedError, Transport
from bridge.http_client import CONNECT_TIMEOUT
from bridge.sandbox.lrs import LEDGER, STATEMENTS, Edition, FaultRule, faults
from storage.states import TryOutcome
from tests.support.http_server import LOOPBACK, serve
from tests.support.lrs import GET, POST, Lrs, StartLrs

ID = "0d1b7a5e-6f0c-5d3c-9a43-9a7d61c3b8ef"
STATEMENT = (
    f'{{"id": "{ID}",  "actor":{{"mbox":"mailto:ada@example.org"}}, "verb":{{"id":"http://example.org/did"}},'
    '"object":{"id":"http://example.org/it"},"result":{"response":"☃ \\u2603","duration":"PT1.50S"}}'
)
OpenTransport = Callable[..., Transport]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The client session as the service opens it."""
    async with transport.open_session(LOOPBACK) as opened:
        yield opened


@asynccontextmanager
async def _answering(answer: bytes) -> AsyncIterator[str]:
    """Answer every connection with the same bytes, whatever they are, and close it."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def _target(endpoint: str, **changed: Any) -> Target:
    values = {"name": "lrs", "endpoint": endpoint, "credentials": Basic("ada", "secret"), "version": "1.0.3"}
    return Target(**(values | changed))


def _listed(*statements: str) -> bytes:
    return f"[{','.join(statements)}]".encode()


async def test_statements_arrive_in_their_order_and_byte_for_byte(lrs: Lrs, session: aiohttp.ClientSession) -> None:
    """An LRS compares durations as text, so what was frozen must not be written anew."""
    second = STATEMENT.replace(ID, ID.replace("0d", "1d"))
    reply = await Transport(session, lrs.target()).post(_listed(STATEMENT, second))

    assert lrs.bodies == [f"[{STATEMENT},{second}]".encode()]
    assert (reply.status, msgspec.json.decode(reply.text)) == (200, lrs.ids())
    assert classify(reply, lrs.ids()) is TryOutcome.DELIVERED


async def test_a_statement_is_asked_for_by_its_id(lrs: Lrs, session: aiohttp.ClientSession) -> None:
    to = Transport(session, lrs.target())
    await to.post(_listed(STATEMENT))

    assert msgspec.json.decode((await to.get(ID)).text)["id"] == ID
    assert (await to.get(ID.replace("0d", "1d"))).status == 404
    assert (await to.get(ID, voided=True)).status == 404


async def test_a_long_statement_comes_back_whole(lrs: Lrs, session: aiohttp.ClientSession) -> None:
    """Cut, it would look like another one, and what the LRS has would be given up as dead."""
    to = Transport(session, lrs.target())
    await to.post(_listed(STATEMENT.replace("☃ ", "☃ " * 50_000)))

    assert msgspec.json.decode((await to.get(ID)).text)["result"]["response"] == "☃ " * 50_000 + "☃"


@pytest.mark.parametrize(
    ("about", "spoken"),
    [
        (b'{"version": ["1.0.3", "2.0.0"]}', "1.0.3"),
        (b'{"version": ["2.0.0"]}', "2.0.0"),
        (b'{"version": ["2.0.0", "1.0.0"]}', "1.0.3"),
        (b'{"version": "2.0.0"}', "2.0.0"),
        (b'{"version": [2, null, "2.0.0"]}', "2.0.0"),
    ],
)
async def test_the_version_is_one_that_the_lrs_says_it_speaks(
    session: aiohttp.ClientSession, about: bytes, spoken: str
) -> None:
    versions: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/about":
            return web.Response(body=about)
        versions.append(request.headers.get("X-Experience-API-Version"))
        return web.Response(status=204)

    async with serve(answer) as endpoint:
        assert (await Transport(session, _target(endpoint, version="auto")).post(_listed(STATEMENT))).status == 204

    assert versions == [spoken]


@pytest.mark.parametrize(
    "about",
    [
        b'{"version": ["0.95"]}',
        b'{"version": [2, null]}',
        b'{"version": []}',
        b"[]",
        b"<html>",
        b"",
        b'{"version": ' + b"[" * 9_000,
    ],
)
async def test_nothing_is_sent_to_an_lrs_whose_version_cannot_be_told(
    session: aiohttp.ClientSession, about: bytes
) -> None:
    """In a wrong version every statement would be refused, and so be dead."""
    posted: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/about":
            return web.Response(body=about)
        posted.append(request.path)
        return web.Response(status=400)

    async with serve(answer) as endpoint:
        reply = await Transport(session, _target(endpoint, version="auto")).post(_listed(STATEMENT))

    assert (reply.status, posted) == (None, [])
    assert "set `version`" in reply.text


async def test_an_lrs_that_said_what_it_speaks_is_not_asked_again(lrs: Lrs, session: aiohttp.ClientSession) -> None:
    to = Transport(session, lrs.target())
    for _ in range(3):
        await to.post(_listed(STATEMENT))
    await to.get(ID)

    assert [request.target for request in lrs.app[LEDGER].arrivals()].count("/xapi/about") == 1


@pytest.mark.parametrize("trouble", [429, 500, 503, 401, 302])
async def test_an_lrs_that_could_not_say_what_it_speaks_is_asked_again(
    start_lrs: StartLrs, session: aiohttp.ClientSession, trouble: int
) -> None:
    """Taken for one that speaks 1.0.3, it would refuse every statement with 400, and all of them would be dead."""
    lrs = await start_lrs(editions=[Edition.TWO])
    about = faults.Match(path="/xapi/about")
    lrs.script(FaultRule(faults.Answer(trouble, {"Location": "/login"}), when=about, times=1))
    to = Transport(session, lrs.target())
    await to.post(_listed(STATEMENT))

    assert (await to.post(_listed(STATEMENT))).status == 200


@pytest.mark.parametrize(("version", "editions"), [("1.0.3", [Edition.ONE]), ("2.0.0", [Edition.TWO])])
async def test_a_version_that_is_set_is_used_without_asking(
    start_lrs: StartLrs, session: aiohttp.ClientSession, version: str, editions: list[Edition]
) -> None:
    lrs = await start_lrs(editions=editions)

    assert (await Transport(session, lrs.target(version=version)).post(_listed(STATEMENT))).status == 200
    assert [request.target for request in lrs.app[LEDGER].arrivals()] == ["/xapi/statements"]


@pytest.mark.parametrize(("password", "status"), [("pä:ss ☃", 200), ("wrong", 401), ("", 401)])
async def test_the_lrs_is_told_who_sends(
    start_lrs: StartLrs, session: aiohttp.ClientSession, password: str, status: int
) -> None:
    lrs = await start_lrs(credentials={"ada": "pä:ss ☃"})
    reply = await Transport(session, lrs.target(credentials=Basic("ada", password))).post(_listed(STATEMENT))

    assert reply.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("version", ["auto", "1.0.3"])
async def test_redirects_are_not_followed(session: aiohttp.ClientSession, status: int, version: str) -> None:
    """They would take credentials and learners' data to wherever they point."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serve(answer) as endpoint:
        reply = await Transport(session, _target(endpoint, version=version)).post(_listed(STATEMENT))

    assert classify(reply, [ID]) is TryOutcome.RETRY
    assert "/elsewhere" not in paths


async def test_cookies_are_not_kept(session: aiohttp.ClientSession) -> None:
    cookies: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(status=204, headers={"Set-Cookie": "session=1; Path=/"})

    async with serve(answer) as endpoint:
        to = Transport(session, _target(endpoint.replace("127.0.0.1", "localhost")))
        for _ in range(2):
            assert (await to.post(_listed(STATEMENT))).status == 204

    assert cookies == [None, None]


@pytest.mark.parametrize("rule", [faults.Cut(), faults.StoreThenCut()], ids=["before", "after storing"])
async def test_a_cut_connection_is_no_answer(lrs: Lrs, session: aiohttp.ClientSession, rule: faults.Decision) -> None:
    lrs.script(FaultRule(rule, when=POST), FaultRule(rule, when=GET))
    to = Transport(session, lrs.target())

    for reply in (await to.post(_listed(STATEMENT)), await to.get(ID)):
        assert reply.status is None
        assert reply.text
    assert len(lrs.app[STATEMENTS]) == isinstance(rule, faults.StoreThenCut)


async def test_a_refused_connection_is_no_answer(session: aiohttp.ClientSession) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, but nobody listens
        to = Transport(session, _target(f"http://127.0.0.1:{sock.getsockname()[1]}/xapi/", version="auto"))
        reply = await to.post(_listed(STATEMENT))

    assert reply.status is None
    assert "ClientConnectorError" in reply.text


async def test_tls_to_a_plain_port_is_no_answer(lrs: Lrs, session: aiohttp.ClientSession) -> None:
    reply = await Transport(session, _target(lrs.endpoint.replace("http:", "https:"))).post(_listed(STATEMENT))

    assert reply.status is None
    assert "SSL" in reply.text


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://no-such-host.invalid/xapi/",
        f"http://{'a' * 64}.example/xapi/",
        "http://..example/xapi/",
        "http://127.0.0.1:99999/xapi/",
        "http://[::1/xapi/",
        "http:///xapi/",
        "http://ada:secret@127.0.0.1:1/xapi/",
    ],
)
@pytest.mark.parametrize("version", ["auto", "1.0.3"])
async def test_an_address_that_leads_nowhere_is_no_answer(
    session: aiohttp.ClientSession, endpoint: str, version: str
) -> None:
    to = Transport(session, _target(endpoint, version=version))

    for reply in (await to.post(_listed(STATEMENT)), await to.get(ID)):
        assert reply.status is None
        assert reply.text


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x01\r\n\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"HTTP/1.1 503 Down\x00\xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \xff\xfe\r\nContent-Length: 3\r\n\r\n\xff\x00\xfe",
        b"HTTP/1.1 200 OK\r\nA\x00: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n["a"',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n",
        b"HTTP/1.1 307 Go\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=lambda answer: f"{len(answer)} bytes",
)
@pytest.mark.parametrize("version", ["auto", "1.0.3"])
async def test_an_answer_that_is_none_is_trouble_with_the_way_in_words_that_can_be_stored(
    session: aiohttp.ClientSession, answer: bytes, version: str
) -> None:
    async with _answering(answer) as endpoint:
        reply = await Transport(session, _target(endpoint, version=version)).post(_listed(STATEMENT))

    assert classify(reply, [ID]) is TryOutcome.RETRY
    assert "\x00" not in reply.text
    assert reply.text.encode().decode() == reply.text


async def test_an_answer_in_pieces_is_read_to_its_end(session: aiohttp.ClientSession) -> None:
    """LRSs that stream, and proxies, send lists of ids in several chunks."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b"[", f'"{ID}"'.encode(), b"]"):
            await response.write(piece)
            for _ in range(20):  # the client, in the same loop, has its turns to read what there is so far
                await asyncio.sleep(0)
        return response

    async with serve(answer) as endpoint:
        reply = await Transport(session, _target(endpoint)).post(_listed(STATEMENT))

    assert (reply.status, reply.text) == (200, f'["{ID}"]')


async def test_an_answer_that_never_ends_is_cut(session: aiohttp.ClientSession) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        while True:
            await response.write(b"no" * 4_096)

    async with serve(answer) as endpoint:
        reply = await Transport(session, _target(endpoint)).post(_listed(STATEMENT))

    assert classify(reply, [ID]) is TryOutcome.REFUSED
    assert 0 < len(reply.text) <= transport.MAX_ANSWER_BYTES


@pytest.mark.parametrize("begun", [False, True], ids=["at all", "to its end"])
@pytest.mark.parametrize("version", ["auto", "1.0.3"])
async def test_an_lrs_that_does_not_answer_is_left_in_time(*, begun: bool, version: str) -> None:
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(b"[")
        await never.wait()
        return response

    impatient = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1))
    async with serve(answer) as endpoint, impatient:
        reply = await Transport(impatient, _target(endpoint, version=version)).post(_listed(STATEMENT))
        never.set()

    assert reply.status is None
    assert "no answer" in reply.text


async def test_the_service_waits_for_slow_lrss_but_not_for_ever(session: aiohttp.ClientSession) -> None:
    assert session.timeout.total == transport.REQUEST_TIMEOUT
    assert session.timeout.sock_connect == CONNECT_TIMEOUT


async def test_a_request_whose_turn_comes_when_its_target_is_paused_is_not_begun(
    lrs: Lrs, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    async def acquire(_rate: RateLimiter) -> None:
        held.append(True)  # people pause it while the request waits

    monkeypatch.setattr(RateLimiter, "acquire", acquire)
    to = Transport(session, lrs.target(), lambda: bool(held))
    for request in (to.post(_listed(STATEMENT)), to.get(ID), to.read_document("activities/state", {})):
        with pytest.raises(TargetPausedError):
            await request

    assert lrs.app[LEDGER].arrivals() == ()
    assert len(held) == 3
