"""The gate before the xAPI resources: who asks, in which version, and how a refusal is worded.

Source: xAPI Communication, sections 3.2 (Error Codes), 3.3 (Versioning) and 4.0 (Authentication).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import hdrs, web

from mappings.xapi.validation import Edition, syntax

PREFIX: Final = "/xapi"
MORE: Final = f"{PREFIX}/extensions/more"
VERSION_HEADER: Final = "X-Experience-API-Version"
CONSISTENT_THROUGH: Final = "X-Experience-API-Consistent-Through"
ANYONE: Final = "anyone"

NOW: Final[web.AppKey[Callable[[], datetime]]] = web.AppKey("NOW")
"""The clock: returns the current time, aware and in UTC."""

EDITIONS: Final[web.AppKey[tuple[Edition, ...]]] = web.AppKey("EDITIONS")
"""The editions of the standard that are answered."""

CREDENTIALS: Final[web.AppKey[Mapping[str, str]]] = web.AppKey("CREDENTIALS")
"""Passwords by user name; empty lets anyone in."""

READERS: Final[web.AppKey[Collection[str]]] = web.AppKey("READERS")
"""The users who may read only."""

USER: Final = web.RequestKey("USER", str)
EDITION: Final = web.RequestKey("EDITION", Edition)


class RefusedError(Exception):
    """A request is refused, and nothing was changed by it.

    Attributes:
        status: the HTTP status of the answer.
        problems: what was wrong, one line each, each naming the place.
    """

    def __init__(self, status: int, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.status = status
        self.problems = problems


def json_response(value: object, *, status: int = 200) -> web.Response:
    """Answer with a value as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def refusal(status: int, problems: Iterable[str]) -> web.Response:
    """Answer a refusal: ``{"status": 400, "problems": ["statements[3].verb: is missing"]}``."""
    response = json_response({"status": status, "problems": list(problems)}, status=status)
    if status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Sandbox LRS"'
    return response


def is_xapi(request: web.Request) -> bool:
    """Return whether a request is for an xAPI resource, and not for the page or the control."""
    return request.path == PREFIX or request.path.startswith(f"{PREFIX}/")


@web.middleware
async def gate(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let xAPI requests with good credentials and a known version through, and answer refusals.

    The about resource needs neither. Every answer names the version, those of the statements resource how far
    they are consistent: to this very moment, since whatever is stored can be read at once.
    """
    if not is_xapi(request):
        return await handler(request)
    try:
        if request.path != f"{PREFIX}/about":
            request[USER] = _authenticated(request)
            request[EDITION] = _edition(request)
            _refuse_encodings(request)
        response = await handler(request)
    except RefusedError as refused:
        response = refusal(refused.status, refused.problems)
    except RecursionError:
        response = refusal(400, ["body: is nested too deep"])
    except web.HTTPException as error:
        _mark(request, error)
        raise
    _mark(request, response)
    return response


def _mark(request: web.Request, response: web.StreamResponse) -> None:
    offered = request.app[EDITIONS]
    response.headers[VERSION_HEADER] = request.get(EDITION, max(offered))
    if request.path in {f"{PREFIX}/statements", MORE}:
        response.headers[CONSISTENT_THROUGH] = syntax.timestamp(request.app[NOW]())


def _authenticated(request: web.Request) -> str:
    credentials = request.app[CREDENTIALS]
    user, password = _basic(request.headers.get(hdrs.AUTHORIZATION, ""))
    if not credentials:
        return user or ANYONE
    expected = credentials.get(user, "")
    matches = hmac.compare_digest(password.encode(), expected.encode())
    if user not in credentials or not matches:
        raise RefusedError(401, "Authorization: Basic credentials that this LRS knows are needed")
    if user in request.app[READERS] and request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
        raise RefusedError(403, f"Authorization: {user!r} may read only")
    return user


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _edition(request: web.Request) -> Edition:
    version = request.headers.get(VERSION_HEADER)
    editions = request.app[EDITIONS]
    offered = " or ".join(editions)
    if version is None:
        raise RefusedError(400, f"{VERSION_HEADER}: this header is missing; this LRS answers {offered}")
    edition = Edition.of(version)
    if edition is None or edition not in editions:
        raise RefusedError(400, f"{VERSION_HEADER}: this LRS answers {offered}, not {version!r}")
    return edition


def _refuse_encodings(request: web.Request) -> None:
    # No LRS has to decode bodies, so a client that compresses them must not get away with it here.
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if encoding.lower() != "identity":
        raise RefusedError(400, f"Content-Encoding: bodies are read plain, not as {encoding!r}")
