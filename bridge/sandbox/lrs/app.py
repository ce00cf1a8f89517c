"""Putting the sandbox LRS together."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from aiohttp import web

from bridge.sandbox.change_stream import add_stream
from bridge.sandbox.lrs import control, documents_resource, gate, statements_resource
from bridge.sandbox.lrs.documents import DOCUMENTS, DocumentStore
from bridge.sandbox.lrs.faults import FAULTS, Faults
from bridge.sandbox.lrs.ledger import LEDGER, Ledger
from bridge.sandbox.lrs.page import LINKS, add_page
from bridge.sandbox.lrs.passage import passage
from bridge.sandbox.lrs.store import STATEMENTS, StatementStore
from mappings.xapi.validation import Edition


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_lrs(
    *,
    now: Callable[[], datetime] = _utc_now,
    new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    credentials: Mapping[str, str] | None = None,
    readers: Collection[str] = (),
    faults: Faults | None = None,
    editions: Collection[Edition] = tuple(Edition),
    page_size: int = 100,
) -> web.Application:
    """Make a sandbox LRS, empty; its xAPI endpoint is ``/xapi/``.

    Args:
        now: the clock; returns aware datetimes in UTC.
        new_id: makes the ids of statements that come without one.
        credentials: passwords by user name, for Basic authentication; none lets anyone in, with any header or none.
        readers: users among them who may read only: their other requests are answered 403.
        faults: the fault script; none begins with an empty one.
        editions: the editions of xAPI that are answered and told by ``/xapi/about``.
        page_size: the most statements in one answer to a query.

    Returns:
        The application. ``app[STATEMENTS]``, ``app[DOCUMENTS]``, ``app[LEDGER]`` and ``app[FAULTS]`` look inside;
        ``app[LINKS]`` is what its page links to.
    """
    # 0 switches aiohttp's limit of the body off: like all else here, bodies are bounded in nothing.
    app = web.Application(middlewares=[passage, gate.gate], client_max_size=0)
    app[gate.NOW] = now
    app[gate.CREDENTIALS] = dict(credentials or {})
    app[gate.READERS] = frozenset(readers)
    app[gate.EDITIONS] = tuple(editions)
    app[statements_resource.PAGE_SIZE] = page_size
    app[STATEMENTS] = StatementStore(new_id)
    app[DOCUMENTS] = DocumentStore()
    app[LEDGER] = Ledger()
    app[FAULTS] = faults if faults is not None else Faults()
    app.add_routes(
        [
            web.get(f"{gate.PREFIX}/about", _about),
            *statements_resource.routes(),
            *documents_resource.routes(),
            *control.routes(),
        ]
    )
    add_stream(app, "/live")
    app[LINKS] = ()
    add_page(app)
    return app


async def _about(request: web.Request) -> web.Response:
    """Answer which versions are spoken (xAPI Communication 2.8); needs neither credentials nor a version header."""
    editions = request.app[gate.EDITIONS]
    return gate.json_response({"version": editions})
