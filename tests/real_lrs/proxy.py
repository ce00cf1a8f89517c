"""The way between the bridge and a real LRS: what goes along is noted, and answers can be lost on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

PASSED_ON = ("Authorization", "Content-Type", "X-Experience-API-Version")


@dataclass(frozen=True)
class Passed:
    """One POST of statements and what the LRS answered to it."""

    version: str
    body: bytes
    status: int
    answer: bytes


@dataclass
class LrsProxy:
    """A proxy in front of an LRS; `endpoint` is what a target is configured with.

    The answers to the first `lose` POSTs never arrive: after the LRS has given each, `meanwhile` is awaited and the
    connection cut.

    Of `trouble` each POST takes the last one: `cut` before the LRS sees it, `503` instead of its answer, `kept-cut` and
    `kept-503` after the LRS has answered. `met` counts them.
    """

    endpoint: str
    lose: int = 0
    meanwhile: Callable[[], Awaitable[object]] | None = None
    posts: list[Passed] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def proxy_to(endpoint: str) -> AsyncIterator[LrsProxy]:
    """Lay a way to the LRS at an endpoint."""
    async with aiohttp.ClientSession() as session:

        async def pass_on(request: web.Request) -> web.Response:
            body = await request.read()
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            trouble = way.trouble.pop() if way.trouble and request.method == "POST" else "none"
            way.met[trouble] += 1
            if trouble in {"cut", "503"}:
                return _stopped(request, trouble)
            to = urlsplit(endpoint)._replace(path="", query="").geturl() + request.path_qs
            async with session.request(request.method, to, data=body or None, headers=headers) as reply:
                answer = await reply.read()
            if request.method == "POST":
                version = headers.get("X-Experience-API-Version", "")
                way.posts.append(Passed(version, body, reply.status, answer))
                if len(way.posts) <= way.lose:
                    if way.meanwhile is not None:
                        await way.meanwhile()
                    return _stopped(request, "cut")
            if trouble != "none":
                return _stopped(request, trouble)
            return web.Response(body=answer, status=reply.status, content_type=reply.content_type)

        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{resource:.*}", pass_on)
        async with TestServer(app) as server:
            way = LrsProxy(str(server.make_url(urlsplit(endpoint).path)))
            yield way


def _stopped(request: web.Request, trouble: str) -> web.Response:
    if trouble.endswith("cut"):
        assert request.transport is not None
        request.transport.abort()
    return web.Response(status=503)
