"""Statements: searching them, and one with where it came from and where it went."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_answer, redact_mention, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.element_change import mark_lines
from bridge.audit.components.filter_options import FilterOptions, filter_options
from bridge.audit.components.filters import parse_delivery_filter
from bridge.audit.components.json_view import TextView, text_file, truncate_text, view_of
from bridge.audit.components.list_order import ListOrder
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import choice_param, not_found, text_param
from bridge.audit.components.rule_trace import RuleTrace, RuleView, trace_rules
from bridge.audit.components.statement_view import summarize
from bridge.audit.components.time_zone import zone_of
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.delivery_status import NextStep, next_step
from mappings.analysis.reissue import RULE
from mappings.xapi.voiding import voiding_id
from storage import target_statements
from storage.deliveries import STATES, Delivery, DeliveryFilter, TryLine
from storage.queries import statements, timeline
from storage.queries.enrollment_filter import WHOSE
from storage.queries.keyset import ResultPage, is_stored_uuid
from storage.queries.statements import Origin, StatementOrder, StatementSummary
from storage.queries.timeline import JournaledCommit
from storage.target_statements import TargetStatement

_COLUMNS = (
    "id", "created_at", "verb", "rule", *WHOSE, "session_id", "commit_number", "deliveries", "forms",
)  # fmt: skip


class _DeliveryView(NamedTuple):
    delivery: Delivery
    tries: list[TryLine]
    next: NextStep
    form: TargetStatement | None


class _Why(NamedTuple):
    """Why a statement was made: its rule, where that is shown, and the line of the commit that it goes back to."""

    trace: RuleTrace
    rule: RuleView | None
    line: int | None


class _StatementPage(NamedTuple):
    origin: Origin
    deliveries: list[_DeliveryView]
    received: TextView | None
    voided_by: str | None
    why: _Why | None


async def _statements(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]
    order = choice_param(request, "sort", StatementOrder) or StatementOrder.NEWEST

    def query(connection: Connection) -> tuple[ResultPage[StatementSummary], FilterOptions, DeliveryFilter]:
        options = filter_options(connection)
        criteria = parse_delivery_filter(request.query, options, zone=zone_of(request))
        page = statements.search(connection, criteria, order=order, after=request.query.get("after"))
        return page, options, criteria

    rows, options, criteria = await dependencies.database.read(query)
    return render_page(
        request,
        "statements.html",
        page=ResultPage([redact_name(request, row) for row in rows.rows], rows.after),
        order=ListOrder(order),
        criteria=criteria,
        options=options,
        states=STATES,
        targets=[target.name for target in dependencies.targets],
    )


async def _export(request: web.Request) -> web.StreamResponse:
    def query(connection: Connection) -> DeliveryFilter:
        return parse_delivery_filter(request.query, filter_options(connection), zone=zone_of(request))

    criteria = await request.app[DEPENDENCIES].database.read(query)

    def search(connection: Connection, after: str | None, limit: int) -> ResultPage[StatementSummary]:
        return statements.search(connection, criteria, after=after, limit=limit)

    columns = exports.export_columns(
        request, _COLUMNS, deliveries=lambda row: dict(row.deliveries), forms=lambda row: dict(row.forms)
    )
    return await exports.send_file(request, "statements", search, columns)


async def _statement(request: web.Request) -> web.StreamResponse:
    dependencies, statement_id = request.app[DEPENDENCIES], request.match_info["id"].lower()
    sees_cmi, now = may_see_cmi(request), dependencies.now()

    def query(connection: Connection) -> _StatementPage | None:
        lineage = statements.lineage(connection, statement_id) if is_stored_uuid(statement_id) else None
        if lineage is None:
            return None
        deliveries = [
            _DeliveryView(way.delivery, way.tries, next_step(connection, way.delivery, now), way.form)
            for way in lineage.ways
        ]
        origin = lineage.origin
        received = timeline.received(connection, origin.session_id, origin.commit_number) if sees_cmi else None
        voiding = voiding_id(origin.id)
        is_voided = statements.origin(connection, voiding) is not None
        return _StatementPage(
            origin,
            deliveries,
            None if received is None or received.body is None else view_of(received.body),
            voiding if is_voided else None,
            None if received is None or origin.rule == RULE else _explain(request, connection, origin, received),
        )

    view = await dependencies.database.read(query)
    if view is None:
        raise not_found("statement")
    values: dict[str, Any] = {"received": view.received, "json": None, "problem": ""}
    if sees_cmi:
        values["json"] = view_of(view.origin.body.encode())
        values["problem"] = truncate_text(view.origin.problem or "")
    summary = summarize(view.origin.body, sees_names=may_see_names(request), sees_cmi=False)
    name = view.origin.learner_name
    summary = summary._replace(
        object=redact_mention(request, summary.object, name), object_id=redact_mention(request, summary.object_id, name)
    )
    return render_page(
        request,
        "statement.html",
        summary=summary,
        origin=redact_name(request, view.origin._replace(body="", response=None, problem=None)),
        voids=summary.object_id if view.origin.rule == RULE else None,
        voided_by=view.voided_by,
        is_quarantined=view.origin.problem is not None,
        deliveries=[
            (
                way.delivery._replace(answer=None, problem=None),
                [redact_answer(request, line) for line in way.tries],
                way.next,
                "" if way.form is None else way.form.form,
                None if way.form is None or not sees_cmi else view_of(way.form.body.encode()),
            )
            for way in view.deliveries
        ],
        why=view.why,
        **values,
    )


def _explain(request: web.Request, connection: Connection, origin: Origin, received: JournaledCommit) -> _Why:
    trace = trace_rules(
        connection,
        origin.session_id,
        origin.commit_number,
        received.attempt.scorm_version,
        is_requested="rules" in request.query,
        sees_cmi=True,
    )
    rule = trace.rule_of(origin.id)
    if rule is None or rule.change is None:
        return _Why(trace, rule, None)
    _, line_of = mark_lines(view_of(received.body or b"").text, [rule.change])
    return _Why(trace, rule, line_of.get(rule.change))


async def _body(request: web.Request) -> web.StreamResponse:
    """Send a statement as a file; with `target`, in the form that this one gets."""
    statement_id, target = request.match_info["id"].lower(), text_param(request, "target")

    def query(connection: Connection) -> str | None:
        forms = target_statements.of_statement(connection, statement_id) if target else {}
        if target in forms:
            return forms[target].body
        origin = statements.origin(connection, statement_id)
        return None if origin is None else origin.body

    body = await request.app[DEPENDENCIES].database.read(query) if is_stored_uuid(statement_id) else None
    if body is None:
        raise not_found("statement")
    return text_file(f"statement-{statement_id}.json", body.encode())


ROUTES = (
    Route("GET", "/statements", _statements, Role.READER),
    Route("GET", "/statements.csv", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/statements.ndjson", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/statements/{id}", _statement, Role.READER),
    Route("GET", "/statements/{id}/body", _body, Role.AUDITOR),
)
