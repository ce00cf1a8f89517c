"""Targets: the status of each, pausing and resuming it, and testing its connection."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.flash import OTHERS_FOLLOW, redirect_with_message
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.audit_context import AuditContext
from bridge.operations.connection_test import ConnectionTestResult, check_connection
from bridge.operations.target_status import target_statuses
from bridge.operations.targets import pause_target, resume_target
from storage import backfill, backfill_runs
from storage.queries import target_health as stored


async def _targets(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _pause(request: web.Request) -> web.StreamResponse:
    dependencies, name = request.app[DEPENDENCIES], _configured_name(request)
    context = _context(request)
    if not context.reason:
        return await _page(request, status=400, fault="A reason is required.")
    if not await dependencies.database.write(pause_target, name, context):
        return await _page(request, status=409, fault=f"{name} is already paused.")
    await dependencies.pauses.refresh_now()
    return _done(request, name, f"Paused {name}. Requests under way may still arrive. {OTHERS_FOLLOW}")


async def _resume(request: web.Request) -> web.StreamResponse:
    dependencies, name = request.app[DEPENDENCIES], _configured_name(request)
    if not await dependencies.database.write(resume_target, name, _context(request)):
        return await _page(request, status=409, fault=f"{name} is not paused, and nothing is waiting for it.")
    await dependencies.pauses.refresh_now()
    return _done(request, name, f"Resumed {name}. {OTHERS_FOLLOW}")


def _done(request: web.Request, name: str, message: str) -> web.Response:
    return redirect_with_message(request, "/audit/targets", message, fragment=f"target-{name}")


async def _test(request: web.Request) -> web.StreamResponse:
    name, dependencies = _configured_name(request), request.app[DEPENDENCIES]
    target = next(target for target in dependencies.targets if target.name == name)
    return await _page(request, test_result=await check_connection(target, dependencies.settings.outgoing_guard()))


async def _page(
    request: web.Request, *, status: int = 200, fault: str = "", test_result: ConnectionTestResult | None = None
) -> web.Response:
    dependencies = request.app[DEPENDENCIES]

    unwanted = {target.name: target.unwanted_rules for target in dependencies.targets}

    def query(connection: Connection) -> list[dict[str, Any]]:
        runs = backfill_runs.all_runs(connection)
        return [
            status._asdict()
            | {
                "tries": stored.tries(connection, status.name),
                "backfill": runs.get(status.name),
                "lacks_since": backfill.oldest_lacking(connection, status.name, unwanted.get(status.name, ())),
            }
            for status in target_statuses(connection, dependencies.settings.targets)
        ]

    statuses = await dependencies.database.read(query)
    return render_page(request, "targets.html", status=status, targets=statuses, fault=fault, test_result=test_result)


def _configured_name(request: web.Request) -> str:
    name = request.match_info["name"]
    if all(target.name != name for target in request.app[DEPENDENCIES].targets):
        raise web.HTTPNotFound(text="There is no target with this name.")
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
