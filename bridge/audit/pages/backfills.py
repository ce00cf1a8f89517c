"""Filling a target with what is older than itself: counting what it lacks, queueing it, pausing and resuming."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.flash import redirect_with_message
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.forwarding.targets import Target
from bridge.operations import backfills
from bridge.operations.audit_context import AuditContext
from storage import backfill, backfill_runs
from storage.backfill import BackfillSpan
from storage.backfill_runs import RUNNING, BackfillRun

REFRESH_INTERVAL = 2
"""Seconds after which a page with progress is loaded again."""


async def _backfill(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _count(request: web.Request) -> web.StreamResponse:
    target, database = _target(request), request.app[DEPENDENCIES].database
    attempts = await database.read(backfill.count_attempts, BackfillSpan())
    if not await database.write(backfills.start_count, target.name, attempts, _context(request)):
        return await _page(request, status=409, fault="A backfill of this target is under way.")
    return _done(request, target, "Counting what it lacks.")


async def _start(request: web.Request) -> web.StreamResponse:
    context = _context(request)
    if not context.reason:
        return await _page(request, status=400, fault="A reason is required.")
    return await _change(
        request, backfills.start_queueing, context, "Started.", "Nothing was counted that could be queued."
    )


async def _pause(request: web.Request) -> web.StreamResponse:
    return await _change(request, backfills.pause_backfill, _context(request), "Paused.", "No backfill is under way.")


async def _resume(request: web.Request) -> web.StreamResponse:
    return await _change(request, backfills.resume_backfill, _context(request), "Resumed.", "No backfill is paused.")


async def _change(
    request: web.Request,
    operation: Callable[[Connection, str, AuditContext], bool],
    context: AuditContext,
    message: str,
    fault: str,
) -> web.StreamResponse:
    target = _target(request)
    if not await request.app[DEPENDENCIES].database.write(operation, target.name, context):
        return await _page(request, status=409, fault=fault)
    return _done(request, target, message)


async def _page(request: web.Request, *, status: int = 200, fault: str = "") -> web.Response:
    target = _target(request)

    def query(connection: Connection) -> tuple[BackfillRun | None, int | None]:
        run = backfill_runs.all_runs(connection).get(target.name)
        return run, backfill.oldest_lacking(connection, target.name, target.unwanted_rules)

    run, lacks_since = await request.app[DEPENDENCIES].database.read(query)
    response = render_page(
        request, "backfill.html", status=status, target=target, run=run, lacks_since=lacks_since, fault=fault
    )
    if status == 200 and run is not None and run.state in RUNNING:
        response.headers["Refresh"] = str(REFRESH_INTERVAL)
    return response


def _done(request: web.Request, target: Target, message: str) -> web.Response:
    return redirect_with_message(request, f"/audit/targets/{target.name}/backfill", message)


def _target(request: web.Request) -> Target:
    name = request.match_info["name"]
    for target in request.app[DEPENDENCIES].targets:
        if target.name == name:
            return target
    raise web.HTTPNotFound(text="There is no target with this name.")


def _context(request: web.Request) -> AuditContext:
    reason = form_of(request).text("reason").strip()
    return AuditContext(current_account(request).name, reason, request.app[DEPENDENCIES].now())


ROUTES = (
    Route("GET", "/targets/{name}/backfill", _backfill, Role.READER),
    Route("POST", "/targets/{name}/backfill/count", _count, Role.ADMIN),
    Route("POST", "/targets/{name}/backfill/start", _start, Role.ADMIN),
    Route("POST", "/targets/{name}/backfill/pause", _pause, Role.ADMIN),
    Route("POST", "/targets/{name}/backfill/resume", _resume, Role.ADMIN),
)
