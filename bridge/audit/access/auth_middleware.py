"""The middleware before all pages: who is signed in, whether the role suffices, and whether a form is the bridge's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.audit.access import concurrency_limits, cookies
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.posted_forms import FORM, MAX_FORM_BYTES, read_form
from bridge.audit.access.roles import ACCOUNT, ROLES, Account, Role
from bridge.audit.dependencies import DEPENDENCIES
from storage import sign_ins

SAFE_METHODS = ("GET", "HEAD")


class Route(NamedTuple):
    """An address below `/audit`, and the role that it needs; None for pages that need no sign-in.

    `kind` is what an account may have only so many of at a time. `before_body` is called before the body of a request
    is read, and raises to refuse it. `max_form_bytes` limits the form that is posted there.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None
    max_form_bytes: int = MAX_FORM_BYTES
    kind: WorkKind = WorkKind.PAGE
    before_body: Callable[[web.Request], Awaitable[None]] | None = None


ROUTE_TABLE = web.AppKey("route_table", dict[web.AbstractRoute, Route])
"""aiohttp's route -> ours, for all routes."""


@web.middleware
async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pass on requests that are allowed, with the account that is signed in (`roles.current_account`).

    Without a sign-in, browsers that ask for a page are redirected to the sign-in page, and everything else is answered
    401; with too small a role, 403; a form without its token, 403.

    Raises:
        web.HTTPException: instead of the page.
    """
    route = request.app[ROUTE_TABLE].get(request.match_info.route)
    if route is None:  # no such address: aiohttp's own answer
        return await handler(request)
    secret = cookies.read_secret(request)
    if secret is not None:
        request[cookies.SECRET] = secret
        request[cookies.CSRF] = cookies.csrf_token(request, secret)
    if route.before_body is not None:
        await route.before_body(request)
    if route.role is None:
        return await _handle(request, handler, route)
    account = None if secret is None else await _find_account(request, secret)
    if account is None:
        raise _sign_in_required(request)
    request[ACCOUNT] = account
    if account.role < route.role:
        raise web.HTTPForbidden(
            text=f"This needs the role {route.role.word}; {account.name} has the role {account.role.word}."
        )
    with concurrency_limits.hold(request, route.kind):
        return await _handle(request, handler, route)


async def is_still_authorized(request: web.Request) -> bool:
    """Return whether a response that is still being sent may go on: signed in, in the same role."""
    secret = request.get(cookies.SECRET)
    return secret is not None and await _find_account(request, secret) == request[ACCOUNT]


async def _handle(request: web.Request, handler: Handler, route: Route) -> web.StreamResponse:
    if request.method not in SAFE_METHODS:
        await _check_form(request, route.max_form_bytes)
    return await handler(request)


async def _find_account(request: web.Request, secret: str) -> Account | None:
    dependencies = request.app[DEPENDENCIES]
    stored = await dependencies.database.read(sign_ins.find, cookies.secret_digest(secret), dependencies.now())
    return None if stored is None else Account(stored.name, ROLES[stored.role], stored.sees_names)


def _sign_in_required(request: web.Request) -> web.HTTPException:
    if request.method in SAFE_METHODS and "text/html" in request.headers.get("Accept", ""):
        return web.HTTPSeeOther(f"/audit/sign-in?next={quote(request.raw_path, safe='')}")
    return web.HTTPUnauthorized(text="Sign in first.")


async def _check_form(request: web.Request, max_bytes: int) -> None:
    secret = request.get(cookies.SECRET)
    # without a cookie of ours no form of ours can come: there is nothing to read
    form = None if secret is None else await read_form(request, max_bytes)
    if secret is None or form is None or not cookies.is_valid_csrf_token(request, secret, form.text("csrf")):
        raise web.HTTPForbidden(
            text="This form belongs to another browser or to an earlier sign-in. Nothing was done. Open the page again"
            " and retry."
        )
    request[FORM] = form
