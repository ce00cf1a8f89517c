"""Statements: searching them, and one with where it came from and where it went."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_answer, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.filter_options import FilterOptions, filter_options
from bridge.audit.components.filters import parse_delivery_filter
from bridge.audit.components.json_view import TextView, text_file, truncate_text, view_of
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import not_found
from bridge.audit.components.statement_view import summarize
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.delivery_status import NextStep, next_step
from mappings.analysis.reissue import RULE
from mappings.xapi.voiding import voiding_id
from storage.deliveries import STATES, Delivery, DeliveryFilter, TryLine
from storage.queries import statements, timeline
from storage.queries.enrollment_filter import WHOSE
from storage.queries.keyset import ResultPage, is_stored_uuid
from storage.queries.statements import Origin, StatementSummary

_COLUMNS = (
    "id", "created_at", "verb", "rule", *WHOSE, "session_id", "commit_number", "deliveries",
)  # fmt: skip


class _DeliveryView(NamedTuple):
    delivery: Delivery
    tries: list[TryLine]
    next: NextStep


class _StatementPage(NamedTuple):
    origin: Origin
    deliveries: list[_DeliveryView]
    received: TextView | None
    voided_by: str | None


async def _statements(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]

    def query(connection: Connection) -> tuple[ResultPage[StatementSummary], FilterOptions, DeliveryFilter]:
        options = filter_options(connection)
        criteria = parse_delivery_filter(request.query, options)
        return statements.search(connection, criteria, after=request.query.get("after")), options, criteria

    rows, options, criteria = await dependencies.database.read(query)
    return render_page(
        request,
        "statements.html",
        page=ResultPage([redact_name(request, row) for row in rows.rows], rows.after),
        criteria=criteria,
        options=options,
        states=STATES,
        targets=[target.name for target in dependencies.targets],
    )


async def _export(request: web.Request) -> web.StreamResponse:
    def query(connection: Connection) -> DeliveryFilter:
        return parse_delivery_filter(request.query, filter_options(connection))

    criteria = await request.app[DEPENDENCIES].database.read(query)

    def search(connection: Connection, after: str | None, limit: int) -> ResultPage[StatementSummary]:
        return statements.search(connection, criteria, after=after, limit=limit)

    columns = exports.export_columns(request, _COLUMNS, deliveries=lambda row: dict(row.deliveries))
    return await exports.send_file(request, "statements", search, columns)


async def _statement(request: web.Request) -> web.StreamResponse:
    dependencies, statement_id = request.app[DEPENDENCIES], request.match_info["id"].lower()
    sees_cmi, now = may_see_cmi(request), dependencies.now()

    def query(connection: Connection) -> _StatementPage | None:
        lineage = statements.lineage(connection, statement_id) if is_stored_uuid(statement_id) else None
        if lineage is None:
            return None
        deliveries = [
            _DeliveryView(way.delivery, way.tries, next_step(connection, way.delivery, now)) for way in lineage.ways
        ]
        origin = lineage.origin
        received = timeline.received(connection, origin.session_id, origin.commit_number) if sees_cmi else None
        voiding = voiding_id(origin.id)
        is_voided = statements.origin(connection, voiding) is not None
        return _StatementPage(
            origin, deliveries, None if received is None else view_of(received.body), voiding if is_voided else None
        )

    view = await dependencies.database.read(query)
    if view is None:
        raise not_found("statement")
    values: dict[str, Any] = {"received": view.received, "json": None, "problem": ""}
    if sees_cmi:
        values["json"] = view_of(view.origin.body.encode())
        values["problem"] = truncate_text(view.origin.problem or "")
    summary = summarize(view.origin.body, sees_names=may_see_names(request), sees_cmi=False)
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
            )
            for way in view.deliveries
        ],
        **values,
    )


async def _body(request: web.Request) -> web.StreamResponse:
    statement_id = request.match_info["id"].lower()
    if is_stored_uuid(statement_id):
        view = await request.app[DEPENDENCIES].database.read(statements.origin, statement_id)
        if view is not None:
            return text_file(f"statement-{statement_id}.json", view.body.encode())
    raise not_found("statement")


ROUTES = (
    Route("GET", "/statements", _statements, Role.READER),
    Route("GET", "/statements.csv", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/statements.ndjson", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/statements/{id}", _statement, Role.READER),
    Route("GET", "/statements/{id}/body", _body, Role.AUDITOR),
)
