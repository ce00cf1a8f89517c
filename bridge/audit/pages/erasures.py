"""Erasures: whom nobody finds here any more, by whose order, and what each target has still to remove."""

from __future__ import annotations

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.json_view import text_file
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import not_found, uuid_param
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.erasure import answer_status, receipt_of
from storage import erasures as stored
from storage.erasures import Erasure
from storage.queries.keyset import ResultPage

NOUN = "erasure"


async def _erasures(request: web.Request) -> web.StreamResponse:
    def query(connection: Connection) -> ResultPage[Erasure]:
        return stored.page(connection, after=request.query.get("after"))

    page = await request.app[DEPENDENCIES].database.read(query)
    return render_page(request, "erasures.html", page=page)


async def _erasure(request: web.Request) -> web.StreamResponse:
    erasure = await _load(request)
    return render_page(request, "erasure.html", erasure=erasure, answer_status=answer_status)


async def _receipt(request: web.Request) -> web.StreamResponse:
    erasure = await _load(request)
    receipt = msgspec.json.format(msgspec.json.encode(receipt_of(erasure)))
    return text_file(f"erasure-{erasure.uuid}.json", receipt)


async def _load(request: web.Request) -> Erasure:
    uuid = uuid_param(request, "uuid", NOUN)
    erasure = await request.app[DEPENDENCIES].database.read(stored.by_uuid, uuid)
    if erasure is None:
        raise not_found(NOUN)
    return erasure


# that somebody was erased, when and why, can tell who it was to people who know the learners
ROUTES = (
    Route("GET", "/erasures", _erasures, Role.AUDITOR),
    Route("GET", "/erasures/{uuid}", _erasure, Role.AUDITOR),
    Route("GET", "/erasures/{uuid}/receipt", _receipt, Role.AUDITOR),
)
