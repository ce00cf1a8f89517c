"""An LRS that fails at random: it cuts, stores and then fails, is never idempotent, refuses, and notes all of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.waiting import wait_while_decreasing

DECK = ("none",) * 6 + ("cut", "kept-cut", "kept-500", "kept-504", "503", "429", "conflict", "conflict")
"""What it does in so many requests, in an order of its own: nothing is left to luck but when."""


class _Told(msgspec.Struct):
    id: str


class ChaosLrs:
    """Keeps the bytes of every statement in the order of first arrival.

    `kept` is id -> bytes; `changed` are ids that came again with other bytes; `poison` ids are refused with 400.
    While `well`, it does nothing wrong but that.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._deck: list[str] = []
        self.kept: dict[str, bytes] = {}
        self.changed: list[str] = []
        self.poison: set[str] = set()
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self.well = False
        self.down = False
        self.endpoint = ""
        self.answered = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ChaosLrs]:
        """Serve."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/xapi/about", self._about),
                web.post("/xapi/statements", self._post),
                web.get("/xapi/statements", self._get),
            ]
        )
        async with TestServer(app) as server:
            self.endpoint = str(server.make_url("/xapi/"))
            yield self

    async def next_answer(self) -> None:
        """Wait until it answers a POST."""
        self.answered.clear()
        await self.answered.wait()

    async def until_kept(self, ids: set[str], seconds: float) -> None:
        """Wait until it has all of these.

        Raises:
            TimeoutError: it got none of them for so many seconds.
        """
        missing = {*ids}

        def count_missing() -> int:
            missing.difference_update([statement_id for statement_id in missing if statement_id in self.kept])
            return len(missing)

        await wait_while_decreasing(count_missing, self.next_answer, seconds)

    async def _about(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": ["1.0.3"]})

    async def _get(self, request: web.Request) -> web.Response:
        body = self.kept.get(request.query.get("statementId", ""))
        return web.Response(status=404) if body is None else web.Response(body=body, content_type="application/json")

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        parts = [bytes(part) for part in msgspec.json.decode(body, type=list[msgspec.Raw])]
        came = {msgspec.json.decode(part, type=_Told).id: part for part in parts}
        fault = self._fault()
        self.faults[fault] += 1
        try:
            return self._answer(request, came, fault)
        finally:
            self.answered.set()

    def _fault(self) -> str:
        if self.down:
            return "down"
        if self.well:
            return "none"
        if not self._deck:
            self._deck = [*DECK]
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def _answer(self, request: web.Request, came: dict[str, bytes], fault: str) -> web.StreamResponse:
        if fault in {"cut", "503", "429", "down"}:
            if fault == "cut":
                self._cut(request)
            return web.Response(status=503 if fault == "down" else int(fault) if fault != "cut" else 503)
        if self.poison & came.keys():
            self.faults["400"] += 1
            return web.Response(status=400, text="refused: " + ", ".join(sorted(self.poison & came.keys())))
        self.changed += [
            statement_id for statement_id, part in came.items() if self.kept.get(statement_id, part) != part
        ]
        if fault == "conflict" and self.kept.keys() & came.keys():
            self.faults["409"] += 1
            return web.Response(status=409)
        for statement_id, part in came.items():
            if statement_id in self.kept:
                self.faults["again"] += 1
            self.kept.setdefault(statement_id, part)
        if fault == "kept-cut":
            self._cut(request)
        if fault.startswith("kept-5"):
            return web.Response(status=int(fault[-3:]))
        return web.json_response(list(came))

    def _cut(self, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()
