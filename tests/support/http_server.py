"""Servers on real ports that do whatever a handler does: in pieces, for ever, or not at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.outgoing import OutgoingGuard

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOOPBACK = OutgoingGuard(["127.0.0.0/8"])
"""What lets a client connect to these servers."""
TURNS = 20
"""Turns of the event loop between two pieces, in which a client in the same loop reads what there is so far."""


@asynccontextmanager
async def serve(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a server whose every request goes to one handler; yield its address with a slash at its end."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{resource:.*}", handler)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    yield str(server.make_url("/"))
    # what hangs on purpose is not waited for
    for connection in list(server.runner.server.connections if server.runner and server.runner.server else ()):
        connection.close()
        if connection.transport is not None:
            connection.transport.abort()
    await server.close()


async def in_pieces(
    request: web.Request, body: bytes, *, status: int = 200, size: int = 7, content_type: str = "application/json"
) -> web.StreamResponse:
    """Answer with a body that arrives in pieces of so many bytes, each read before the next is sent."""
    response = web.StreamResponse(status=status, headers={"Content-Type": content_type})
    await response.prepare(request)
    for start in range(0, len(body), size):
        await response.write(body[start : start + size])
        for _ in range(TURNS):
            await asyncio.sleep(0)
    await response.write_eof()
    return response


def cut(request: web.Request) -> None:
    """Cut the connection: the answer never arrives."""
    assert request.transport is not None
    request.transport.abort()
