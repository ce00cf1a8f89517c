"""State and profile documents: searching them, and one with its newest content and its deliveries."""

from __future__ import annotations

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_answer, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.filter_options import FilterOptions, filter_options
from bridge.audit.components.filters import DOCUMENT_STATES, RESOURCES, parse_document_filter
from bridge.audit.components.json_view import text_file, view_of
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import not_found
from bridge.audit.components.time_zone import zone_of
from bridge.audit.dependencies import DEPENDENCIES
from storage.queries import documents
from storage.queries.documents import DocumentFilter, DocumentLineage, DocumentSummary
from storage.queries.enrollment_filter import WHOSE
from storage.queries.keyset import ResultPage, is_stored_uuid

_COLUMNS = (
    "id", "changed_at", "name", "resource", "place", "content_type", *WHOSE, "session_id", "commit_number",
    "deliveries", "form",
)  # fmt: skip


class _AgentAccount(msgspec.Struct, rename="camel"):
    name: str
    home_page: str


class _DocumentAgent(msgspec.Struct):
    account: _AgentAccount | None = None
    mbox: str = ""
    mbox_sha1sum: str = ""


async def _documents(request: web.Request) -> web.StreamResponse:
    dependencies, criteria = request.app[DEPENDENCIES], parse_document_filter(request.query, zone=zone_of(request))

    def query(connection: Connection) -> tuple[ResultPage[DocumentSummary], FilterOptions]:
        return documents.search(connection, criteria, after=request.query.get("after")), filter_options(connection)

    rows, options = await dependencies.database.read(query)
    return render_page(
        request,
        "documents.html",
        page=ResultPage([redact_name(request, row) for row in rows.rows], rows.after),
        document_id_of=_document_id,
        criteria=criteria,
        options=options,
        states=DOCUMENT_STATES,
        resources=RESOURCES,
        targets=[target.name for target in dependencies.targets],
        is_filtered=criteria != DocumentFilter() or "after" in request.query,
    )


async def _export(request: web.Request) -> web.StreamResponse:
    criteria = parse_document_filter(request.query, zone=zone_of(request))

    def search(connection: Connection, after: str | None, limit: int) -> ResultPage[DocumentSummary]:
        return documents.search(connection, criteria, after=after, limit=limit)

    columns = exports.export_columns(
        request, _COLUMNS, place=lambda row: _document_id(row.parameters), deliveries=lambda row: dict(row.deliveries)
    )
    return await exports.send_file(request, "documents", search, columns)


async def _document(request: web.Request) -> web.StreamResponse:
    lineage = await _lineage(request)
    return render_page(
        request,
        "document.html",
        row=redact_name(request, lineage.document),
        parameters=_parameters(lineage.document.parameters, sees_names=may_see_names(request)),
        content=view_of(lineage.content) if may_see_cmi(request) else None,
        size=len(lineage.content),
        mapping=lineage.mapping,
        mapping_hash=lineage.mapping_hash,
        source=lineage.source,
        ways=[way._replace(tried=tuple(redact_answer(request, line) for line in way.tried)) for way in lineage.ways],
    )


async def _content(request: web.Request) -> web.StreamResponse:
    lineage = await _lineage(request)
    return text_file(f"document-{lineage.document.id}.txt", lineage.content)


async def _lineage(request: web.Request) -> DocumentLineage:
    document_id = request.match_info["id"].lower()
    if is_stored_uuid(document_id):
        lineage = await request.app[DEPENDENCIES].database.read(documents.lineage, document_id)
        if lineage is not None:
            return lineage
    raise not_found("document")


def _parameters(text: str, *, sees_names: bool = False) -> dict[str, str]:
    """Return the parameters of the document's request, of the agent only its identifier."""
    parameters = msgspec.json.decode(text, type=dict[str, str])
    return {
        name: _identifier(value, sees_names=sees_names) if name == "agent" else value
        for name, value in parameters.items()
    }


def _identifier(text: str, *, sees_names: bool) -> str:
    agent = msgspec.json.decode(text, type=_DocumentAgent)
    if agent.account is not None:
        return f"{agent.account.name} at {agent.account.home_page}"
    if agent.mbox:
        return agent.mbox if sees_names else "an e-mail address"
    # whoever has a list of addresses can tell whose a hash is
    return f"the hash of an e-mail address{f', {agent.mbox_sha1sum}' if sees_names else ''}"


def _document_id(parameters: str) -> str:
    """Return the stateId or profileId."""
    by_name = _parameters(parameters)
    return by_name.get("stateId") or by_name.get("profileId") or ""


ROUTES = (
    Route("GET", "/documents", _documents, Role.READER),
    Route("GET", "/documents.csv", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/documents.ndjson", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/documents/{id}", _document, Role.READER),
    Route("GET", "/documents/{id}/content", _content, Role.AUDITOR),
)
