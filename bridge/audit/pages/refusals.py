"""Refused requests: what LMSs and players sent that could not be accepted."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import text_param
from bridge.audit.dependencies import DEPENDENCIES
from bridge.errors import BridgeError
from storage import lms
from storage.queries import refusals
from storage.queries.keyset import ResultPage
from storage.queries.refusals import RefusalFilter, RefusalGroup, RefusalRow
from storage.refusals import MAX_KEPT


class ErrorMeaning(NamedTuple):
    """An error's title, and what it means."""

    title: str
    text: str


async def _refusals(request: web.Request) -> web.StreamResponse:
    criteria, after = RefusalFilter(text_param(request, "lms"), text_param(request, "code")), request.query.get("after")

    def query(connection: Connection) -> tuple[ResultPage[RefusalRow], list[RefusalGroup], list[str]]:
        rows = refusals.search(connection, criteria, after=after)
        return rows, refusals.groups(connection), lms.names(connection)

    refusal_page, groups, lms_names = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "refusals.html",
        page=refusal_page,
        criteria=criteria,
        groups=groups,
        meanings=_meanings(),
        lms_names=lms_names,
        kept=MAX_KEPT,
        is_filtered=criteria != RefusalFilter() or after is not None,
    )


@cache
def _meanings() -> dict[str, ErrorMeaning]:
    """Return code -> what it means."""
    meanings: dict[str, ErrorMeaning] = {}
    waiting: list[type[BridgeError]] = [BridgeError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if "code" in vars(error):
            meanings[error.code] = ErrorMeaning(error.title, " ".join((error.__doc__ or "").split()))
    return meanings


# details can repeat parts of a request
ROUTES = (Route("GET", "/refusals", _refusals, Role.AUDITOR),)
