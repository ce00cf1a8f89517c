"""LMSs and their tokens: what each has, and creating, rotating and revoking tokens. A new token is shown once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.flash import redirect_with_message
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import not_found
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import script_tag
from bridge.operations.lms import LmsChange, LmsError, LmsRegistration, change_lms, remove_lms
from bridge.operations.tokens import IssuedToken, TokenError, create_token, revoke_token, rotate_token
from storage import browser_keys, lms_contents, tokens
from storage.learner_ids import LearnerCase
from storage.states import TokenScope

_HOUR = 3_600_000
LIFETIMES: Mapping[str, int | None] = {"": None, "30": 30 * 24 * _HOUR, "90": 90 * 24 * _HOUR, "365": 365 * 24 * _HOUR}
"""What a form calls how long a token is valid, in days -> milliseconds."""
OVERLAPS: Mapping[str, int] = {"24": 24 * _HOUR, "1": _HOUR, "168": 168 * _HOUR, "0": 0}
"""What a form calls how long a token that is rotated stays valid, in hours -> milliseconds."""
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
FOLLOWS = "Every process of the bridge follows within a second."


async def _list(request: web.Request) -> web.StreamResponse:
    return await show_lms(request)


async def _create(request: web.Request) -> web.StreamResponse:
    form, context = form_of(request), audit_context(request)
    scopes = [scope for scope in TokenScope if form.text(scope)]
    if not scopes:
        return await show_lms(request, status=400, fault="Choose at least one scope.")
    if form.text("expires") not in LIFETIMES:
        return await show_lms(request, status=400, fault="Choose how long the token is valid.")
    lifetime = LIFETIMES[form.text("expires")]
    origins = form.text("origins").split()
    registration = LmsRegistration(form.text("lms").strip(), form.text("home_page").strip(), origins)
    expires_at = None if lifetime is None else context.at + lifetime
    operation = partial(create_token, registration=registration, context=context, scopes=scopes, expires_at=expires_at)
    return await _issue(request, operation)


async def _rotate(request: web.Request) -> web.StreamResponse:
    overlap = OVERLAPS.get(form_of(request).text("overlap"))
    if overlap is None:
        return await show_lms(request, status=400, fault="Choose how long the old token stays valid.")
    operation = partial(rotate_token, token_id=_token_id(request), context=audit_context(request), overlap=overlap)
    return await _issue(request, operation)


async def _revoke(request: web.Request) -> web.StreamResponse:
    token_id, context = _token_id(request), audit_context(request)
    if not context.reason:
        return await show_lms(request, status=400, fault="A reason is required.")
    try:
        revoked = await request.app[DEPENDENCIES].database.write(revoke_token, token_id, context)
    except TokenError as error:
        return await show_lms(request, status=409, fault=str(error))
    return redirect_with_message(request, "/audit/lms", f"Revoked token {token_id} of {revoked.lms.name}. {FOLLOWS}")


async def _change(request: web.Request) -> web.StreamResponse:
    form, context = form_of(request), audit_context(request)
    name = form.text("lms")
    case = form.text("learner_case")
    if case and case not in {*LearnerCase}:
        return await show_lms(request, status=400, fault="Choose what becomes of letters in learners' ids.")
    rules = {
        "trim": bool(form.text("learner_trim")),
        "pattern": form.text("learner_pattern"),
        "case": LearnerCase(case or LearnerCase.KEEP),
        "prefix": form.text("learner_prefix"),
    }
    change = LmsChange(
        form.text("home_page").strip() or None,
        form.text("add_origins").split(),
        form.text("remove_origins").split(),
        rules if case else {},
    )
    try:
        await request.app[DEPENDENCIES].database.write(change_lms, name, change, context)
    except LmsError as error:
        return await show_lms(request, status=409, fault=str(error))
    return redirect_with_message(request, "/audit/lms", f"Changed {name}. {FOLLOWS}")


async def _remove(request: web.Request) -> web.StreamResponse:
    name = form_of(request).text("lms")
    try:
        await request.app[DEPENDENCIES].database.write(remove_lms, name, audit_context(request))
    except LmsError as error:
        return await show_lms(request, status=409, fault=str(error))
    return redirect_with_message(request, "/audit/lms", f"Removed {name}. {FOLLOWS}")


async def _issue(request: web.Request, operation: partial[IssuedToken]) -> web.Response:
    """Return the page with a new token: in the answer to the form itself, as no address may hold it."""
    try:
        issued = await request.app[DEPENDENCIES].database.write(operation)
    except (LmsError, TokenError) as error:
        return await show_lms(request, status=409, fault=str(error))
    return await show_lms(request, issued=issued)


async def show_lms(
    request: web.Request, *, status: int = 200, fault: str = "", issued: IssuedToken | None = None
) -> web.Response:
    """Return the page of all LMSs, with what was wrong about a form, or the token that was issued just now."""
    dependencies = request.app[DEPENDENCIES]
    now, public_url = dependencies.now(), dependencies.settings.server.public_url

    def query(connection: Connection) -> list[dict[str, Any]]:
        return [
            summary._asdict()
            | {
                "tokens": [(token, token.status(now)) for token in tokens.of_lms(connection, summary.lms.id)],
                "keys": [
                    (key, key.status(now), script_tag(public_url, key.key))
                    for key in browser_keys.of_lms(connection, summary.lms.id)
                ],
            }
            for summary in lms_contents.summaries(connection, now)
        ]

    rows = await dependencies.database.read(query)
    return render_page(
        request, "lms.html", status=status, rows=rows, fault=fault, issued=issued, default_scopes=tokens.DEFAULT_SCOPES
    )


def _token_id(request: web.Request) -> int:
    text = request.match_info["id"]
    if _NUMBER.fullmatch(text) is None:
        raise not_found("token")
    return int(text)


def audit_context(request: web.Request) -> AuditContext:
    """Return who sent a form, when, and the reason in it."""
    reason = form_of(request).text("reason").strip()
    return AuditContext(current_account(request).name, reason, request.app[DEPENDENCIES].now())


ROUTES = (
    Route("GET", "/lms", _list, Role.ADMIN),
    Route("POST", "/lms", _change, Role.ADMIN),
    Route("POST", "/lms/remove", _remove, Role.ADMIN),
    Route("POST", "/lms/tokens", _create, Role.ADMIN),
    Route("POST", "/lms/tokens/{id}/rotate", _rotate, Role.ADMIN),
    Route("POST", "/lms/tokens/{id}/revoke", _revoke, Role.ADMIN),
)
