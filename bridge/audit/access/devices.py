"""Browsers that somebody has signed in with before, each known by a signed cookie.

A known browser's tries to sign in are counted apart from those of strangers: who knows a person's name can slow down
every other stranger who tries that name, and not the person. The cookie opens nothing: it still takes the password.
"""

from __future__ import annotations

import hashlib
import secrets

from aiohttp import web

from bridge.audit.access import cookies
from bridge.audit.dependencies import AUDIT_PARTS

COOKIE_PREFIX = "scorm_bridge_device_"
"""Of the cookie's name; one cookie for each account that a browser has signed in to."""
DEVICE_TTL = 180 * 24 * 3600
"""Seconds after its last sign-in for which a browser is known."""
_PATH = "/audit/sign-in"
_PURPOSE = "device"


def known(request: web.Request, account: str) -> str | None:
    """Return the id of the browser that a request comes from, None where nobody signed in to this account with it."""
    owner = _digest(account)
    text = cookies.signer(request).read(_PURPOSE, request.cookies.get(_cookie(owner), ""))
    if text is None:
        return None
    device, its_owner, issued_at = text.split(".")
    age = request.app[AUDIT_PARTS].now() // 1000 - int(issued_at)
    return device if its_owner == owner and age < DEVICE_TTL else None


def may_be_known(request: web.Request) -> bool:
    """Tell whether a browser could be known, before it is told which account it is about."""
    return any(name.startswith(COOKIE_PREFIX) for name in request.cookies)


def remember(request: web.Request, response: web.StreamResponse, account: str) -> None:
    """Let a browser be known: somebody has just signed in to an account with it."""
    owner = _digest(account)
    text = f"{secrets.token_urlsafe(16)}.{owner}.{request.app[AUDIT_PARTS].now() // 1000}"
    response.set_cookie(
        _cookie(owner),
        cookies.signer(request).sign(_PURPOSE, text),
        max_age=DEVICE_TTL,
        path=_PATH,
        secure=cookies.is_secure(request),
        httponly=True,
        samesite="Strict",
    )


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode(errors="replace")).hexdigest()


def _cookie(owner: str) -> str:
    return f"{COOKIE_PREFIX}{owner[:16]}"
