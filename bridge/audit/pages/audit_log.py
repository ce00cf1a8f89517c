"""The audit log: what people changed."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import parse_day, text_param
from bridge.audit.dependencies import DEPENDENCIES
from storage import audit_log
from storage.audit_log import AuditFilter, NumberedEntry
from storage.queries.keyset import ResultPage, encode


async def _audit_log(request: web.Request) -> web.StreamResponse:
    params = request.query
    criteria = AuditFilter(
        text_param(request, "by") or "",
        text_param(request, "action") or "",
        text_param(request, "subject") or "",
        parse_day(params.get("since", "")),
        parse_day(params.get("until", ""), after=True),
    )

    def query(connection: Connection) -> tuple[ResultPage[NumberedEntry], list[str]]:
        return audit_log.search(connection, criteria, after=params.get("after")), audit_log.actions(connection)

    entries, actions = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "audit_log.html",
        page=entries,
        criteria=criteria,
        actions=actions,
        is_filtered=criteria != AuditFilter() or "after" in params,
        cursor_before=lambda number: encode((number + 1,)),
    )


ROUTES = (Route("GET", "/log", _audit_log, Role.AUDITOR),)
