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
from bridge.commits.launch import Launch
from bridge.commits.replies import launch_values, shown_version
from bridge.commits.work import Posting
from bridge.commits.workspace import decode_attempt_state, decode_session_state
from bridge.errors import BridgeError, MalformedBody, SessionUnknown
from bridge.formats import Call, Format, Post, Reply, State, scorm_cloud
from bridge.formats.body import Body, parse
from bridge.http import bodies
from bridge.http.answers import Answer
from bridge.http.problems import KNOWN, bridge_error, problem
from bridge.http.services import services
from mappings.cmi.render import render
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import from_json
from storage import lookups

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
        post = await bodies.read_post(request)
        body = parse(post.body)
        lms = await parts.lms_tokens.check(_authorization(request, body))
        return await post_postback(request, post, body, lms_id=lms.id, received_at=received_at)
    except KNOWN as raised:
        response = problem(bridge_error(raised))
        if response.status == 401:
            # a client that has a password may wait to be asked for it
            response.headers["WWW-Authenticate"] = 'Basic realm="scorm-xapi-bridge", Bearer'
        return response


async def post_postback(request: web.Request, post: Post, body: Body, *, lms_id: int, received_at: int) -> web.Response:
    """Store an LMS's postback and answer it.

    Raises:
        BridgeError: it is none, or what `errors` says.
    """
    results = scorm_cloud.find(body)
    if results is None:
        raise MalformedBody(f"The body is no postback; this address takes {scorm_cloud.FORMAT.shape}.")
    launch, session_id = scorm_cloud.read_launch(results.json, lms_id=lms_id)
    call = formats.read(scorm_cloud.FORMAT, post)
    return _response(await _store(request, scorm_cloud.FORMAT, call, post, (session_id, lms_id, launch, received_at)))


async def _serve(request: web.Request, door: Format | None) -> web.Response:
    parts = services(request)
    received_at = parts.now()
    spoken, call = door, None
    try:
        session_id = bodies.session_id(request.match_info["session_id"])
        lms_id = await _permitted(request, session_id)
        post = await bodies.read_post(request)
        spoken, call = _read(request, door, post)
        if call.commit is not None:
            return _response(await _store(request, spoken, call, post, (session_id, lms_id, None, received_at)))
        state = await parts.database.read(_state, session_id, lms_id, call.version)
        return _response(spoken.reply(call, None, state))
    except KNOWN as raised:
        error = bridge_error(raised)
        return _refused(error.format if isinstance(error, formats.Unreadable) else spoken, call, error)


async def _permitted(request: web.Request, session_id: str) -> int | None:
    """Check who posts; give the LMS, or None where the commit URL's token permits it."""
    parts = services(request)
    token = request.query.get("token")
    if token is not None:
        parts.commit_tokens.check(session_id, token)
        return None
    return (await parts.lms_tokens.check(request.headers.get("Authorization"))).id


def _read(request: web.Request, door: Format | None, post: Post) -> tuple[Format, Call]:
    if door is None:
        return formats.recognise(post)
    if request.method != "GET":
        return door, formats.read(door, post)
    return door, _asked(door, post)


def _asked(door: Format, post: Post) -> Call:
    if not post.query:
        return Call(asks=())
    try:
        call = formats.read(door, Post(urlencode(post.query).encode(), query=post.query))
    except formats.Unreadable:
        raise
    except MalformedBody:
        return Call(asks=())
    if call.commit is not None:
        raise formats.Unreadable("GET only asks; what is to be stored has to be posted.", door)
    return call


async def _store(
    request: web.Request, spoken: Format, call: Call, post: Post, whose: tuple[str, int | None, Launch | None, int]
) -> Reply:
    session_id, lms_id, launch, received_at = whose
    assert call.commit is not None  # noqa: S101 -- its callers have looked
    body = post.body if call.payload is None else call.payload
    arrival = bodies.arrival(request, call.commit, body, received_at)
    posting = Posting(arrival, session_id, lms_id, launch, post.content_type, body, post.beside)
    answer = await services(request).commits.post(posting)
    return spoken.reply(call, answer, None)


def _state(connection: Connection, session_id: str, lms_id: int | None, version: ScormVersion | None) -> State:
    row = lookups.find_session(connection, session_id)
    if row is None or lms_id not in {None, row.attempt.enrollment.lms_id}:
        raise SessionUnknown(f"There is no session {session_id}; open it with POST /v1/sessions.")
    state = decode_attempt_state(row.attempt.state)
    cmi = render(
        state.snapshot,
        version or shown_version(row.attempt, state),
        launch_values(row, state, decode_session_state(row.state)),
    )
    return State(cmi, {index: from_json(one) for index, one in (state.snapshot.interactions or {}).items()})


def _authorization(request: web.Request, body: Body) -> str | None:
    """Give the LMS's token as a bearer's, wherever it came."""
    header = request.headers.get("Authorization")
    if header is None:
        password = dict(body.form).get("password", "")
        return f"Bearer {password}" if password else None
    scheme, _, told = header.partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        told = base64.b64decode(told.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return f"Bearer {told.partition(':')[2]}"


def _refused(spoken: Format | None, call: Call | None, error: BridgeError) -> web.Response:
    if spoken is None or spoken.refusal is None:
        return problem(error)
    # the answer may have to be a 200 with bad news in it: here at least it can be seen
    log.info("commit_refused", format=spoken.name, code=error.code, detail=error.detail)
    response = _response(spoken.refusal(error, call))
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _response(reply: Reply) -> web.Response:
    if reply.status == 200 and reply.content_type == "application/json":
        return Answer(reply.body)
    charset = "utf-8" if reply.content_type.startswith("text/") else None
    return web.Response(body=reply.body, status=reply.status, content_type=reply.content_type, charset=charset)
