"""API calls that a page has recorded, stored beside its commits and without delaying any."""

from __future__ import annotations

import msgspec
from aiohttp import web

from bridge.commit_model.response_types import SuccessResponse
from bridge.errors import CommitTokenExpired, NoToken, RecordingForbidden
from bridge.http import request_body
from bridge.http.browser_sessions import check_browser_commit
from bridge.http.fast_response import FastResponse
from bridge.http.refusals import LMS_ID
from bridge.http.services import services
from bridge.recordings.calls import MAX_PART_BYTES, parse_body
from storage import recordings
from storage.recordings import NewPart

_STORED = msgspec.json.encode(SuccessResponse())
"""What a page gets, also for what was known already, is beyond what is kept, or is of a learner who was erased."""


async def post_calls(request: web.Request) -> web.StreamResponse:
    """`POST /v1/sessions/{session_id}/calls?token=…`: store calls of a session that a page opened."""
    parts = services(request)
    limits = parts.recording_limits
    session_id = request_body.session_id(request.match_info["session_id"])
    token = request.query.get("token")
    if token is None:
        raise NoToken("Send calls to the commit URL of the session, with /calls in place of /commits.")
    try:
        owner = parts.commit_tokens.check(session_id, token)
    except CommitTokenExpired as error:
        request[LMS_ID] = error.lms_id
        raise
    request[LMS_ID] = owner.lms_id
    if owner.key_id is None:
        raise RecordingForbidden("Calls are taken of sessions that a page opened with a browser key, and of no others.")
    await check_browser_commit(request, owner, limits.rates)
    body = await request_body.read_body(request, MAX_PART_BYTES)
    limits.admit(owner.lms_id, len(body))
    parsed = parse_body(body)
    calls = [(call.number, call.commit, msgspec.json.encode(call)) for call in parsed.calls]
    part = NewPart(session_id, parsed.started_at, parsed.made, parts.now(), calls)
    await parts.database.lms.write(recordings.add_part, part)
    return FastResponse(_STORED)
