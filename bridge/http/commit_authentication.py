"""Who sends a commit: an LMS by its token, or whoever has the commit URL of a session."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from aiohttp import hdrs, web

from bridge.access import CommitOwner
from bridge.errors import CommitTokenExpired
from bridge.formats import CommitRequest, body
from bridge.http import request_body
from bridge.http.browser_sessions import check_browser_commit
from bridge.http.refusals import LMS_ID
from bridge.http.services import lms_of, services
from storage.states import TokenScope


class Caller(NamedTuple):
    """Who sends a commit.

    `lms_id` is None where the commit URL's token showed that the session may be written, whose `owner` it then says.
    `session_id` is that of the address, None where the body has it.
    """

    lms_id: int | None
    owner: CommitOwner | None = None
    session_id: str | None = None

    @property
    def is_browser(self) -> bool:
        """Return whether it is a page that opened its session with a browser key."""
        return self.owner is not None and self.owner.key_id is not None


async def authenticate_lms(request: web.Request) -> tuple[Caller, CommitRequest]:
    """Return the LMS whose token came with a commit, and the commit as it was posted.

    Raises:
        BridgeError: what `errors` says.
    """
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.COMMIT)
    return Caller(lms.id), await request_body.read_commit_request(request)


async def authenticate_session(request: web.Request) -> tuple[Caller, CommitRequest]:
    """Return who may commit to the session in the address, and the commit as it was posted.

    That is who has the token of its commit URL, or an LMS.

    Raises:
        BridgeError: what `errors` says.
    """
    session_id = request_body.session_id(request.match_info["session_id"])
    token = request.query.get("token")
    if token is None:
        lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.COMMIT)
        return Caller(lms.id, None, session_id), await request_body.read_commit_request(request)
    try:
        owner = services(request).commit_tokens.check(session_id, token)
    except CommitTokenExpired as error:
        request[LMS_ID] = error.lms_id
        raise
    request[LMS_ID] = owner.lms_id
    if owner.key_id is not None:
        await check_browser_commit(request, owner)
    return Caller(None, owner, session_id), await request_body.read_commit_request(request)


async def authenticate_postback(request: web.Request) -> tuple[Caller, CommitRequest]:
    """Return the LMS that sends a postback, and the postback as it was posted.

    Its token is a bearer's, or the password of HTTP Basic or of the form.

    Raises:
        BridgeError: what `errors` says.
    """
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is not None:
        lms = await lms_of(request, _as_bearer(header), TokenScope.COMMIT)
        return Caller(lms.id), await request_body.read_commit_request(request)
    commit_request = await request_body.read_commit_request(request)
    lms = await lms_of(request, await _bearer_in_form(request, commit_request), TokenScope.COMMIT)
    return Caller(lms.id), commit_request


def _as_bearer(header: str) -> str | None:
    """Return an Authorization header's token as a bearer's; the password of HTTP Basic is one."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return f"Bearer {decoded.partition(':')[2]}"


async def _bearer_in_form(request: web.Request, commit_request: CommitRequest) -> str | None:
    """Return the token in a form's field `password` as a bearer's.

    Nobody knows yet who sent the form, so nothing but its fields is parsed, and few of them.
    """
    form = commit_request.body
    password = await services(request).parsing.run(form, lambda: body.form_field(form, "password"))
    return f"Bearer {password}" if password else None
