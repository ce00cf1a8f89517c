"""Sessions: opening and reading them."""

from __future__ import annotations

import msgspec
from aiohttp import hdrs, web
from sqlalchemy import Connection

from bridge.access import CommitOwner
from bridge.commit_model.launch import Launch
from bridge.commits.commands import OpenSession
from bridge.errors import SessionUnknown
from bridge.formats import native
from bridge.formats.lenient_json import decode
from bridge.http import history, request_body
from bridge.http.history import Cursors
from bridge.http.query_parameters import check_parameters
from bridge.http.responses import SessionOpenedResponse
from bridge.http.services import lms_of, public_url, services
from storage.queries import lookups
from storage.states import TokenScope


async def open_session(request: web.Request) -> web.Response:
    """`POST /v1/sessions`: open a session and get the address its player posts commits to."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.COMMIT)
    check_parameters(request)
    body = await request_body.read_body(request)
    parsed = await parts.parsing.run(
        body, lambda: native.parse_open_session(decode(body) if body.strip() else None, lms_id=lms.id)
    )
    session_id = None if parsed.session_id is None else request_body.session_id(parsed.session_id)
    opened = await parts.commits.open_session(OpenSession(parsed.launch, session_id))
    return _json(
        SessionOpenedResponse(
            session_id=opened.session_id,
            commit_url=commit_url(request, opened.session_id, parsed.launch),
            attempt=opened.attempt,
            enrollment=opened.enrollment,
            cmi=opened.cmi,
            warnings=parsed.warnings,
        )
    )


def commit_url(request: web.Request, session_id: str, launch: Launch) -> str:
    """Return the address a session's commits are posted to, with the token that permits it."""
    tokens = services(request).commit_tokens
    owner = CommitOwner(launch.lms_id, tokens.learner_tag(launch.lms_id, launch.learner.id))
    token = tokens.sign(session_id, owner)
    return f"{public_url(request)}/v1/sessions/{session_id}/commits?token={token}"


async def get_session(request: web.Request) -> web.Response:
    """`GET /v1/sessions/{session_id}`: return its results, resume data, and what became of its commits."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.READ)
    check_parameters(request, history.SESSION_PARAMETERS)
    session_id = request_body.session_id(request.match_info["session_id"])
    with parts.query_limiter.hold(lms.id):
        body = await parts.database.lms.read(_session, session_id, lms.id, history.parse_cursors(request))
    return web.Response(body=body, content_type="application/json")


def _session(connection: Connection, session_id: str, lms_id: int, cursors: Cursors) -> bytes:
    row = lookups.find_session(connection, session_id)
    if row is None or row.attempt.enrollment.lms_id != lms_id:
        raise SessionUnknown(f"This LMS has no session {session_id}.")
    # data for the next launch can be a megabyte: it is written here, off the event loop
    return msgspec.json.encode(history.session_response(connection, row, cursors))


def _json(response: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(response), content_type="application/json")
