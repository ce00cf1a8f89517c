"""Deliveries: failed ones by cause, with what to do about each, and retrying, re-issuing and discarding them."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account, may_see_cmi
from bridge.audit.components.filter_options import FilterOptions, filter_options
from bridge.audit.components.filters import filter_fields, filter_query, parse_delivery_filter
from bridge.audit.components.flash import redirect_with_message
from bridge.audit.components.list_order import ListOrder
from bridge.audit.components.remediation import Remediation, remediation_for
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import choice_param
from bridge.audit.components.time_zone import zone_of
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations import delivery_operations
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.delivery_operations import DeliveryOperation, InvalidSelectionError
from bridge.operations.target_status import TargetStatus, target_statuses
from storage.deliveries import STATES, Delivery, DeliveryFilter
from storage.queries import causes, deliveries
from storage.queries.causes import Cause
from storage.queries.deliveries import DeliveryOrder
from storage.queries.keyset import READ, Count, ResultPage
from storage.states import TryOutcome

MAX_EXAMPLES = 5

_DONE: dict[AuditAction, str] = {
    AuditAction.RETRY: "Deliveries that will be sent again: {number}.",
    AuditAction.DISCARD: "Deliveries discarded: {number}.",
    AuditAction.REISSUE: "Statements that will be sent under new ids: {number}.",
}


class _CauseView(NamedTuple):
    """A cause with what to do about it; `query` finds its deliveries."""

    cause: Cause
    remediation: Remediation
    query: str


class _DeliveriesView(NamedTuple):
    page: ResultPage[Delivery]
    options: FilterOptions
    filter: DeliveryFilter
    targets: list[TargetStatus]
    causes: causes.Causes | None


async def _deliveries(request: web.Request) -> web.StreamResponse:
    dependencies, params = request.app[DEPENDENCIES], request.query
    order = choice_param(request, "sort", DeliveryOrder) or DeliveryOrder.NEWEST

    def query(connection: Connection) -> _DeliveriesView:
        options = filter_options(connection)
        criteria = parse_delivery_filter(params, options, zone=zone_of(request))
        rows = deliveries.search(connection, criteria, order=order, after=params.get("after"))
        is_unfiltered = criteria == DeliveryFilter() and not params.keys() & {"after", "sort"}
        targets = target_statuses(connection, dependencies.settings.targets) if is_unfiltered else []
        return _DeliveriesView(rows, options, criteria, targets, causes.causes(connection) if is_unfiltered else None)

    view = await dependencies.database.read(query)
    sees_cmi = may_see_cmi(request)
    return render_page(
        request,
        "deliveries.html",
        page=ResultPage([row._replace(answer=None, problem=None) for row in view.page.rows], view.page.after),
        order=ListOrder(order),
        criteria=view.filter,
        filter_query=filter_query(view.filter),
        options=view.options,
        states=STATES,
        actions=_actions(view.filter),
        targets=[target.name for target in dependencies.targets],
        target_statuses=view.targets,
        causes=None if view.causes is None else [_cause_view(cause, sees_cmi=sees_cmi) for cause in view.causes.causes],
        failed=None if view.causes is None else view.causes.of,
    )


async def _confirm(request: web.Request) -> web.StreamResponse:
    return await _confirmation_page(request, parse_delivery_filter(request.query, zone=zone_of(request)))


async def _execute(request: web.Request) -> web.StreamResponse:
    dependencies, action = request.app[DEPENDENCIES], _action(request)
    form = form_of(request)
    criteria = parse_delivery_filter(form.texts, zone=zone_of(request))
    context = AuditContext(current_account(request).name, form.text("reason").strip(), dependencies.now())
    if not context.reason:
        return await _confirmation_page(request, criteria, status=400, fault="A reason is required.")
    operation = DeliveryOperation(action, _filters(action, criteria), context)
    steps, changed = (
        delivery_operations.execute(
            dependencies.database.engine, operation, dependencies.now, dependencies.database.transact
        ),
        0,
    )
    # step by step: when the bridge stops in between, no thread of it continues
    while (step := await dependencies.database.run(lambda: next(steps, None))) is not None:
        changed += step.changed
    path = "/audit/deliveries" if criteria.statement is None else f"/audit/statements/{criteria.statement}"
    message = _DONE[action].format(number=changed) if changed else "No deliveries were left to change."
    return redirect_with_message(request, path, message)


async def _confirmation_page(
    request: web.Request, criteria: DeliveryFilter, *, status: int = 200, fault: str = ""
) -> web.Response:
    action = _action(request)
    filters = _filters(action, criteria)

    def query(connection: Connection) -> list[tuple[str, deliveries.Some]]:
        looked_at = READ // len(filters)
        return [
            (str(part.state), deliveries.some(connection, part, MAX_EXAMPLES, looked_at=looked_at)) for part in filters
        ]

    samples = await request.app[DEPENDENCIES].database.read(query)
    counts = [(state, sample.number) for state, sample in samples]
    return render_page(
        request,
        "delivery_action.html",
        status=status,
        action=action,
        fields=filter_fields(criteria),
        filter_query=filter_query(criteria),
        counts=[(state, count) for state, count in counts if count.number or count.is_lower_bound],
        total=Count(sum(count.number for _, count in counts), any(count.is_lower_bound for _, count in counts)),
        examples=[delivery for _, sample in samples for delivery in sample.newest][:MAX_EXAMPLES],
        fault=fault,
    )


def _cause_view(cause: Cause, *, sees_cmi: bool) -> _CauseView:
    rule = next(iter(cause.rules)) if len(cause.rules) == 1 else None
    criteria = DeliveryFilter(
        target=cause.target, state=cause.state, rule=rule, outcome=cause.outcome, status=cause.status
    )
    redacted = cause if sees_cmi else cause._replace(words="")
    return _CauseView(redacted, remediation_for(cause.state, cause.outcome), filter_query(criteria))


def _actions(criteria: DeliveryFilter) -> list[AuditAction]:
    """Return the actions that apply to everything that a filter selects."""
    if criteria == DeliveryFilter():
        return []
    first = AuditAction.REISSUE if criteria.outcome == TryOutcome.DIVERGED else AuditAction.RETRY
    return [
        action
        for action in (first, AuditAction.DISCARD)
        if criteria.state is None or criteria.state in delivery_operations.AFFECTED_STATES[action]
    ]


def _filters(action: AuditAction, criteria: DeliveryFilter) -> list[DeliveryFilter]:
    try:
        return delivery_operations.build_filters(action, criteria)
    except InvalidSelectionError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _action(request: web.Request) -> AuditAction:
    return AuditAction(request.path.rpartition("/")[2])


ROUTES = (
    Route("GET", "/deliveries", _deliveries, Role.READER),
    Route("GET", "/deliveries/retry", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/retry", _execute, Role.ADMIN),
    Route("GET", "/deliveries/reissue", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/reissue", _execute, Role.ADMIN),
    Route("GET", "/deliveries/discard", _confirm, Role.ADMIN),
    Route("POST", "/deliveries/discard", _execute, Role.ADMIN),
)
