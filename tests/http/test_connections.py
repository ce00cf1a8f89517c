"""Connections: whoever keeps the bridge waiting is sent away in time, and whoever does not is never in the way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bridge.http.connection_server import ConnectionRunner
from bridge.http.problems import problems
from bridge.settings import ServerSettings

PATIENT: dict[str, Any] = dict.fromkeys(
    ("header_timeout", "body_timeout", "write_timeout", "request_timeout", "keep_alive_timeout"), 3600
)
HANG = 30
"""Seconds after which something counts as never happening."""
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def close(stream: Stream) -> None:
    """Close the client's side."""
    stream[1].close()
    with contextlib.suppress(ConnectionError):
        await stream[1].wait_closed()


class Site:
    """A small application on watched connections; `entered` counts requests whose handler has begun."""

    def __init__(self) -> None:
        self.port = 0
        self.entered = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()
        self.finished = asyncio.Event()
        self.handled = 0
        self.app = web.Application(middlewares=[problems])
        self.app.add_routes(
            [
                web.get("/", self._quick),
                web.post("/", self._read),
                web.get("/wait", self._wait),
                web.get("/large", self._large),
                web.get("/stream", self._stream),
            ]
        )

    async def _quick(self, _request: web.Request) -> web.Response:
        return web.Response(text="quick")

    async def _read(self, request: web.Request) -> web.Response:
        self.entered.release()
        return web.Response(text=f"{len(await request.read())}")

    async def _wait(self, _request: web.Request) -> web.Response:
        self.entered.release()
        await self.go_on.wait()
        self.finished.set()
        return web.Response(text="waited")

    async def _large(self, _request: web.Request) -> web.Response:
        self.handled += 1
        return web.Response(body=bytes(4_000_000))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        self.entered.release()
        await self.go_on.wait()
        await response.write(b"ended")
        return response

    async def connect(self, text: str = "") -> Stream:
        """Connect and send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text.encode())
        return reader, writer


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Site]:
    """Serve; every deadline that is not given is too far to be met."""
    site = Site()
    runner = ConnectionRunner(site.app, ServerSettings(**PATIENT | settings), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    try:
        yield site
    finally:
        site.go_on.set()
        await runner.cleanup()


async def rest(stream: Stream) -> bytes:
    """Read until the server closes; what a reset takes away counts as nothing."""
    reader, _ = stream
    text = b""
    async with asyncio.timeout(HANG):
        try:
            while part := await reader.read(65536):
                text += part
        except ConnectionResetError:
            pass
    await close(stream)
    return text


async def response(stream: Stream) -> bytes:
    """Read one response with a length."""
    reader, _ = stream
    async with asyncio.timeout(HANG):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        return head + await reader.readexactly(int(length.partition(b":")[2]))


@pytest.mark.parametrize("sent", ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n"])
async def test_a_request_that_is_never_whole_is_ended_at_its_deadline(sent: str) -> None:
    async with serving(header_timeout=0.2) as site:
        assert (await rest(await site.connect(sent))).startswith(b"HTTP/1.1 408 ")


async def test_a_request_line_that_comes_byte_by_byte_is_ended_too() -> None:
    async with serving(header_timeout=0.3) as site:
        stream = await site.connect("GET /")
        ended = asyncio.create_task(rest(stream))
        while not ended.done():
            stream[1].write(b"x")  # asyncio takes what is written to a connection that was lost, and drops it
            await asyncio.wait([ended], timeout=0.05)
        assert b" 408 " in await ended


async def test_the_second_request_of_a_connection_has_the_same_deadline() -> None:
    async with serving(header_timeout=0.2) as site:
        stream = await site.connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"quick" in await response(stream)
        stream[1].write(b"GET / HTTP/1.1\r\nHo")
        assert await rest(stream) == b""


@pytest.mark.parametrize("head", ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
async def test_a_body_that_never_ends_is_answered_408_and_its_connection_closed(head: str) -> None:
    async with serving(body_timeout=0.2) as site:
        answer = await rest(await site.connect(f"POST / HTTP/1.1\r\nHost: x\r\n{head}"))
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        assert b'"code":"request-timeout"' in answer


async def test_between_requests_a_connection_is_closed_at_its_deadline_without_a_word() -> None:
    async with serving(keep_alive_timeout=0.2) as site:
        stream = await site.connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"quick" in await response(stream)
        assert await rest(stream) == b""


async def test_a_request_that_takes_too_long_loses_its_connection_and_is_finished_all_the_same() -> None:
    async with serving(request_timeout=0.2) as site:
        stream = await site.connect("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await rest(stream) == b""
        site.go_on.set()
        async with asyncio.timeout(HANG):
            await site.finished.wait()


async def test_a_response_that_is_streamed_may_take_longer_than_a_request() -> None:
    async with serving(request_timeout=0.5, header_timeout=1) as site:
        stream = await site.connect("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(HANG):
            await site.entered.acquire()
        # one that is silent is ended by the same looks: so this one was looked at, too, after its time
        assert b"408" in await rest(await site.connect())
        site.go_on.set()
        async with asyncio.timeout(HANG):
            assert (await stream[0].readuntil(b"ended")).endswith(b"ended")
        await close(stream)


def never_reading(port: int) -> socket.socket:
    """Connect with a window of a few kilobytes, so that what is not read soon waits at the server."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.settimeout(HANG)
    return client


async def test_a_response_that_nobody_reads_is_given_up_and_no_further_request_is_taken() -> None:
    async with serving(write_timeout=0.3) as site:
        client = await asyncio.to_thread(never_reading, site.port)
        with client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 30)
            assert await asyncio.to_thread(_length, client) < 30 * 4_000_000
        assert site.handled == 1


def _length(client: socket.socket, first: Callable[[], object] = lambda: None) -> int:
    """Read to the end after the server has given up, which the poll for an error tells."""
    import select  # noqa: PLC0415

    poll = select.poll()
    poll.register(client, select.POLLERR | select.POLLHUP)
    assert poll.poll(HANG * 1000), "the server never gave up"
    total = 0
    try:
        while part := client.recv(1 << 20):
            total += len(part)
    except ConnectionResetError:
        pass
    return total


async def test_whoever_reads_slowly_and_goes_on_gets_everything() -> None:
    async with serving(write_timeout=0.5) as site:
        client = await asyncio.to_thread(never_reading, site.port)

        def read_slowly() -> int:
            total = 0
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while part := client.recv(20_000):
                total += len(part)
            return total

        with client:
            assert await asyncio.to_thread(read_slowly) > 4_000_000


async def test_where_too_many_are_open_who_waits_longest_makes_room() -> None:
    async with serving(max_connections=3) as site:
        oldest, second = await site.connect(), await site.connect()
        busy = await site.connect("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(HANG):
            await site.entered.acquire()
        new = await site.connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"quick" in await response(new)
        assert await rest(oldest) == b""
        newer = await site.connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"quick" in await response(newer)
        assert await rest(second) == b""
        site.go_on.set()
        assert b"waited" in await response(busy)
        for stream in (busy, new, newer):
            await close(stream)


async def test_where_the_bridge_works_for_all_of_them_a_new_one_is_asked_to_come_again() -> None:
    async with serving(max_connections=2) as site:
        busy = [await site.connect("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2)]
        async with asyncio.timeout(HANG):
            for _ in busy:
                await site.entered.acquire()
        refused = await rest(await site.connect())
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in refused
        site.go_on.set()
        for connection in busy:
            assert b"waited" in await response(connection)
            await close(connection)


async def test_of_responses_that_nobody_reads_the_oldest_is_cut_off_beyond_the_limit() -> None:
    async with serving(max_unread_bytes=2_000_000) as site:
        clients = [await asyncio.to_thread(never_reading, site.port) for _ in range(4)]
        for client in clients:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        # each leaves more than 1 MB with the server: of four, at least the two that came first must go
        assert await asyncio.to_thread(_length, clients[0]) < 4_000_000
        assert await asyncio.to_thread(_length, clients[1]) < 4_000_000
        for client in clients:
            client.close()
        stream = await site.connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"quick" in await response(stream)
        await close(stream)


@pytest.mark.parametrize(
    "sent",
    [
        "GET /\x00?token=canary-7c1e HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nAuthorization : Bearer canary-7c1e\r\n\r\n",
        f"GET /?token={'canary-7c1e' * 1000} HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_without_repeating_it(sent: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as site:
        answer = await rest(await site.connect(sent))

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b'"code":"unreadable-request"' in answer
    assert b"\r\nServer: scorm-bridge\r\n" in answer
    assert b"canary" not in answer
    assert "canary" not in caplog.text
