"""Targets: how each does, pausing it, and whether it answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.connection_test import Tested, try_connection
from bridge.audit.components.flash import OTHERS_FOLLOW, redirect_with_message
from bridge.audit.components.render import page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.audit_context import AuditContext
from bridge.operations.target_status import target_statuses
from bridge.operations.targets import pause_target, resume_target
from storage.queries import target_health as stored


async def _targets(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _pause(request: web.Request) -> web.StreamResponse:
    parts, name = request.app[DEPENDENCIES], _known(request)
    context = _context(request)
    if not context.reason:
        return await _page(request, status=400, fault="A reason is required.")
    if not await parts.database.write(pause_target, name, context):
        return await _page(request, status=409, fault=f"{name} is paused already.")
    await parts.pauses.refresh_now()
    return _done(
        request, name, f"{name} is paused. What is on its way at this moment may still arrive. {OTHERS_FOLLOW}"
    )


async def _resume(request: web.Request) -> web.StreamResponse:
    parts, name = request.app[DEPENDENCIES], _known(request)
    if not await parts.database.write(resume_target, name, _context(request)):
        return await _page(request, status=409, fault=f"{name} is not paused, and nothing of it waits.")
    await parts.pauses.refresh_now()
    return _done(request, name, f"Resumed {name}. {OTHERS_FOLLOW}")


def _done(request: web.Request, name: str, words: str) -> web.Response:
    return redirect_with_message(request, "/audit/targets", words, fragment=f"target-{name}")


async def _test(request: web.Request) -> web.StreamResponse:
    name = _known(request)
    target = next(one for one in request.app[DEPENDENCIES].targets if one.name == name)
    return await _page(request, tested=await try_connection(target))


async def _page(
    request: web.Request, *, status: int = 200, fault: str = "", tested: Tested | None = None
) -> web.Response:
    parts = request.app[DEPENDENCIES]

    def look(connection: Connection) -> list[dict[str, Any]]:
        return [
            one._asdict() | {"tries": stored.tries(connection, one.name)}
            for one in target_statuses(connection, parts.settings.targets)
        ]

    found = await parts.database.read(look)
    return page(request, "targets.html", status=status, targets=found, fault=fault, tested=tested)


def _known(request: web.Request) -> str:
    name = request.match_info["name"]
    if all(one.name != name for one in request.app[DEPENDENCIES].targets):
        raise web.HTTPNotFound(text="No target of this name is configured.")
    return name


def _context(request: web.Request) -> AuditContext:
    reason = form_of(request).text("reason").strip()
    return AuditContext(current_account(request).name, reason, request.app[DEPENDENCIES].now())


ROUTES = (
    Route("GET", "/targets", _targets, Role.READER),
    Route("POST", "/targets/{name}/pause", _pause, Role.ADMIN),
    Route("POST", "/targets/{name}/resume", _resume, Role.ADMIN),
    Route("POST", "/targets/{name}/test", _test, Role.ADMIN),
)
