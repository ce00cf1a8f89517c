"""The door before all pages: who is signed in, whether they may, and whether a form is the bridge's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.audit.access import cookies, limits
from bridge.audit.access.forms import FORM, MAX_FORM_BYTES, read_form
from bridge.audit.access.roles import ACCOUNT, ROLES, Account, Role
from bridge.audit.dependencies import AUDIT_PARTS
from storage import sign_ins

SAFE = ("GET", "HEAD")


class Route(NamedTuple):
    """An address below `/audit`, and the role that it needs; None where people come who have not signed in.

    `kind` is what an account may have so many of at a time. `admit` is asked before the body of a request is read, and
    raises where it is refused. `max_form_bytes` are the bytes that a form posted there may have.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None
    max_form_bytes: int = MAX_FORM_BYTES
    kind: limits.Kind = limits.Kind.PAGE
    admit: Callable[[web.Request], Awaitable[None]] | None = None


GUARDED = web.AppKey("guarded", dict[web.AbstractRoute, Route])
"""aiohttp's route -> ours, for all routes there are."""


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let through who may. Tells pages who is signed in (`roles.who`).

    Without a sign-in, browsers that ask for a page are sent to sign in, and everything else is answered 401; with too
    small a role, 403; a form without its token, 403.

    Raises:
        web.HTTPException: instead of the page.
    """
    route = request.app[GUARDED].get(request.match_info.route)
    if route is None:  # no such address: aiohttp's own answer
        return await handler(request)
    secret = cookies.secret(request)
    if secret is not None:
        request[cookies.SECRET] = secret
        request[cookies.CSRF] = cookies.csrf_token(request, secret)
    if route.admit is not None:
        await route.admit(request)
    if route.role is None:
        return await _let_in(request, handler, route)
    who = None if secret is None else await _account(request, secret)
    if who is None:
        raise _sign_in(request)
    request[ACCOUNT] = who
    if who.role < route.role:
        raise web.HTTPForbidden(text=f"This needs the role {route.role.word}; {who.name} is a {who.role.word}.")
    with limits.hold(request, route.kind):
        return await _let_in(request, handler, route)


async def may_go_on(request: web.Request) -> bool:
    """Tell whether who asked for something that is still being sent may have it still: signed in, in the same role."""
    secret = request.get(cookies.SECRET)
    return secret is not None and await _account(request, secret) == request[ACCOUNT]


async def _let_in(request: web.Request, handler: Handler, route: Route) -> web.StreamResponse:
    if request.method not in SAFE:
        await _check_form(request, route.max_form_bytes)
    return await handler(request)


async def _account(request: web.Request, secret: str) -> Account | None:
    parts = request.app[AUDIT_PARTS]
    found = await parts.database.read(sign_ins.find, cookies.digest_of(secret), parts.now())
    return None if found is None else Account(found.name, ROLES[found.role], found.sees_names)


def _sign_in(request: web.Request) -> web.HTTPException:
    if request.method in SAFE and "text/html" in request.headers.get("Accept", ""):
        return web.HTTPSeeOther(f"/audit/sign-in?next={quote(request.raw_path, safe='')}")
    return web.HTTPUnauthorized(text="Sign in first.")


async def _check_form(request: web.Request, max_bytes: int) -> None:
    secret = request.get(cookies.SECRET)
    # who was never given a page has no form of ours: there is nothing to read
    form = None if secret is None else await read_form(request, max_bytes)
    if secret is None or form is None or not cookies.is_csrf_token(request, secret, form.text("csrf")):
        raise web.HTTPForbidden(
            text="This form was not made for your browser, or it is of an earlier sign-in. Nothing was done. Open the"
            " page anew and try again."
        )
    request[FORM] = form
