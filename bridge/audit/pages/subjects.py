"""One learner, one course, one activity: what its enrollments come to, and each of them."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.redaction import redact_name
from bridge.audit.access.roles import Role
from bridge.audit.components.enrollment_list import load_list
from bridge.audit.components.filter_options import filter_options
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import not_found, text_param
from bridge.audit.dependencies import DEPENDENCIES
from storage.deliveries import DeliveryFilter
from storage.queries import enrollments, statements, subjects
from storage.queries.enrollment_filter import AttemptFilter
from storage.states import SearchKind

STATEMENTS = 10
"""Statements that are shown, the newest ones."""


async def _learner(request: web.Request) -> web.StreamResponse:
    return await _page(request, SearchKind.LEARNER)


async def _course(request: web.Request) -> web.StreamResponse:
    return await _page(request, SearchKind.COURSE)


async def _activity(request: web.Request) -> web.StreamResponse:
    return await _page(request, SearchKind.ACTIVITY)


async def _page(request: web.Request, kind: SearchKind) -> web.StreamResponse:
    lms, subject_id = text_param(request, "lms"), text_param(request, "id")

    def query(connection: Connection) -> dict[str, Any] | None:
        if lms is None or subject_id is None:
            return None
        totals = subjects.totals(connection, kind, lms, subject_id)
        ids = {kind.value: subject_id}
        learner, course, activity = (ids.get(subject_kind.value) for subject_kind in SearchKind)
        criteria = AttemptFilter(lms=lms, learner=learner, course=course, activity=activity)
        newest = enrollments.search(connection, criteria, limit=1).rows
        if totals is None or not newest:
            return None
        listed = load_list(request, connection, criteria)
        values: dict[str, Any] = {"totals": totals, "newest": redact_name(request, newest[0]), "listed": listed}
        if kind == SearchKind.COURSE:
            return values | {"activities": subjects.activities(connection, lms, subject_id)}
        selection = DeliveryFilter(lms=lms, learner=learner, activity=activity)
        rows = statements.search(connection, selection, limit=STATEMENTS).rows
        return values | {
            "statements": [redact_name(request, row) for row in rows],
            "verbs": filter_options(connection).verbs,
        }

    values = await request.app[DEPENDENCIES].database.read(query)
    if values is None:
        raise not_found(kind.value)
    return render_page(request, f"{kind.value}.html", subject_id=subject_id, lms=lms, **values)


ROUTES = (
    Route("GET", "/learner", _learner, Role.READER),
    Route("GET", "/course", _course, Role.READER),
    Route("GET", "/activity", _activity, Role.READER),
)
