"""Signing in and out."""

from __future__ import annotations

from aiohttp import web

from bridge.audit.access import cookies, known_browsers
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.password_checks import TooManySignInsError
from bridge.audit.access.password_sign_in import (
    OIDC_CLIENT,
    authenticate,
    check_capacity,
    complete_sign_in,
    safe_redirect,
)
from bridge.audit.access.posted_forms import MAX_SIGN_IN_BYTES, form_of
from bridge.audit.access.roles import Role
from bridge.audit.components.flash import redirect
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from storage import sign_ins


async def _form(request: web.Request) -> web.StreamResponse:
    return _sign_in_page(request, safe_redirect(request.query.get("next", "")))


async def _sign_in(request: web.Request) -> web.StreamResponse:
    form = form_of(request)
    name, password = form.text("name").strip(), form.text("password")
    next_page = safe_redirect(form.text("next"))
    try:
        account = await authenticate(request, name, password)
    except TooManySignInsError as error:
        fault = f"Too many failed sign-ins. Wait {error.seconds} s, then try again."
        response = _sign_in_page(request, next_page, name=name, fault=fault, status=429)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    if account is None:
        return _sign_in_page(request, next_page, name=name, fault="Wrong name or password.", status=401)
    response = redirect(next_page or "/audit/")
    await complete_sign_in(request, response, account)
    known_browsers.remember(request, response, account.name)
    return response


async def _sign_out(request: web.Request) -> web.StreamResponse:
    await request.app[DEPENDENCIES].database.write(sign_ins.end, cookies.secret_digest(request[cookies.SECRET]))
    response = redirect("/audit/sign-in")
    cookies.delete_secret(request, response)
    return response


def _sign_in_page(
    request: web.Request, next_page: str, *, name: str = "", fault: str = "", status: int = 200
) -> web.Response:
    secret = request.get(cookies.SECRET) or cookies.new_secret()
    request[cookies.CSRF] = cookies.csrf_token(request, secret)
    client = request.app[OIDC_CLIENT]
    oidc_label = "" if client is None else client.label
    response = render_page(
        request, "sign_in.html", status=status, next=next_page, name=name, fault=fault, oidc_label=oidc_label
    )
    if cookies.SECRET not in request:
        cookies.set_secret(request, response, secret)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Form realm="audit"'
    # small, and strangers ask for it: those who have signed in do not wait for them
    return response.rendered()


ROUTES = (
    Route("GET", "/sign-in", _form, None),
    Route("POST", "/sign-in", _sign_in, None, MAX_SIGN_IN_BYTES, before_body=check_capacity),
    Route("POST", "/sign-out", _sign_out, Role.READER),
)
