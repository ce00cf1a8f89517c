"""Signing in with OpenID Connect: to the issuer, and back."""

from __future__ import annotations

import structlog
from aiohttp import web

from bridge.audit.access import cookies, password_sign_in
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.oidc_client import Oidc, OidcError, Trip
from bridge.audit.access.password_sign_in import OIDC
from bridge.audit.components.error_pages import error_page
from bridge.audit.components.render import redirect
from bridge.audit.dependencies import AUDIT_PARTS
from bridge.http.forwarded import PROXIES
from bridge.http.services import requested_url
from bridge.operations import accounts
from bridge.operations.accounts import AccountError

log = structlog.get_logger(__name__)

BACK = "/sign-in/oidc/back"


async def _leave(request: web.Request) -> web.StreamResponse:
    oidc = _configured(request)
    secret = request.get(cookies.SECRET) or cookies.new()
    trip = Trip(secret, _address(request), password_sign_in.safe_redirect(request.query.get("next", "")))
    try:
        response = redirect(await oidc.leave(trip))
    except OidcError as error:
        return _failed(request, error)
    if cookies.SECRET not in request:
        cookies.give(request, response, secret)
    return response


async def _come_back(request: web.Request) -> web.StreamResponse:
    oidc, parts = _configured(request), request.app[AUDIT_PARTS]
    trip = Trip(request.get(cookies.SECRET, ""), _address(request))
    try:
        told, wanted = await oidc.come_back(trip, request.query)
        account = await parts.database.write(accounts.sync_oidc_account, told, parts.now())
    except (OidcError, AccountError) as error:
        return _failed(request, error)
    return await password_sign_in.signed_in(request, account, password_sign_in.safe_redirect(wanted))


def _configured(request: web.Request) -> Oidc:
    found = request.app[OIDC]
    if found is None:
        raise web.HTTPNotFound
    return found


def _address(request: web.Request) -> str:
    """Give the address that the issuer sends people back to, which it knows beforehand."""
    configured = request.app[AUDIT_PARTS].settings.server.public_url
    return f"{configured or requested_url(request, request.app[PROXIES])}/audit{BACK}"


def _failed(request: web.Request, error: OidcError | AccountError) -> web.Response:
    log.warning("sign_in_elsewhere_failed", fault=error.fault if isinstance(error, OidcError) else str(error))
    return error_page(request, 403, str(error))


ROUTES = (
    Route("GET", "/sign-in/oidc", _leave, None),
    Route("GET", BACK, _come_back, None),
)
