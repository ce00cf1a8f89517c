"""Statements: looking for them, and one with all that led to it and all that became of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_answer, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.filter_options import Vocabulary, vocabulary
from bridge.audit.components.filters import deliveries_told, is_uuid
from bridge.audit.components.json_view import TextView, text_file, truncate_text, view_of
from bridge.audit.components.render import page
from bridge.audit.components.statement_view import summarize
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.delivery_status import NextStep, next_step
from mappings.analysis.reissue import RULE
from mappings.xapi.voiding import voiding_id
from storage.deliveries import STATES, Delivery, DeliveryFilter, TryLine
from storage.queries import statements, timeline
from storage.queries.enrollment_filter import WHOSE
from storage.queries.keyset import ResultPage
from storage.queries.statements import Origin, StatementSummary

_COLUMNS = (
    "id", "created_at", "verb", "rule", *WHOSE, "session_id", "commit_number", "deliveries",
)  # fmt: skip


class _Way(NamedTuple):
    delivery: Delivery
    tries: list[TryLine]
    next: NextStep


class _Found(NamedTuple):
    origin: Origin
    ways: list[_Way]
    received: TextView | None
    voided_by: str | None


async def _statements(request: web.Request) -> web.StreamResponse:
    parts = request.app[DEPENDENCIES]

    def look(connection: Connection) -> tuple[ResultPage[StatementSummary], Vocabulary, DeliveryFilter]:
        known = vocabulary(connection)
        which = deliveries_told(request.query, known)
        return statements.search(connection, which, after=request.query.get("after")), known, which

    found, known, which = await parts.database.read(look)
    return page(
        request,
        "statements.html",
        page=ResultPage([redact_name(request, row) for row in found.rows], found.after),
        which=which,
        known=known,
        states=STATES,
        targets=[one.name for one in parts.targets],
    )


async def _export(request: web.Request) -> web.StreamResponse:
    def look(connection: Connection) -> DeliveryFilter:
        return deliveries_told(request.query, vocabulary(connection))

    which = await request.app[DEPENDENCIES].database.read(look)

    def search(connection: Connection, after: str | None, most: int) -> ResultPage[StatementSummary]:
        return statements.search(connection, which, after=after, most=most)

    columns = exports.columns(request, _COLUMNS, deliveries=lambda row: dict(row.deliveries))
    return await exports.send(request, "statements", search, columns)


async def _statement(request: web.Request) -> web.StreamResponse:
    parts, statement_id = request.app[DEPENDENCIES], request.match_info["id"].lower()
    shows_cmi, now = may_see_cmi(request), parts.now()

    def look(connection: Connection) -> _Found | None:
        its = statements.lineage(connection, statement_id) if is_uuid(statement_id) else None
        if its is None:
            return None
        ways = [_Way(way.delivery, way.tries, next_step(connection, way.delivery, now)) for way in its.ways]
        origin = its.origin
        came = timeline.received(connection, origin.session_id, origin.commit_number) if shows_cmi else None
        ender = voiding_id(origin.id)
        is_voided = statements.origin(connection, ender) is not None
        return _Found(origin, ways, None if came is None else view_of(came.body), ender if is_voided else None)

    found = await parts.database.read(look)
    if found is None:
        raise web.HTTPNotFound(text="No statement has this id. It may be one of another bridge or another source.")
    values: dict[str, Any] = {"received": found.received, "json": None, "problem": ""}
    if shows_cmi:
        values["json"] = view_of(found.origin.body.encode())
        values["problem"] = truncate_text(found.origin.problem or "")
    summary = summarize(found.origin.body, sees_names=may_see_names(request), sees_cmi=False)
    return page(
        request,
        "statement.html",
        summary=summary,
        origin=redact_name(request, found.origin._replace(body="", response=None, problem=None)),
        voids=summary.object_id if found.origin.rule == RULE else None,
        voided_by=found.voided_by,
        is_quarantined=found.origin.problem is not None,
        ways=[
            (
                way.delivery._replace(answer=None, problem=None),
                [redact_answer(request, one) for one in way.tries],
                way.next,
            )
            for way in found.ways
        ],
        **values,
    )


async def _body(request: web.Request) -> web.StreamResponse:
    statement_id = request.match_info["id"].lower()
    if is_uuid(statement_id):
        found = await request.app[DEPENDENCIES].database.read(statements.origin, statement_id)
        if found is not None:
            return text_file(f"statement-{statement_id}.json", found.body.encode())
    raise web.HTTPNotFound(text="No statement has this id. It may be one of another bridge or another source.")


ROUTES = (
    Route("GET", "/statements", _statements, Role.READER),
    Route("GET", "/statements.csv", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/statements.ndjson", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/statements/{id}", _statement, Role.READER),
    Route("GET", "/statements/{id}/body", _body, Role.AUDITOR),
)
