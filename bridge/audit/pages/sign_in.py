"""Signing in and out."""

from __future__ import annotations

from aiohttp import web

from bridge.audit.access import cookies, devices, password_sign_in
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.forms import MAX_SIGN_IN_BYTES, form_of
from bridge.audit.access.password_checks import TooManyTriesError
from bridge.audit.access.roles import Role
from bridge.audit.components.render import page, redirect
from bridge.audit.dependencies import AUDIT_PARTS
from storage import sign_ins


async def _form(request: web.Request) -> web.StreamResponse:
    return _sign_in_page(request, password_sign_in.safe_redirect(request.query.get("next", "")))


async def _sign_in(request: web.Request) -> web.StreamResponse:
    form = form_of(request)
    name, password, wanted = (form.text(field) for field in ("name", "password", "next"))
    wanted, name = password_sign_in.safe_redirect(wanted), name.strip()
    try:
        found = await password_sign_in.account_of(request, name, password)
    except TooManyTriesError as error:
        fault = f"There were too many tries. Wait {error.seconds} s, then try again."
        response = _sign_in_page(request, wanted, name=name, fault=fault, status=429)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    if found is None:
        return _sign_in_page(request, wanted, name=name, fault="The name or the password is wrong.", status=401)
    response = await password_sign_in.signed_in(request, found, wanted)
    devices.remember(request, response, found.name)
    return response


async def _sign_out(request: web.Request) -> web.StreamResponse:
    await request.app[AUDIT_PARTS].database.write(sign_ins.end, cookies.digest_of(request[cookies.SECRET]))
    response = redirect("/audit/sign-in")
    cookies.take_back(request, response)
    return response


def _sign_in_page(
    request: web.Request, wanted: str, *, name: str = "", fault: str = "", status: int = 200
) -> web.Response:
    secret = request.get(cookies.SECRET) or cookies.new()
    request[cookies.CSRF] = cookies.csrf_token(request, secret)
    oidc = request.app[password_sign_in.OIDC]
    elsewhere = "" if oidc is None else oidc.label
    response = page(request, "sign_in.html", status=status, next=wanted, name=name, fault=fault, elsewhere=elsewhere)
    if cookies.SECRET not in request:
        cookies.give(request, response, secret)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Form realm="audit"'
    # small, and strangers ask for it: those who have signed in do not wait for them
    return response.written()


ROUTES = (
    Route("GET", "/sign-in", _form, None),
    Route("POST", "/sign-in", _sign_in, None, MAX_SIGN_IN_BYTES, admit=password_sign_in.admit),
    Route("POST", "/sign-out", _sign_out, Role.READER),
)
