"""Browsers that somebody has signed in with before, each known by a signed cookie.

Sign-ins from a known browser are throttled apart from those of strangers: whoever knows a person's name can slow down
every other stranger who guesses at it, and not the person. The cookie opens nothing: it still takes the password.
"""

from __future__ import annotations

import hashlib
import secrets

from aiohttp import web

from bridge.audit.access import cookies
from bridge.audit.dependencies import DEPENDENCIES

COOKIE_PREFIX = "scorm_bridge_device_"
"""Of the cookie's name; one cookie for each account that a browser has signed in to."""
BROWSER_TTL = 180 * 24 * 3600
"""Seconds after its last sign-in for which a browser is known."""
_PATH = "/audit/sign-in"
_PURPOSE = "device"


def known_browser_id(request: web.Request, account: str) -> str | None:
    """Return the id of the request's browser, None where nobody has signed in to this account with it."""
    account_digest = _digest(account)
    text = cookies.signer(request).verify(_PURPOSE, request.cookies.get(_cookie_name(account_digest), ""))
    if text is None:
        return None
    browser_id, cookie_digest, issued_at = text.split(".")
    age = request.app[DEPENDENCIES].now() // 1000 - int(issued_at)
    return browser_id if cookie_digest == account_digest and age < BROWSER_TTL else None


def may_be_known(request: web.Request) -> bool:
    """Return whether a browser could be known, before the account's name has been read."""
    return any(name.startswith(COOKIE_PREFIX) for name in request.cookies)


def remember(request: web.Request, response: web.StreamResponse, account: str) -> None:
    """Make the request's browser a known one: somebody has just signed in to this account with it."""
    account_digest = _digest(account)
    text = f"{secrets.token_urlsafe(16)}.{account_digest}.{request.app[DEPENDENCIES].now() // 1000}"
    response.set_cookie(
        _cookie_name(account_digest),
        cookies.signer(request).sign(_PURPOSE, text),
        max_age=BROWSER_TTL,
        path=_PATH,
        secure=cookies.is_secure(request),
        httponly=True,
        samesite="Strict",
    )


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode(errors="replace")).hexdigest()


def _cookie_name(account_digest: str) -> str:
    return f"{COOKIE_PREFIX}{account_digest[:16]}"
