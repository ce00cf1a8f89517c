"""An LRS that keeps nothing: it reads statements, answers with their ids, and remembers when it had accepted which.

Run as `python -m benchmarks.null_lrs PORT`. `GET /log` gives a list of `[seconds, ids]`, a pair for each request, by
the machine's monotonic clock; `GET /count` tells how many statements there were; `DELETE /log` forgets them. Documents
are unknown to it and always written. `PUT /faults` with a share has it fail so often, in each of four ways in turn;
`GET /faults` tells how often it did, by name.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from itertools import cycle
from random import Random

import msgspec
from aiohttp import web

from benchmarks.bare import serve


class _Statement(msgspec.Struct):
    id: str


_decode = msgspec.json.Decoder(list[_Statement]).decode


FAULTS = ("refused with 503", "refused with 429", "kept, then failed", "kept, then cut")


class NullLrs:
    """What it remembers."""

    def __init__(self) -> None:
        self._log: list[tuple[float, list[str]]] = []
        self._count = 0
        self._share = 0.0
        self._random = Random(0)
        self._ways = cycle(FAULTS)
        self._faults: Counter[str] = Counter()

    async def statements(self, request: web.Request) -> web.Response:
        """Accept statements, or fail."""
        ids = [statement.id for statement in _decode(await request.read())]
        fault = next(self._ways) if self._share and self._random.random() < self._share else ""
        if fault:
            self._faults[fault] += 1
        if fault.startswith("refused"):
            return web.Response(status=int(fault[-3:]))
        self._count += len(ids)
        self._log.append((time.monotonic(), ids))
        if fault == "kept, then cut" and isinstance(request.transport, asyncio.Transport):
            request.transport.abort()
        return web.Response(status=500) if fault else _json(ids)

    async def set_faults(self, request: web.Request) -> web.Response:
        """Fail so often from now on."""
        self._share = float(await request.text())
        return web.Response(status=204)

    async def faults(self, _request: web.Request) -> web.Response:
        """Return how often it failed, by the way it did."""
        return _json(self._faults)

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
            web.put("/faults", lrs.set_faults),
            web.get("/faults", lrs.faults),
        ]
    )
    serve(app, int(sys.argv[1]))


if __name__ == "__main__":
    main()
