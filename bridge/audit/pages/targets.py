"""Targets: how each does, pausing it, and whether it answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bridge import target_states
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.forms import form_of
from bridge.audit.access.roles import Role, who
from bridge.audit.components.connection_test import Tested, try_connection
from bridge.audit.components.flash import OTHERS_FOLLOW, with_words
from bridge.audit.components.render import page, redirect
from bridge.audit.dependencies import AUDIT_PARTS
from storage.audit import targets as stored

LONGEST_REASON = 1000


async def _targets(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _pause(request: web.Request) -> web.StreamResponse:
    parts, name = request.app[AUDIT_PARTS], _known(request)
    reason = _reason(request)
    if not reason:
        return await _page(request, status=400, fault="Tell why: others will want to know.")
    by, now = who(request).name, parts.now()
    if not await parts.database.write(target_states.pause, name, by=by, reason=reason, now=now):
        return await _page(request, status=409, fault=f"{name} is paused already.")
    await parts.pauses.follow_at_once()
    return _done(
        request, name, f"{name} is paused. What is on its way at this moment may still arrive. {OTHERS_FOLLOW}"
    )


async def _resume(request: web.Request) -> web.StreamResponse:
    parts, name = request.app[AUDIT_PARTS], _known(request)
    reason, by, now = _reason(request), who(request).name, parts.now()
    if not await parts.database.write(target_states.resume, name, by=by, reason=reason, now=now):
        return await _page(request, status=409, fault=f"{name} is not paused, and nothing of it waits.")
    await parts.pauses.follow_at_once()
    return _done(request, name, f"{name} goes on. {OTHERS_FOLLOW}")


def _done(request: web.Request, name: str, words: str) -> web.Response:
    return redirect(f"{with_words(request, '/audit/targets', words)}#target-{name}")


async def _test(request: web.Request) -> web.StreamResponse:
    name = _known(request)
    target = next(one for one in request.app[AUDIT_PARTS].targets if one.name == name)
    return await _page(request, tested=await try_connection(target))


async def _page(
    request: web.Request, *, status: int = 200, fault: str = "", tested: Tested | None = None
) -> web.Response:
    parts = request.app[AUDIT_PARTS]

    def look(connection: Connection) -> list[dict[str, Any]]:
        return [
            one._asdict() | {"tries": stored.tries(connection, one.name)}
            for one in target_states.overview(connection, parts.settings.targets)
        ]

    found = await parts.database.read(look)
    return page(request, "targets.html", status=status, targets=found, fault=fault, tested=tested)


def _known(request: web.Request) -> str:
    name = request.match_info["name"]
    if all(one.name != name for one in request.app[AUDIT_PARTS].targets):
        raise web.HTTPNotFound(text="No target of this name is configured.")
    return name


def _reason(request: web.Request) -> str:
    return form_of(request).text("reason").strip()[:LONGEST_REASON]


ROUTES = (
    Route("GET", "/targets", _targets, Role.READER),
    Route("POST", "/targets/{name}/pause", _pause, Role.ADMIN),
    Route("POST", "/targets/{name}/resume", _resume, Role.ADMIN),
    Route("POST", "/targets/{name}/test", _test, Role.ADMIN),
)
