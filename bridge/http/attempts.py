"""Asking after an attempt, all its sessions together."""

from __future__ import annotations

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.clock import format_timestamp
from bridge.commit_model.responses import attempt_object, enrollment_object
from bridge.errors import AttemptUnknown, MalformedField
from bridge.http import reports, request_body
from bridge.http.reports import Places
from bridge.http.services import lms_of, services
from storage import lookups
from storage.report_lines import Whose


async def get_attempt(request: web.Request) -> web.Response:
    """`GET /v1/attempts/{attempt_id}`: what `GET /v1/sessions/{session_id}` tells, of all its sessions together."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get("Authorization"))
    told = request.match_info["attempt_id"]
    if request_body.UUID.fullmatch(told) is None:
        raise MalformedField(f"An attempt's id is the UUID that answers tell as attempt.id, not {told[:60]!r}.")
    with parts.asking.hold(lms.id):
        places = reports.asked_places(request)
        answer = await parts.database.lms.read(_attempt_object, told.lower(), lms.id, places)
    return web.Response(body=answer, content_type="application/json")


def _attempt_object(connection: Connection, attempt_id: str, lms_id: int, places: Places) -> bytes:
    row = lookups.find_attempt(connection, attempt_id)
    if row is None or row.enrollment.lms_id != lms_id:
        raise AttemptUnknown(f"This LMS has no attempt {attempt_id}.")
    answer = {
        "result": True,
        "errorCode": 0,
        "started_at": format_timestamp(row.started_at),
        "last_commit_at": format_timestamp(row.last_commit_at),
        "attempt": attempt_object(row),
        "enrollment": enrollment_object(row.enrollment),
        "cmi": reports.resume_data(row),
        **reports.lists(connection, Whose(row.id), places),
    }
    # data for the next launch can be a megabyte: it is written here, off the event loop
    return msgspec.json.encode(answer)
