"""The audit trail: what people changed."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import page
from bridge.audit.components.request_params import midnight, text_in
from bridge.audit.dependencies import DEPENDENCIES
from storage.audit import trail
from storage.audit.pages import Page, encode
from storage.audit.trail import Looked, NumberedAct


async def _trail(request: web.Request) -> web.StreamResponse:
    told = request.query
    which = Looked(
        text_in(request, "by") or "",
        text_in(request, "verb") or "",
        text_in(request, "subject") or "",
        midnight(told.get("since", "")),
        midnight(told.get("until", ""), after=True),
    )

    def look(connection: Connection) -> tuple[Page[NumberedAct], list[str]]:
        return trail.find(connection, which, after=told.get("after")), trail.verbs(connection)

    found, verbs = await request.app[DEPENDENCIES].database.read(look)
    return page(
        request,
        "trail.html",
        page=found,
        which=which,
        verbs=verbs,
        is_filtered=which != Looked() or "after" in told,
        cursor_before=lambda number: encode((number + 1,)),
    )


ROUTES = (Route("GET", "/trail", _trail, Role.AUDITOR),)
