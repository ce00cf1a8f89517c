"""Commits in any wire format: one address that recognises them, and one for each format.

Whoever posts is answered in the words of its own format, refusals included, as far as the format is known.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlencode

import structlog
from aiohttp import web
from sqlalchemy import Connection

from bridge import formats
from bridge.access import CommitOwner
from bridge.commit_model.launch import Launch
from bridge.commit_model.responses import launch_values, shown_version
from bridge.commit_model.state_codec import decode_attempt_state, decode_session_state
from bridge.commits.commands import StoreCommit
from bridge.errors import BridgeError, CommitTokenExpired, MalformedBody, SessionUnknown
from bridge.formats import CommitRequest, Format, FormatRequest, FormatResponse, SessionData, body, scorm_cloud
from bridge.http import request_body
from bridge.http.fast_response import FastResponse
from bridge.http.problems import HANDLED_ERRORS, as_bridge_error, problem_response
from bridge.http.refusals import LMS_ID
from bridge.http.services import lms_of, services
from mappings.attempt.commit import ReceivedCommit
from mappings.cmi.render import render
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import from_json
from storage.queries import lookups

log = structlog.get_logger(__name__)

NAMES = "|".join(formats.BY_NAME)
"""The formats that have a door, as a route's pattern has them."""


async def post_to_session(request: web.Request) -> web.Response:
    """`POST /v1/sessions/{session_id}/commits`: a commit in any known format, for a session that is open already.

    Who may: the token in the commit URL, or the LMS's.
    """
    return await _serve(request, None)


async def post_to_door(request: web.Request) -> web.Response:
    """`POST /v1/formats/{format}/sessions/{session_id}/commits`: the same, and the body is read as that format only.

    `GET` asks for what the session holds, in the format's own way where it has one.
    """
    return await _serve(request, formats.BY_NAME[request.match_info["format"]])


async def post_results(request: web.Request) -> web.Response:
    """`POST /v1/formats/scorm-cloud`: a postback, which tells its session, learner and course itself.

    Who may: the LMS's token, as a bearer's or as the password of HTTP Basic or of the form.
    """
    parts = services(request)
    received_at = parts.now()
    try:
        header = request.headers.get("Authorization")
        if header is not None:
            lms = await lms_of(request, _bearer(header))
            post = await request_body.read_commit_request(request)
        else:
            post = await request_body.read_commit_request(request)
            lms = await lms_of(request, await _bearer_in_form(request, post))
        return await post_postback(request, post, lms_id=lms.id, received_at=received_at)
    except HANDLED_ERRORS as raised:
        error = as_bridge_error(raised)
        parts.refusals.note(request, error, scorm_cloud.FORMAT.name)
        response = problem_response(error)
        if response.status == 401:
            # a client that has a password may wait to be asked for it
            response.headers["WWW-Authenticate"] = 'Basic realm="scorm-xapi-bridge", Bearer'
        return response


async def post_postback(request: web.Request, post: CommitRequest, *, lms_id: int, received_at: int) -> web.Response:
    """Store an LMS's postback and answer it.

    Raises:
        BridgeError: it is none, or what `errors` says.
    """

    def parse() -> tuple[FormatRequest, Launch, str, ReceivedCommit]:
        results = scorm_cloud.find(body.parse(post.body))
        if results is None:
            raise MalformedBody(f"The body is no postback; this address takes {scorm_cloud.FORMAT.description}.")
        opening = scorm_cloud.read_launch(results.json, lms_id=lms_id)
        call = formats.read(scorm_cloud.FORMAT, post)
        assert call.commit is not None  # noqa: S101 -- a postback always is one
        assert opening.session_id is not None  # noqa: S101 -- made of the registration's id
        arrived = request_body.arrival(call.commit, _payload(call, post), received_at, opening.warnings)
        return call, opening.launch, opening.session_id, arrived

    call, launch, session_id, arrived = await services(request).parsing.run(post.body, parse)
    reply = await _store(request, (scorm_cloud.FORMAT, call, [arrived]), post, (session_id, lms_id, launch))
    return _response(reply)


async def _serve(request: web.Request, door: Format | None) -> web.Response:
    parts = services(request)
    received_at = parts.now()
    spoken, call = door, None
    try:
        session_id = request_body.session_id(request.match_info["session_id"])
        lms_id, owner = await _permitted(request, session_id)
        post = await request_body.read_commit_request(request)

        def parse() -> tuple[Format, FormatRequest, list[ReceivedCommit]]:
            found, wanted = _read(request, door, post)
            arrivals = [
                request_body.arrival(one.commit, _payload(one, post), received_at)
                for one in (wanted, *wanted.others)
                if one.commit is not None
            ]
            return found, wanted, arrivals

        found, call, arrivals = await parts.parsing.run(post.body, parse, lambda: session_id)
        spoken = found
        if arrivals:
            return _response(await _store(request, (found, call, arrivals), post, (session_id, lms_id, None), owner))
        return _response(await parts.database.read(_answer, found, call, session_id, lms_id))
    except HANDLED_ERRORS as raised:
        error = as_bridge_error(raised)
        if isinstance(error, formats.FormatError):
            spoken, error = error.format, error.reason
        return _refused(request, spoken, call, error)


async def _permitted(request: web.Request, session_id: str) -> tuple[int | None, CommitOwner | None]:
    """Check who posts; give the LMS, or whose the session is where the commit URL's token permits it."""
    parts = services(request)
    token = request.query.get("token")
    if token is not None:
        try:
            owner = parts.commit_tokens.check(session_id, token)
        except CommitTokenExpired as error:
            request[LMS_ID] = error.lms_id
            raise
        request[LMS_ID] = owner.lms_id
        return None, owner
    return (await lms_of(request, request.headers.get("Authorization"))).id, None


def _read(request: web.Request, door: Format | None, post: CommitRequest) -> tuple[Format, FormatRequest]:
    if door is None:
        return formats.detect(post)
    if request.method != "GET":
        return door, formats.read(door, post)
    return door, _asked(door, post)


def _asked(door: Format, post: CommitRequest) -> FormatRequest:
    if not post.query:
        return FormatRequest(requested=())
    try:
        call = formats.read(door, CommitRequest(urlencode(post.query).encode(), query=post.query))
    except formats.FormatError:
        raise
    except MalformedBody:
        return FormatRequest(requested=())
    if call.commit is not None:
        raise formats.FormatError(MalformedBody("GET only asks; what is to be stored has to be posted."), door)
    return call


def _payload(call: FormatRequest, post: CommitRequest) -> bytes:
    """Return what the journal keeps of a post."""
    return post.body if call.payload is None else call.payload


async def _store(
    request: web.Request,
    read: tuple[Format, FormatRequest, list[ReceivedCommit]],
    post: CommitRequest,
    whose: tuple[str, int | None, Launch | None],
    owner: CommitOwner | None = None,
) -> FormatResponse:
    """Store what one post has to store, in its order, and answer it."""
    spoken, call, arrivals = read
    commits, scos = services(request).commits, _scos(call)
    postings = [
        StoreCommit(
            request_body.with_key(arrived, request),
            *whose,
            post.content_type,
            _payload(one, post),
            post.metadata,
            owner,
            scos[place:] + scos[:place],
        )
        for place, (one, arrived) in enumerate(zip((call, *call.others), arrivals, strict=True))
    ]
    answer = await commits.post(postings[0]) if len(postings) == 1 else (await commits.post_all(postings))[0]
    return spoken.reply(call, answer, None)


def _scos(call: FormatRequest) -> tuple[str, ...]:
    """Return the SCOs that a post has values of, none where its player does not name them."""
    return tuple(one.sco for one in (call, *call.others)) if call.sco or call.others else ()


def _answer(
    connection: Connection, spoken: Format, call: FormatRequest, session_id: str, lms_id: int | None
) -> FormatResponse:
    """Answer a question; what is asked for can be long."""
    return spoken.reply(call, None, _state(connection, session_id, lms_id, call.version))


def _state(connection: Connection, session_id: str, lms_id: int | None, version: ScormVersion | None) -> SessionData:
    row = lookups.find_session(connection, session_id)
    if row is None or lms_id not in {None, row.attempt.enrollment.lms_id}:
        raise SessionUnknown(f"There is no session {session_id}; open it with POST /v1/sessions.")
    state = decode_attempt_state(row.attempt.state)
    cmi = render(
        state.snapshot,
        version or shown_version(row.attempt, state),
        launch_values(row, state, decode_session_state(row.state)),
    )
    return SessionData(cmi, {index: from_json(one) for index, one in (state.snapshot.interactions or {}).items()})


def _bearer(header: str) -> str | None:
    """Return an Authorization header's token as a bearer's; the password of HTTP Basic is one."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return f"Bearer {decoded.partition(':')[2]}"


async def _bearer_in_form(request: web.Request, post: CommitRequest) -> str | None:
    """Return the token in a form's field `password` as a bearer's.

    Nobody knows yet who sent the form, so nothing but its fields is parsed, and few of them.
    """
    password = await services(request).parsing.run(post.body, lambda: body.form_field(post.body, "password"))
    return f"Bearer {password}" if password else None


def _refused(
    request: web.Request, spoken: Format | None, call: FormatRequest | None, error: BridgeError
) -> web.Response:
    # the answer may have to be a 200 with bad news in it: here at least it can be seen
    services(request).refusals.note(request, error, spoken.name if spoken is not None else "")
    if spoken is None or spoken.refusal is None:
        return problem_response(error)
    response = _response(spoken.refusal(error, call))
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _response(reply: FormatResponse) -> web.Response:
    if reply.status == 200 and reply.content_type == "application/json":
        return FastResponse(reply.body)
    charset = "utf-8" if reply.content_type.startswith("text/") else None
    return web.Response(body=reply.body, status=reply.status, content_type=reply.content_type, charset=charset)
