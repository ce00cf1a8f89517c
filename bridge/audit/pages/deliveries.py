"""Deliveries: those in trouble by their causes, with what to do about each, and retrying and discarding them."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account, may_see_cmi
from bridge.audit.components.filter_options import Vocabulary, vocabulary
from bridge.audit.components.filters import deliveries_told, fields_of, query_of
from bridge.audit.components.flash import redirect_with_message
from bridge.audit.components.remediation import Advice, advice
from bridge.audit.components.render import page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations import delivery_operations
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.delivery_operations import DeliveryOperation, InvalidSelectionError
from bridge.operations.target_status import TargetStatus, target_statuses
from storage.deliveries import STATES, Delivery, DeliveryFilter
from storage.diverged import DIVERGED
from storage.queries import causes, deliveries
from storage.queries.causes import Cause
from storage.queries.keyset import READ, Count, ResultPage

EXAMPLES = 5

_DONE: dict[AuditAction, str] = {
    AuditAction.RETRY: "Deliveries that will be sent again: {number}.",
    AuditAction.DISCARD: "Deliveries discarded: {number}.",
    AuditAction.REISSUE: "Statements that will be sent under new ids: {number}.",
}


class _Trouble(NamedTuple):
    """A cause with what to do about it; `query` finds its deliveries."""

    cause: Cause
    advice: Advice
    query: str


class _DeliverySearch(NamedTuple):
    page: ResultPage[Delivery]
    known: Vocabulary
    which: DeliveryFilter
    states: list[TargetStatus]
    causes: causes.Causes | None


async def _deliveries(request: web.Request) -> web.StreamResponse:
    parts, told = request.app[DEPENDENCIES], request.query

    def look(connection: Connection) -> _DeliverySearch:
        known = vocabulary(connection)
        which = deliveries_told(told, known)
        found = deliveries.search(connection, which, after=told.get("after"))
        is_whole = which == DeliveryFilter() and "after" not in told
        states = target_statuses(connection, parts.settings.targets) if is_whole else []
        return _DeliverySearch(found, known, which, states, causes.causes(connection) if is_whole else None)

    found = await parts.database.read(look)
    shows_cmi = may_see_cmi(request)
    return page(
        request,
        "deliveries.html",
        page=ResultPage([one._replace(answer=None, problem=None) for one in found.page.rows], found.page.after),
        which=found.which,
        query_told=query_of(found.which),
        known=found.known,
        states=STATES,
        can=_can(found.which),
        targets=[one.name for one in parts.targets],
        targets_now=found.states,
        troubles=None if found.causes is None else [_trouble(one, shows=shows_cmi) for one in found.causes.causes],
        of=None if found.causes is None else found.causes.of,
    )


async def _confirm(request: web.Request) -> web.StreamResponse:
    return await _asked(request, deliveries_told(request.query))


async def _do(request: web.Request) -> web.StreamResponse:
    parts, action = request.app[DEPENDENCIES], _action(request)
    form = form_of(request)
    which = deliveries_told(form.texts)
    context = AuditContext(current_account(request).name, form.text("reason").strip(), parts.now())
    if not context.reason:
        return await _asked(request, which, status=400, fault="A reason is required.")
    operation = DeliveryOperation(action, _filters(action, which), context)
    steps, done = delivery_operations.execute(parts.database.engine, operation, parts.now, parts.database.transact), 0
    # step by step: where the bridge is stopped meanwhile, no thread of it goes on
    while (step := await parts.database.run(lambda: next(steps, None))) is not None:
        done += step.changed
    path = "/audit/deliveries" if which.statement is None else f"/audit/statements/{which.statement}"
    words = _DONE[action].format(number=done) if done else "Nothing was left to be done."
    return redirect_with_message(request, path, words)


async def _asked(request: web.Request, which: DeliveryFilter, *, status: int = 200, fault: str = "") -> web.Response:
    action = _action(request)
    filters = _filters(action, which)

    def look(connection: Connection) -> list[tuple[str, deliveries.Some]]:
        looked_at = READ // len(filters)
        return [(str(one.state), deliveries.some(connection, one, EXAMPLES, looked_at=looked_at)) for one in filters]

    found = await request.app[DEPENDENCIES].database.read(look)
    counts = [(state, some.number) for state, some in found]
    return page(
        request,
        "delivery_act.html",
        status=status,
        action=action,
        fields=fields_of(which),
        query_told=query_of(which),
        counts=[one for one in counts if one[1].number or one[1].is_lower_bound],
        total=Count(sum(one.number for _, one in counts), any(one.is_lower_bound for _, one in counts)),
        examples=[one for _, some in found for one in some.newest][:EXAMPLES],
        fault=fault,
    )


def _trouble(cause: Cause, *, shows: bool) -> _Trouble:
    which = DeliveryFilter(
        target=cause.target, state=cause.state, rule=cause.rule, outcome=cause.outcome, status=cause.status
    )
    shown = cause if shows else cause._replace(words="")
    return _Trouble(shown, advice(cause.state, cause.outcome), query_of(which))


def _can(which: DeliveryFilter) -> list[AuditAction]:
    """Return the actions that apply to everything that a filter selects."""
    if which == DeliveryFilter():
        return []
    first = AuditAction.REISSUE if which.outcome == DIVERGED else AuditAction.RETRY
    return [
        action
        for action in (first, AuditAction.DISCARD)
        if which.state is None or which.state in delivery_operations.AFFECTED_STATES[action]
    ]


def _filters(action: AuditAction, which: DeliveryFilter) -> list[DeliveryFilter]:
    try:
        return delivery_operations.build_filters(action, which)
    except InvalidSelectionError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _action(request: web.Request) -> AuditAction:
    return AuditAction(request.path.rpartition("/")[2])


ROUTES = (
    Route("GET", "/deliveries", _deliveries, Role.READER),
    Route("GET", "/deliveries/retry", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/retry", _do, Role.ADMIN),
    Route("GET", "/deliveries/reissue", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/reissue", _do, Role.ADMIN),
    Route("GET", "/deliveries/discard", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/discard", _do, Role.ADMIN),
)
