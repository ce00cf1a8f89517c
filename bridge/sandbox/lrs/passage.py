"""The way of an xAPI request through the sandbox LRS: entered in the ledger, and spoilt as the fault script says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from bridge.sandbox.change_stream import CHANGES
from bridge.sandbox.lrs import faults, gate, ledger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Passage(msgspec.Struct):
    """What goes with a request on its way.

    Attributes:
        plan: what the fault script has in store for it.
        stored: the ids it has stored so far; its handler adds to them.
    """

    plan: faults.Plan
    stored: list[str]


PASSAGE: Final = web.RequestKey("PASSAGE", Passage)


@web.middleware
async def passage(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record every xAPI request in the ledger, carry out what the fault script plans for it, enter the outcome."""
    if not gate.is_xapi(request):
        return await handler(request)
    body = await request.read()
    ids = _statement_ids(request, body)
    number = request.app[ledger.LEDGER].open(request.app[gate.NOW](), request.method, str(request.rel_url), ids)
    subject = faults.FaultSubject(
        request.method, request.path, tuple(statement_id or "" for statement_id in ids), len(body)
    )
    request_passage = Passage(request.app[faults.FAULTS].plan(subject), [])
    request[PASSAGE] = request_passage
    try:
        response = await _go(request, handler, request_passage.plan)
    except web.HTTPException as error:
        _close(request, number, error.status)
        raise
    _close(request, number, response.status if response is not None else None)
    return response if response is not None else _cut(request)


def _close(request: web.Request, number: int, status: int | None) -> None:
    request_passage = request[PASSAGE]
    request.app[ledger.LEDGER].close(
        number, status=status, stored=request_passage.stored, faults=request_passage.plan.fired
    )
    request.app[CHANGES].notify()


async def _go(request: web.Request, handler: Handler, plan: faults.Plan) -> web.StreamResponse | None:
    for seconds in plan.delays:
        await request.app[faults.FAULTS].sleep(seconds)
    match plan.decision:
        case faults.Answer() as answer:
            return _answer(answer)
        case faults.StoreThenAnswer() as answer:
            await handler(request)
            return _answer(answer)
        case faults.Cut():
            return None
        case faults.StoreThenCut():
            await handler(request)
            return None
        case None:
            return await handler(request)


def _answer(answer: faults.Answer | faults.StoreThenAnswer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body.encode())


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    # aiohttp wants a response and finds, as with any client that has left, nowhere to write it.
    return web.Response()


def _statement_ids(request: web.Request, body: bytes) -> tuple[str | None, ...]:
    if request.path != f"{gate.PREFIX}/statements" or request.method not in {"POST", "PUT"}:
        return ()
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ()
    statements = decoded if isinstance(decoded, list) else [decoded]
    ids = [statement.get("id") if isinstance(statement, dict) else None for statement in statements]
    if request.method == "PUT" and ids == [None]:
        ids = [request.query.get("statementId")]
    return tuple(statement_id if isinstance(statement_id, str) else None for statement_id in ids)
