"""State and profile documents: looking for them, and one with its newest content and its deliveries."""

from __future__ import annotations

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_answer, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.filter_options import Vocabulary, vocabulary
from bridge.audit.components.filters import DOCUMENT_STATES, RESOURCES, documents_told, is_uuid
from bridge.audit.components.json_view import text_file, view_of
from bridge.audit.components.render import page
from bridge.audit.dependencies import DEPENDENCIES
from storage.queries import documents
from storage.queries.documents import DocumentFilter, DocumentSummary
from storage.queries.enrollment_filter import WHOSE
from storage.queries.keyset import ResultPage

_COLUMNS = (
    "id", "changed_at", "name", "resource", "place", "content_type", *WHOSE, "session_id", "commit_number",
    "deliveries",
)  # fmt: skip


class _Account(msgspec.Struct, rename="camel"):
    name: str
    home_page: str


class _Agent(msgspec.Struct):
    account: _Account | None = None
    mbox: str = ""
    mbox_sha1sum: str = ""


async def _documents(request: web.Request) -> web.StreamResponse:
    parts, which = request.app[DEPENDENCIES], documents_told(request.query)

    def look(connection: Connection) -> tuple[ResultPage[DocumentSummary], Vocabulary]:
        return documents.search(connection, which, after=request.query.get("after")), vocabulary(connection)

    found, known = await parts.database.read(look)
    return page(
        request,
        "documents.html",
        page=ResultPage([redact_name(request, row) for row in found.rows], found.after),
        place_of=_place,
        which=which,
        known=known,
        states=DOCUMENT_STATES,
        resources=RESOURCES,
        targets=[one.name for one in parts.targets],
        is_filtered=which != DocumentFilter() or "after" in request.query,
    )


async def _export(request: web.Request) -> web.StreamResponse:
    which = documents_told(request.query)

    def search(connection: Connection, after: str | None, most: int) -> ResultPage[DocumentSummary]:
        return documents.search(connection, which, after=after, most=most)

    columns = exports.columns(
        request, _COLUMNS, place=lambda row: _place(row.parameters), deliveries=lambda row: dict(row.deliveries)
    )
    return await exports.send(request, "documents", search, columns)


async def _document(request: web.Request) -> web.StreamResponse:
    document_id, shows_cmi = request.match_info["id"].lower(), may_see_cmi(request)
    found = (
        await request.app[DEPENDENCIES].database.read(documents.lineage, document_id) if is_uuid(document_id) else None
    )
    if found is None:
        raise web.HTTPNotFound(text="No document has this id.")
    return page(
        request,
        "document.html",
        row=redact_name(request, found.document),
        parameters=_parameters(found.document.parameters, sees_names=may_see_names(request)),
        content=view_of(found.content) if shows_cmi else None,
        size=len(found.content),
        mapping=found.mapping,
        mapping_hash=found.mapping_hash,
        ways=[way._replace(tried=tuple(redact_answer(request, one) for one in way.tried)) for way in found.ways],
    )


async def _content(request: web.Request) -> web.StreamResponse:
    document_id = request.match_info["id"].lower()
    if is_uuid(document_id):
        found = await request.app[DEPENDENCIES].database.read(documents.lineage, document_id)
        if found is not None:
            return text_file(f"document-{document_id}.txt", found.content)
    raise web.HTTPNotFound(text="No document has this id.")


def _parameters(text: str, *, sees_names: bool = False) -> dict[str, str]:
    """Return what the request for a document says, of the agent only what it is known by."""
    told = msgspec.json.decode(text, type=dict[str, str])
    return {
        name: _identifier(value, sees_names=sees_names) if name == "agent" else value for name, value in told.items()
    }


def _identifier(text: str, *, sees_names: bool) -> str:
    agent = msgspec.json.decode(text, type=_Agent)
    if agent.account is not None:
        return f"{agent.account.name} at {agent.account.home_page}"
    if agent.mbox:
        return agent.mbox if sees_names else "an e-mail address"
    return f"the hash of an e-mail address, {agent.mbox_sha1sum}"


def _place(parameters: str) -> str:
    """Return the stateId or profileId."""
    told = _parameters(parameters)
    return told.get("stateId") or told.get("profileId") or ""


ROUTES = (
    Route("GET", "/documents", _documents, Role.READER),
    Route("GET", "/documents.csv", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/documents.ndjson", _export, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/documents/{id}", _document, Role.READER),
    Route("GET", "/documents/{id}/content", _content, Role.AUDITOR),
)
