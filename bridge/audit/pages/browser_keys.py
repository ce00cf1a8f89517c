"""Browser keys of LMSs, on the page of LMSs: creating and revoking them. A key is no secret, and stays shown."""

from __future__ import annotations

import re

from aiohttp import web

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role
from bridge.audit.components.flash import redirect_with_message
from bridge.audit.components.request_params import not_found
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.lms import FOLLOWS, LIFETIMES, audit_context, show_lms
from bridge.operations.browser_keys import BrowserKeyError, NewBrowserKey, create_browser_key, revoke_browser_key
from bridge.operations.lms import LmsError

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


async def _create(request: web.Request) -> web.StreamResponse:
    form, context = form_of(request), audit_context(request)
    if form.text("expires") not in LIFETIMES:
        return await show_lms(request, status=400, fault="Choose how long the key is valid.")
    lifetime = LIFETIMES[form.text("expires")]
    new = NewBrowserKey(
        form.text("lms").strip(),
        form.text("origins").split(),
        [line.strip() for line in form.text("activities").splitlines() if line.strip()],
        None if lifetime is None else context.at + lifetime,
    )
    try:
        created = await request.app[DEPENDENCIES].database.write(create_browser_key, new, context)
    except (LmsError, BrowserKeyError) as error:
        return await show_lms(request, status=409, fault=str(error))
    return redirect_with_message(
        request,
        "/audit/lms",
        f"Created key {created.id} of {created.lms.name}. {FOLLOWS}",
        fragment=f"key-{created.id}",
    )


async def _revoke(request: web.Request) -> web.StreamResponse:
    context, number = audit_context(request), request.match_info["id"]
    if _NUMBER.fullmatch(number) is None:
        raise not_found("key")
    if not context.reason:
        return await show_lms(request, status=400, fault="A reason is required.")
    try:
        revoked = await request.app[DEPENDENCIES].database.write(revoke_browser_key, int(number), context)
    except BrowserKeyError as error:
        return await show_lms(request, status=409, fault=str(error))
    return redirect_with_message(request, "/audit/lms", f"Revoked key {number} of {revoked.lms.name}. {FOLLOWS}")


ROUTES = (
    Route("POST", "/lms/keys", _create, Role.ADMIN),
    Route("POST", "/lms/keys/{id}/revoke", _revoke, Role.ADMIN),
)
