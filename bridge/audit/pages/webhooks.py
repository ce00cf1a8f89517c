"""Webhooks: where LMSs are told of results, testing that, and what was sent. A new secret is shown once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import PostedForm, form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.flash import redirect_with_message
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import text_param
from bridge.audit.dependencies import DEPENDENCIES
from bridge.backlog import WebhookQueue, count_webhooks
from bridge.clock import random_id
from bridge.operations.audit_context import AuditContext
from bridge.operations.lms import LmsError
from bridge.operations.webhooks import (
    IssuedSecret,
    NewWebhook,
    WebhookChange,
    WebhookError,
    add_webhook,
    change_webhook,
    discard_dead,
    find_webhook,
    retry_dead,
    rotate_webhook,
)
from bridge.webhooks.connection_trial import WebhookTrial, try_endpoint
from bridge.webhooks.event_types import WebhookEventType
from storage import lms, webhook_deliveries
from storage.queries.keyset import PAGE_SIZE, ResultPage
from storage.states import DeliveryState
from storage.webhook_deliveries import WebhookDelivery

_HOUR = 3_600_000
OVERLAPS: Mapping[str, int] = {"24": 24 * _HOUR, "1": _HOUR, "168": 168 * _HOUR, "0": 0}
"""What a form calls how long both secrets sign, in hours -> milliseconds."""
STATES = (DeliveryState.WAITING, DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.DISCARDED)
"""States that deliveries of webhooks can be in."""
PAGE = "/audit/webhooks"
FOLLOWS = "Every process of the bridge follows within a second."


async def _list(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _add(request: web.Request) -> web.StreamResponse:
    form = form_of(request)
    events = _chosen_events(form)
    if events is None:
        return await _page(request, status=400, fault="Choose at least one type of events.")
    new = NewWebhook(form.text("name").strip(), form.text("lms"), form.text("url").strip(), events)
    guard = request.app[DEPENDENCIES].settings.outgoing_guard()
    return await _issue(request, partial(add_webhook, new=new, context=_context(request), guard=guard))


async def _rotate(request: web.Request) -> web.StreamResponse:
    overlap = OVERLAPS.get(form_of(request).text("overlap"))
    if overlap is None:
        return await _page(request, status=400, fault="Choose how long the previous secret signs, too.")
    operation = partial(rotate_webhook, name=_name(request), context=_context(request), overlap=overlap)
    return await _issue(request, operation)


async def _change(request: web.Request) -> web.StreamResponse:
    form = form_of(request)
    events = _chosen_events(form)
    if events is None:
        return await _page(request, status=400, fault="Choose at least one type of events.")
    return await _apply(request, WebhookChange(form.text("url").strip() or None, events), "Changed")


async def _pause(request: web.Request) -> web.StreamResponse:
    if not _context(request).reason:
        return await _page(request, status=400, fault="A reason is required.")
    return await _apply(request, WebhookChange(is_paused=True), "Paused")


async def _resume(request: web.Request) -> web.StreamResponse:
    return await _apply(request, WebhookChange(is_paused=False), "Resumed")


async def _apply(request: web.Request, change: WebhookChange, word: str) -> web.Response:
    dependencies, name = request.app[DEPENDENCIES], _name(request)
    guard = dependencies.settings.outgoing_guard()
    try:
        await dependencies.database.write(change_webhook, name, change, _context(request), guard=guard)
    except WebhookError as error:
        return await _page(request, status=409, fault=str(error))
    return redirect_with_message(request, PAGE, f"{word} {name}. {FOLLOWS}", fragment=f"webhook-{name}")


async def _test(request: web.Request) -> web.StreamResponse:
    dependencies, name = request.app[DEPENDENCIES], _name(request)
    try:
        endpoint = await dependencies.database.read(find_webhook, name)
    except WebhookError as error:
        return await _page(request, status=409, fault=str(error))
    guard = dependencies.settings.outgoing_guard()
    trial = await try_endpoint(endpoint, guard, now=dependencies.now, new_id=random_id)
    return await _page(request, tested=name, trial=trial)


async def _retry(request: web.Request) -> web.StreamResponse:
    return await _settle_dead(request, retry_dead, "Retrying {} of {}.")


async def _discard(request: web.Request) -> web.StreamResponse:
    if not _context(request).reason:
        return await _page(request, status=400, fault="A reason is required.")
    return await _settle_dead(request, discard_dead, "Discarded {} of {}.")


async def _settle_dead(
    request: web.Request, operation: Callable[[Connection, str, AuditContext], int], message: str
) -> web.Response:
    name = _name(request)
    try:
        count = await request.app[DEPENDENCIES].database.write(operation, name, _context(request))
    except WebhookError as error:
        return await _page(request, status=409, fault=str(error))
    counted = f"{count:,} dead {'delivery' if count == 1 else 'deliveries'}"
    return redirect_with_message(request, PAGE, message.format(counted, name), fragment=f"webhook-{name}")


async def _issue(request: web.Request, operation: partial[IssuedSecret]) -> web.Response:
    """Return the page with a new secret: in the answer to the form itself, as no address may hold it."""
    try:
        issued = await request.app[DEPENDENCIES].database.write(operation)
    except (LmsError, WebhookError) as error:
        return await _page(request, status=409, fault=str(error))
    return await _page(request, issued=issued)


async def _page(
    request: web.Request,
    *,
    status: int = 200,
    fault: str = "",
    issued: IssuedSecret | None = None,
    tested: str = "",
    trial: WebhookTrial | None = None,
) -> web.Response:
    def query(connection: Connection) -> tuple[list[WebhookQueue], list[str]]:
        return count_webhooks(connection), lms.names(connection)

    dependencies = request.app[DEPENDENCIES]
    rows, lms_names = await dependencies.database.read(query)
    return render_page(
        request,
        "webhooks.html",
        status=status,
        rows=rows,
        lms_names=lms_names,
        now=dependencies.now(),
        fault=fault,
        issued=issued,
        tested=tested,
        trial=trial,
    )


async def _deliveries(request: web.Request) -> web.StreamResponse:
    name, state, after = text_param(request, "webhook"), text_param(request, "state"), request.query.get("after")

    def query(connection: Connection) -> tuple[ResultPage[WebhookDelivery], list[str]]:
        names = {queue.endpoint.name: queue.endpoint.id for queue in count_webhooks(connection, 1)}
        # of a name that there is not, there are none
        endpoint_id = names.get(name, 0) if name is not None else None
        page = webhook_deliveries.search(connection, endpoint_id=endpoint_id, state=state, limit=PAGE_SIZE, after=after)
        return page, [*names]

    result, names = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "webhook_deliveries.html",
        page=result,
        names=names,
        states=STATES,
        name=name or "",
        state=state or "",
        is_filtered=bool(name or state) or after is not None,
    )


def _chosen_events(form: PostedForm) -> Sequence[str] | None:
    """Return the types of events that a form chose; none of them for all, None where it chose nothing."""
    chosen = [event_type.value for event_type in WebhookEventType if form.text(event_type.value)]
    if not chosen:
        return None
    return () if len(chosen) == len(WebhookEventType) else chosen


def _name(request: web.Request) -> str:
    return request.match_info["name"]


def _context(request: web.Request) -> AuditContext:
    reason = form_of(request).text("reason").strip()
    return AuditContext(current_account(request).name, reason, request.app[DEPENDENCIES].now())


ROUTES = (
    Route("GET", "/webhooks", _list, Role.ADMIN),
    Route("POST", "/webhooks", _add, Role.ADMIN),
    Route("GET", "/webhooks/deliveries", _deliveries, Role.ADMIN),
    Route("POST", "/webhooks/{name}/change", _change, Role.ADMIN),
    Route("POST", "/webhooks/{name}/pause", _pause, Role.ADMIN),
    Route("POST", "/webhooks/{name}/resume", _resume, Role.ADMIN),
    Route("POST", "/webhooks/{name}/rotate", _rotate, Role.ADMIN),
    Route("POST", "/webhooks/{name}/test", _test, Role.ADMIN),
    Route("POST", "/webhooks/{name}/retry", _retry, Role.ADMIN),
    Route("POST", "/webhooks/{name}/discard", _discard, Role.ADMIN),
)
