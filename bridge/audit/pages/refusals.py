"""Refused requests: what LMSs and players sent that could not be accepted."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import text_param
from bridge.audit.dependencies import DEPENDENCIES
from storage import lms
from storage.queries import refusals
from storage.queries.keyset import ResultPage
from storage.queries.refusals import RefusalFilter, RefusalRow
from storage.refusals import MAX_KEPT


async def _refusals(request: web.Request) -> web.StreamResponse:
    criteria, after = RefusalFilter(text_param(request, "lms"), text_param(request, "code")), request.query.get("after")

    def query(connection: Connection) -> tuple[ResultPage[RefusalRow], list[tuple[str, int]], list[str]]:
        rows = refusals.search(connection, criteria, after=after)
        return rows, refusals.numbers(connection), lms.names(connection)

    refusal_page, counts, lms_names = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "refusals.html",
        page=refusal_page,
        criteria=criteria,
        counts=counts,
        lms_names=lms_names,
        kept=MAX_KEPT,
        is_filtered=criteria != RefusalFilter() or after is not None,
    )


# details can repeat parts of a request
ROUTES = (Route("GET", "/refusals", _refusals, Role.AUDITOR),)
