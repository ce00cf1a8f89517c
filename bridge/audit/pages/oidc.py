"""Signing in with OpenID Connect: to the issuer, and back."""

from __future__ import annotations

import structlog
from aiohttp import web

from bridge.audit.access import cookies
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.oidc_client import AuthorizationRequest, OidcClient, OidcError
from bridge.audit.access.password_sign_in import OIDC_CLIENT, complete_sign_in, safe_redirect
from bridge.audit.components.error_pages import error_page
from bridge.audit.components.flash import redirect
from bridge.audit.dependencies import DEPENDENCIES
from bridge.http.forwarded import PROXIES
from bridge.http.services import requested_url
from bridge.operations import accounts
from bridge.operations.accounts import AccountError

log = structlog.get_logger(__name__)

CALLBACK_PATH = "/sign-in/oidc/back"


async def _to_issuer(request: web.Request) -> web.StreamResponse:
    client = _configured(request)
    secret = request.get(cookies.SECRET) or cookies.new_secret()
    sign_in = AuthorizationRequest(secret, _callback_url(request), safe_redirect(request.query.get("next", "")))
    try:
        response = redirect(await client.authorization_url(sign_in))
    except OidcError as error:
        return _failed(request, error)
    if cookies.SECRET not in request:
        cookies.set_secret(request, response, secret)
    return response


async def _callback(request: web.Request) -> web.StreamResponse:
    client, dependencies = _configured(request), request.app[DEPENDENCIES]
    sign_in = AuthorizationRequest(request.get(cookies.SECRET, ""), _callback_url(request))
    try:
        issued, next_page = await client.fetch_account(sign_in, request.query)
        account = await dependencies.database.write(accounts.sync_oidc_account, issued, dependencies.now())
    except (OidcError, AccountError) as error:
        return _failed(request, error)
    response = redirect(safe_redirect(next_page) or "/audit/")
    await complete_sign_in(request, response, account)
    return response


def _configured(request: web.Request) -> OidcClient:
    client = request.app[OIDC_CLIENT]
    if client is None:
        raise web.HTTPNotFound
    return client


def _callback_url(request: web.Request) -> str:
    """Return the address that the issuer sends people back to, which is registered there."""
    configured = request.app[DEPENDENCIES].settings.server.public_url
    return f"{configured or requested_url(request, request.app[PROXIES])}/audit{CALLBACK_PATH}"


def _failed(request: web.Request, error: OidcError | AccountError) -> web.Response:
    log.warning("sign_in_elsewhere_failed", fault=error.fault if isinstance(error, OidcError) else str(error))
    return error_page(request, 403, str(error))


ROUTES = (
    Route("GET", "/sign-in/oidc", _to_issuer, None),
    Route("GET", CALLBACK_PATH, _callback, None),
)
