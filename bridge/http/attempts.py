"""Reading an attempt, all its sessions together."""

from __future__ import annotations

import msgspec
from aiohttp import hdrs, web
from sqlalchemy import Connection

from bridge.errors import AttemptUnknown, MalformedField
from bridge.http import history
from bridge.http.history import Cursors
from bridge.http.query_parameters import check_parameters
from bridge.http.services import lms_of, services
from mappings.xapi.validation.syntax import UUID_PATTERN
from storage.queries import lookups
from storage.states import TokenScope


async def get_attempt(request: web.Request) -> web.Response:
    """`GET /v1/attempts/{attempt_id}`: return what `GET /v1/sessions/{session_id}` does, of all its sessions."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.READ)
    check_parameters(request, history.ATTEMPT_PARAMETERS)
    attempt_id = request.match_info["attempt_id"]
    if UUID_PATTERN.fullmatch(attempt_id) is None:
        raise MalformedField(f"An attempt's id is the UUID in `attempt.id` of responses, not {attempt_id[:60]!r}.")
    with parts.query_limiter.hold(lms.id):
        cursors = history.parse_cursors(request)
        body = await parts.database.lms.read(_attempt, attempt_id.lower(), lms.id, cursors)
    return web.Response(body=body, content_type="application/json")


def _attempt(connection: Connection, attempt_id: str, lms_id: int, cursors: Cursors) -> bytes:
    row = lookups.find_attempt(connection, attempt_id)
    if row is None or row.enrollment.lms_id != lms_id:
        raise AttemptUnknown(f"This LMS has no attempt {attempt_id}.")
    # data for the next launch can be a megabyte: it is written here, off the event loop
    return msgspec.json.encode(history.attempt_response(connection, row, cursors))
