"""An LRS that keeps nothing: it reads statements, answers with their ids, and remembers when it had accepted which.

Run as `python -m benchmarks.null_lrs PORT`. `GET /log` gives a list of `[seconds, ids]`, a pair for each request, by
the machine's monotonic clock; `GET /count` tells how many statements there were; `DELETE /log` forgets them. Documents
are unknown to it and always written.
"""

from __future__ import annotations

import sys
import time

import msgspec
from aiohttp import web

from benchmarks.bare import serve


class _Statement(msgspec.Struct):
    id: str


_decode = msgspec.json.Decoder(list[_Statement]).decode


class NullLrs:
    """What it remembers."""

    def __init__(self) -> None:
        self._log: list[tuple[float, list[str]]] = []
        self._count = 0

    async def statements(self, request: web.Request) -> web.Response:
        """Accept statements."""
        ids = [statement.id for statement in _decode(await request.read())]
        self._count += len(ids)
        self._log.append((time.monotonic(), ids))
        return _json(ids)

    async def log(self, _request: web.Request) -> web.Response:
        """Return what was accepted when."""
        return _json(self._log)

    async def count(self, _request: web.Request) -> web.Response:
        """Return how many statements were accepted."""
        return _json(self._count)

    async def forget(self, _request: web.Request) -> web.Response:
        """Forget all."""
        self._log, self._count = [], 0
        return web.Response(status=204)


async def about(_request: web.Request) -> web.Response:
    """Tell the version of xAPI."""
    return _json({"version": ["1.0.3"]})


async def no_document(_request: web.Request) -> web.Response:
    """Know no document."""
    return web.Response(status=404)


async def document(request: web.Request) -> web.Response:
    """Take a document and forget it."""
    await request.read()
    return web.Response(status=204)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def main() -> None:
    """Serve."""
    lrs = NullLrs()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(
        [
            web.post("/xapi/statements", lrs.statements),
            web.get("/xapi/about", about),
            web.get("/xapi/{resource:.*}", no_document),
            web.put("/xapi/{resource:.*}", document),
            web.get("/log", lrs.log),
            web.get("/count", lrs.count),
            web.delete("/log", lrs.forget),
        ]
    )
    serve(app, int(sys.argv[1]))


if __name__ == "__main__":
    main()
