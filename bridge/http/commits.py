"""The one way in for commits, whatever their address: authenticate, parse, store, and respond in the format's words.

An error is told in the words of the format, too, as far as it is known.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

import msgspec
from aiohttp import web
from msgspec.structs import replace
from sqlalchemy import Connection

from bridge import formats
from bridge.commit_model.response_types import SuccessResponse
from bridge.commit_model.responses import launch_values, shown_version
from bridge.commit_model.state_codec import decode_attempt_state, decode_session_state
from bridge.commits.commands import StoreCommit
from bridge.commits.package_scos import session_of
from bridge.errors import BridgeError, LearnerErased, MalformedBody, SessionUnknown
from bridge.formats import CommitRequest, Format, FormatError, FormatRequest, FormatResponse, SessionData, native
from bridge.http import request_body
from bridge.http.browser_sessions import reading_refused
from bridge.http.commit_authentication import Caller, authenticate_lms, authenticate_postback, authenticate_session
from bridge.http.commit_parsing import (
    ParsedRequest,
    parse_all_in_one,
    parse_detected,
    parse_format,
    parse_postback,
    payload_of,
)
from bridge.http.cors import BROWSER_KEY
from bridge.http.fast_response import FastResponse
from bridge.http.problems import HANDLED_ERRORS, as_bridge_error, problem_response
from bridge.http.services import services
from bridge.metrics.catalog import COMMIT_DURATION
from bridge.request_id import current_request_id
from mappings.cmi.render import render
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import from_json
from storage.queries import lookups

_STORED = msgspec.json.encode(SuccessResponse())
"""What a page gets for a commit, whatever became of it."""
FORMAT_NAMES = "|".join(formats.BY_NAME)
"""The formats that have an address of their own, as a route's pattern has them."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """How one kind of address takes commits.

    Attributes:
        authenticate: returns who sends a commit, and the commit as it was posted.
        parse: returns what it says; run off the event loop where the body is heavy.
        order_key: returns what commits that must stay in their order have in common; None where none must.
        challenge: the ways to authenticate, where it is not a bearer's token alone.
    """

    authenticate: Callable[[web.Request], Awaitable[tuple[Caller, CommitRequest]]]
    parse: Callable[[web.Request, Caller, CommitRequest, int], ParsedRequest]
    order_key: Callable[[Caller, CommitRequest], Hashable] | None = None
    challenge: str | None = None


def _by_session(caller: Caller, _commit_request: CommitRequest) -> Hashable:
    return caller.session_id


def _by_body(caller: Caller, commit_request: CommitRequest) -> Hashable:
    return caller.lms_id, native.order_key(commit_request.body)


_ALL_IN_ONE = _Endpoint(authenticate_lms, parse_all_in_one, _by_body)
_SESSION = _Endpoint(authenticate_session, parse_detected, _by_session)
_FORMAT = _Endpoint(authenticate_session, parse_format, _by_session)
# a client that has a password may wait to be asked for it
_POSTBACK = _Endpoint(authenticate_postback, parse_postback, challenge='Basic realm="scorm-xapi-bridge", Bearer')


async def post_all_in_one(request: web.Request) -> web.Response:
    """`POST /v1/commits`: session, learner, activity and CMI data in one body; opens the session if it is unknown.

    `POST /scorm/progress/{topic_id}/`: the same with the activity in the address and `cmi_data` in the body.
    """
    return await _handle(request, _ALL_IN_ONE)


async def post_to_session(request: web.Request) -> web.Response:
    """`POST /v1/sessions/{session_id}/commits`: a commit in any known format, for a session that is open already.

    Authorization: the token in the commit URL, or the LMS's.
    """
    return await _handle(request, _SESSION)


async def post_in_format(request: web.Request) -> web.Response:
    """`POST /v1/formats/{format}/sessions/{session_id}/commits`: the same, and the body is read as that format only.

    `GET` asks for what the session holds, in the format's own way where it has one.
    """
    return await _handle(request, _FORMAT, formats.BY_NAME[request.match_info["format"]])


async def post_postback(request: web.Request) -> web.Response:
    """`POST /v1/formats/scorm-cloud`: a postback, which tells its session, learner and course itself.

    Authorization: the LMS's token, as a bearer's or as the password of HTTP Basic or of the form.
    """
    return await _handle(request, _POSTBACK, formats.BY_NAME["scorm-cloud"])


async def _handle(request: web.Request, endpoint: _Endpoint, wire_format: Format | None = None) -> web.Response:
    """Handle a commit, in a span. `wire_format` is the one that its address names."""
    with services(request).tracing.span("commit", request.headers) as span:
        response = await _respond(request, endpoint, wire_format)
        span.set_attribute("http.response.status_code", response.status)
        span.set_attribute("scorm_bridge.request_id", current_request_id())
        return response


async def _respond(request: web.Request, endpoint: _Endpoint, wire_format: Format | None) -> web.Response:
    parts = services(request)
    received_at = parts.now()
    started = time.perf_counter()
    format_request: FormatRequest | None = None
    try:
        caller, commit_request = await endpoint.authenticate(request)
        order_key = endpoint.order_key
        parsed = await parts.parsing.run(
            commit_request.body,
            lambda: endpoint.parse(request, caller, commit_request, received_at),
            None if order_key is None else lambda: order_key(caller, commit_request),
        )
        wire_format, format_request = parsed.format, parsed.format_request
        if parsed.received:
            stored = await _store(request, caller, commit_request, parsed)
            if caller.is_browser:
                return FastResponse(_STORED)
            response = _to_http(wire_format.respond(format_request, stored, None))
            parts.metrics.observe(COMMIT_DURATION, time.perf_counter() - started)
            return response
        if caller.is_browser:
            raise reading_refused()
        return _to_http(await parts.database.read(_answer_query, parsed, caller.lms_id))
    except HANDLED_ERRORS as raised:
        error = as_bridge_error(raised)
        if isinstance(error, FormatError):
            wire_format, error = error.format, error.reason
        if BROWSER_KEY in request:
            return _browser_error_response(request, error)
        return _error_response(request, endpoint, error, wire_format, format_request)


async def _store(request: web.Request, caller: Caller, commit_request: CommitRequest, parsed: ParsedRequest) -> bytes:
    """Store what a request has to store, in its order, and return the response to the first of it."""
    format_request, commits = parsed.format_request, services(request).commits
    key = request_body.idempotency_key(request)
    scos = (
        tuple(part.sco for part in (format_request, *format_request.others))
        if format_request.sco or format_request.others
        else ()
    )
    if scos and caller.is_browser:
        raise MalformedBody("A session that a page opened with a browser key is of one SCO; send its values alone.")
    commands = [
        StoreCommit(
            received if key is None else replace(received, idempotency_key=key),
            parsed.session_id,
            caller.lms_id,
            parsed.launch,
            commit_request.content_type,
            payload_of(part, commit_request),
            commit_request.metadata,
            caller.owner,
            scos[place:] + scos[:place],
        )
        for place, (part, received) in enumerate(
            zip((format_request, *format_request.others), parsed.received, strict=True)
        )
    ]
    if len(commands) == 1:
        return await commits.store_commit(commands[0])
    return (await commits.store_commits(commands))[0]


def _answer_query(connection: Connection, parsed: ParsedRequest, lms_id: int | None) -> FormatResponse:
    """Answer what is asked of a session; it can be long."""
    assert parsed.session_id is not None  # noqa: S101 -- of the address
    format_request = parsed.format_request
    data = _session_data(connection, parsed.session_id, lms_id, format_request.version, format_request.sco)
    return parsed.format.respond(parsed.format_request, None, data)


def _session_data(
    connection: Connection, session_id: str, lms_id: int | None, version: ScormVersion | None, sco: str
) -> SessionData:
    """Return what a session holds, or the session of another SCO that was posted to it: nothing, if none was yet."""
    row = lookups.find_session(connection, session_id)
    if row is None or lms_id not in {None, row.attempt.enrollment.lms_id}:
        raise SessionUnknown(f"There is no session {session_id}; open it with POST /v1/sessions.")
    owner = row.attempt.enrollment
    if sco and sco != owner.activity_id and owner.sco not in {"", sco}:
        row = lookups.find_session(connection, session_of(session_id, sco))
        if row is None:
            return SessionData({}, {})
    state = decode_attempt_state(row.attempt.state)
    cmi = render(
        state.snapshot,
        version or shown_version(row.attempt, state),
        launch_values(row, state, decode_session_state(row.state)),
    )
    return SessionData(cmi, {index: from_json(item) for index, item in (state.snapshot.interactions or {}).items()})


def _browser_error_response(request: web.Request, error: BridgeError) -> web.Response:
    """Return the response to a page, which shall not learn from it that a learner was erased."""
    services(request).refusals.note(request, error)
    return FastResponse(_STORED) if isinstance(error, LearnerErased | SessionUnknown) else problem_response(error)


def _error_response(
    request: web.Request,
    endpoint: _Endpoint,
    error: BridgeError,
    wire_format: Format | None,
    format_request: FormatRequest | None,
) -> web.Response:
    # the response may have to be a 200 with bad news in it: here at least it can be seen
    services(request).refusals.note(request, error, wire_format.name if wire_format is not None else "")
    if wire_format is None or wire_format.respond_error is None:
        response = problem_response(error)
        if error.status == 401 and endpoint.challenge is not None:
            response.headers["WWW-Authenticate"] = endpoint.challenge
        return response
    response = _to_http(wire_format.respond_error(error, format_request))
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _to_http(response: FormatResponse) -> web.Response:
    if response.status == 200 and response.content_type == "application/json":
        return FastResponse(response.body)
    charset = "utf-8" if response.content_type.startswith("text/") else None
    return web.Response(body=response.body, status=response.status, content_type=response.content_type, charset=charset)
