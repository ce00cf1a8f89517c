"""The page of the sandbox LRS: the newest statements and documents as they arrive, for people who try the bridge."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web

from bridge.audit.components.json_view import pretty_json, view_of
from bridge.audit.components.statement_view import summarize
from bridge.sandbox.lrs import gate
from bridge.sandbox.lrs.documents import DOCUMENTS, Document, Place
from bridge.sandbox.lrs.ledger import LEDGER, Arrival
from bridge.sandbox.lrs.store import STATEMENTS, LrsStatement
from mappings.xapi.validation import syntax

LINKS: Final[web.AppKey[Sequence[tuple[str, str]]]] = web.AppKey("LINKS")
"""The titles and addresses of pages that this one links to."""

_NEWEST: Final = 50
_FOLDER: Final = Path(__file__).parent
_SANDBOX: Final = _FOLDER.parent
_ASSETS: Final = {
    "/page.css": _FOLDER / "page.css",
    "/live.js": _SANDBOX / "live.js",
    "/icon.svg": _SANDBOX / "course" / "icon.svg",
}
_KINDS: Final = {
    "activities/state": "state",
    "activities/profile": "activity profile",
    "agents/profile": "agent profile",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_page(app: web.Application) -> None:
    """Add the page and its files to the application."""
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app.router.add_get("/", _get_page)
    for path in _ASSETS:
        app.router.add_get(path, _get_asset)


async def _get_asset(request: web.Request) -> web.FileResponse:
    return web.FileResponse(_ASSETS[request.path])


async def _get_page(request: web.Request) -> web.Response:
    statements, documents = request.app[STATEMENTS], list(request.app[DOCUMENTS].items())
    newest = sorted(documents, key=lambda item: item[2].updated, reverse=True)[:_NEWEST]
    context = {
        "endpoint": f"{request.url.origin()}{gate.PREFIX}/",
        "links": request.app[LINKS],
        "summary": {
            "statements": len(statements),
            "documents": len(documents),
            "wrong": sum(map(_went_wrong, request.app[LEDGER].arrivals())),
        },
        "statements": [
            _statement(stored, is_voided=statements.is_voided(stored))
            for stored in statements.in_order()[: -_NEWEST - 1 : -1]
        ],
        "documents": [_document(*item) for item in newest],
    }
    response = aiohttp_jinja2.render_template("page.html", request, context)
    response.headers.update(_HEADERS)
    return response


def _went_wrong(arrival: Arrival) -> bool:
    """Return whether a request was refused or cut; to find that something is not there yet is no refusal."""
    is_absent = arrival.method in {"GET", "HEAD"} and arrival.status == 404
    return arrival.outcome == "cut" or (arrival.status is not None and arrival.status >= 400 and not is_absent)


def _statement(stored: LrsStatement, *, is_voided: bool) -> dict[str, Any]:
    body = msgspec.json.encode(stored.statement)
    summary = summarize(body, sees_names=True, sees_cmi=False)
    return {
        "id": stored.key,
        **_moment(syntax.instant(stored.statement["timestamp"])),
        "actor": summary.actor,
        "verb": summary.verb,
        "verb_id": stored.statement["verb"]["id"],
        "object": summary.object,
        "results": summary.results,
        "is_voided": is_voided,
        "json": pretty_json(body.decode()),
    }


def _document(place: Place, document_id: str, document: Document) -> dict[str, Any]:
    resource, *owners = place
    return {
        "key": hashlib.sha256(repr((place, document_id)).encode()).hexdigest()[:16],
        **_moment(document.updated),
        "kind": _KINDS[str(resource)],
        "id": document_id,
        "owners": [_owner(owner) for owner in owners if owner is not None],
        "content_type": document.content_type,
        "text": view_of(document.content).text,
    }


def _owner(text: str) -> str:
    """Return an activity or registration as it is, and of an agent what identifies it, without the home page."""
    if not text.startswith("["):
        return text
    identity: list[str] = msgspec.json.decode(text)
    return identity[-1].removeprefix("mailto:")


def _moment(at: datetime) -> dict[str, str]:
    return {"time": syntax.timestamp(at), "moment": f"{at:%Y-%m-%d %H:%M:%S}"}
