"""Requests that were refused lately: what LMSs and players sent that could not be taken."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import page
from bridge.audit.components.request_params import text_in
from bridge.audit.dependencies import DEPENDENCIES
from storage import lms
from storage.queries import refusals
from storage.queries.keyset import ResultPage
from storage.queries.refusals import RefusalFilter, RefusalRow
from storage.refusals import MAX_KEPT


async def _refusals(request: web.Request) -> web.StreamResponse:
    which, after = RefusalFilter(text_in(request, "lms"), text_in(request, "code")), request.query.get("after")

    def look(connection: Connection) -> tuple[ResultPage[RefusalRow], list[tuple[str, int]], list[str]]:
        found = refusals.search(connection, which, after=after)
        return found, refusals.numbers(connection), lms.names(connection)

    found, numbers, lmss = await request.app[DEPENDENCIES].database.read(look)
    return page(
        request,
        "refusals.html",
        page=found,
        which=which,
        numbers=numbers,
        lmss=lmss,
        kept=MAX_KEPT,
        is_filtered=which != RefusalFilter() or after is not None,
    )


# what was wrong with a request can repeat some of what was in it
ROUTES = (Route("GET", "/refusals", _refusals, Role.AUDITOR),)
