"""The cookie: a random secret, signed, which may stand for a sign-in.

Whoever comes to the sign-in page gets one, so that its form can be told from another site's; signing in gives another.
What is stored is a digest of the secret. The cookie is sent along when somebody follows a link to a page (`Lax`),
never with another site's forms.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from aiohttp import web

from bridge.audit.access.signer import Signer
from bridge.audit.dependencies import AUDIT_PARTS
from bridge.http.forwarded import PROXIES
from storage.lms import digest

COOKIE = "scorm_bridge_audit"
SECRET = web.RequestKey("secret", str)
"""The secret of the cookie that came with a request."""
CSRF = web.RequestKey("csrf", str)
"""What the forms of the page hold that answers a request."""
_PURPOSE = "cookie"


def signer(request: web.Request) -> Signer:
    """Give what signs for the pages."""
    return Signer(request.app[AUDIT_PARTS].keys)


def secret(request: web.Request) -> str | None:
    """Give the secret of the cookie that came, None where none came that the bridge gave."""
    return signer(request).read(_PURPOSE, request.cookies.get(COOKIE, ""))


def new() -> str:
    """Make a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def give(request: web.Request, response: web.StreamResponse, of: str, *, seconds: int | None = None) -> None:
    """Let the browser keep the secret `of`, for so many seconds or until it is closed."""
    response.set_cookie(
        COOKIE,
        signer(request).sign(_PURPOSE, of),
        max_age=seconds,
        path="/audit",
        secure=is_secure(request),
        httponly=True,
        samesite="Lax",
    )


def take_back(request: web.Request, response: web.StreamResponse) -> None:
    """Let the browser forget its cookie."""
    response.del_cookie(COOKIE, path="/audit", secure=is_secure(request), httponly=True, samesite="Lax")


def csrf_token(request: web.Request, of: str) -> str:
    """Give what the forms of a page hold whose browser has the secret `of`."""
    return signer(request).seal("form", of)


def is_csrf_token(request: web.Request, of: str, token: str) -> bool:
    """Tell whether a form is of a page that this browser was given."""
    return signer(request).is_sealed("form", of, token)


def digest_of(of: str) -> str:
    """Give what is stored of a secret."""
    return digest(of)


def is_secure(request: web.Request) -> bool:
    """Tell whether the browser speaks to the bridge, or to the outermost trusted proxy before it, over TLS."""
    public_url = request.app[AUDIT_PARTS].settings.server.public_url
    return urlsplit(public_url).scheme == "https" or "https" in {request.scheme, request.app[PROXIES].scheme(request)}
