"""The cookie: a random secret, signed, which may stand for a sign-in.

Every visitor of the sign-in page gets one, so that its form can be told from another site's; signing in replaces it.
What is stored is a digest of the secret. The cookie is sent along when somebody follows a link to a page (`Lax`),
never with another site's forms.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from aiohttp import web

from bridge.audit.access.signer import Signer
from bridge.audit.dependencies import DEPENDENCIES
from bridge.http.forwarded import PROXIES
from storage.tokens import digest

COOKIE = "scorm_bridge_audit"
SECRET = web.RequestKey("secret", str)
"""The secret of the cookie that came with a request."""
CSRF = web.RequestKey("csrf", str)
"""The token in the forms of the page that answers a request."""
_PURPOSE = "cookie"


def signer(request: web.Request) -> Signer:
    """Return the signer of the pages."""
    return Signer(request.app[DEPENDENCIES].keys)


def read_secret(request: web.Request) -> str | None:
    """Return the secret of the request's cookie, None where there is no cookie that the bridge signed."""
    return signer(request).verify(_PURPOSE, request.cookies.get(COOKIE, ""))


def new_secret() -> str:
    """Return a new secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def set_secret(request: web.Request, response: web.StreamResponse, secret: str, *, seconds: int | None = None) -> None:
    """Set the cookie of a secret, for so many seconds or until the browser is closed."""
    response.set_cookie(
        COOKIE,
        signer(request).sign(_PURPOSE, secret),
        max_age=seconds,
        path="/audit",
        secure=is_secure(request),
        httponly=True,
        samesite="Lax",
    )


def delete_secret(request: web.Request, response: web.StreamResponse) -> None:
    """Delete the browser's cookie."""
    response.del_cookie(COOKIE, path="/audit", secure=is_secure(request), httponly=True, samesite="Lax")


def csrf_token(request: web.Request, secret: str) -> str:
    """Return the token for the forms of a browser that has this secret."""
    return signer(request).signature("form", secret)


def is_valid_csrf_token(request: web.Request, secret: str, token: str) -> bool:
    """Return whether a form comes from a page that this browser was given."""
    return signer(request).is_signature("form", secret, token)


def secret_digest(secret: str) -> str:
    """Return what is stored of a secret."""
    return digest(secret)


def is_secure(request: web.Request) -> bool:
    """Return whether the browser speaks TLS to the bridge, or to the outermost trusted proxy before it."""
    public_url = request.app[DEPENDENCIES].settings.server.public_url
    return urlsplit(public_url).scheme == "https" or "https" in {request.scheme, request.app[PROXIES].scheme(request)}
