"""Looking into the sandbox LRS and steering it from outside, without credentials: ``/control/…``."""

from __future__ import annotations

import msgspec
from aiohttp import web

from bridge.sandbox.change_stream import CHANGES
from bridge.sandbox.lrs import faults
from bridge.sandbox.lrs.documents import DOCUMENTS
from bridge.sandbox.lrs.gate import json_response, refusal
from bridge.sandbox.lrs.ledger import LEDGER
from bridge.sandbox.lrs.store import STATEMENTS


def routes() -> list[web.RouteDef]:
    """Return the routes of the control."""
    return [
        web.get("/control/faults", _get_faults),
        web.put("/control/faults", _put_faults),
        web.get("/control/ledger", _get_ledger),
        web.get("/control/statements", _get_statements),
        web.delete("/control", _delete),
    ]


async def _get_faults(request: web.Request) -> web.Response:
    """Answer ``{"rules": [...], "matched": [...], "fired": [...]}``, three arrays in the order of the script."""
    return json_response(request.app[faults.FAULTS].report())


async def _put_faults(request: web.Request) -> web.Response:
    """Put the script of the body, an array of rules, in force; a wrong one is answered 400 and the old one stays."""
    try:
        rules = faults.load(await request.read())
    except msgspec.DecodeError as error:
        return refusal(400, [f"script: {error}"])
    request.app[faults.FAULTS].exchange(rules)
    return web.Response(status=204)


async def _get_ledger(request: web.Request) -> web.Response:
    """Answer every xAPI request so far, in order of arrival, as an array."""
    return json_response(request.app[LEDGER].arrivals())


async def _get_statements(request: web.Request) -> web.Response:
    """Answer every statement stored, in order of first arrival and voided ones included, as an array."""
    return json_response(request.app[STATEMENTS].statements())


async def _delete(request: web.Request) -> web.Response:
    """Forget statements, documents and ledger, and let the fault script begin anew."""
    request.app[STATEMENTS].clear()
    request.app[DOCUMENTS].clear()
    request.app[LEDGER].clear()
    request.app[faults.FAULTS].reset()
    request.app[CHANGES].notify()
    return web.Response(status=204)
