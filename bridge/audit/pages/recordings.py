"""The recording of a session: every call that its course made, and the file of it."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.redaction import redact_mention
from bridge.audit.access.roles import Role, may_see_names
from bridge.audit.components.call_list import calls_after
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import not_found, position_param, uuid_param
from bridge.audit.dependencies import DEPENDENCIES
from bridge.recordings.download import write_recording
from storage.queries import recordings

MAX_CALLS = 200
"""Calls of a page."""


async def _recording(request: web.Request) -> web.StreamResponse:
    session_id, first = uuid_param(request, "session_id", "session"), position_param(request, "call")

    def query(connection: Connection) -> dict[str, Any] | None:
        session = recordings.recorded_session(connection, session_id)
        summary = recordings.summary(connection, session_id)
        if session is None or summary is None:
            return None
        calls, following = calls_after(request, connection, session_id, first - 1, MAX_CALLS)
        return {
            "whose": session._replace(
                learner_name=session.learner_name if may_see_names(request) else "",
                activity_name=redact_mention(request, session.activity_name, session.learner_name),
                activity_id=redact_mention(request, session.activity_id, session.learner_name),
            ),
            "summary": summary,
            "calls": calls,
            "next_call": None if following is None else following + 1,
        }

    values = await request.app[DEPENDENCIES].database.read(query)
    if values is None:
        raise not_found("recording")
    return render_page(request, "recording.html", **values)


async def _file(request: web.Request) -> web.StreamResponse:
    session_id = uuid_param(request, "session_id", "session")
    content = await request.app[DEPENDENCIES].exports.read(write_recording, session_id)
    if content is None:
        raise not_found("recording")
    return web.Response(
        body=content,
        content_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="recording-{session_id}.ndjson"'},
    )


ROUTES = (
    Route("GET", "/sessions/{session_id}/calls", _recording, Role.READER),
    Route("GET", "/sessions/{session_id}/recording", _file, Role.AUDITOR),
)
