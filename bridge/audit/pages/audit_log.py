"""The audit trail: what people changed."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import page
from bridge.audit.components.request_params import midnight, text_in
from bridge.audit.dependencies import DEPENDENCIES
from storage import audit_log
from storage.audit_log import AuditFilter, NumberedEntry
from storage.queries.keyset import ResultPage, encode


async def _trail(request: web.Request) -> web.StreamResponse:
    told = request.query
    which = AuditFilter(
        text_in(request, "by") or "",
        text_in(request, "verb") or "",
        text_in(request, "subject") or "",
        midnight(told.get("since", "")),
        midnight(told.get("until", ""), after=True),
    )

    def look(connection: Connection) -> tuple[ResultPage[NumberedEntry], list[str]]:
        return audit_log.search(connection, which, after=told.get("after")), audit_log.actions(connection)

    found, verbs = await request.app[DEPENDENCIES].database.read(look)
    return page(
        request,
        "trail.html",
        page=found,
        which=which,
        verbs=verbs,
        is_filtered=which != AuditFilter() or "after" in told,
        cursor_before=lambda number: encode((number + 1,)),
    )


ROUTES = (Route("GET", "/trail", _trail, Role.AUDITOR),)
