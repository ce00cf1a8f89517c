"""Pages out of templates. Everything that is filled in is escaped: it was written by learners, courses and LRSs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp_jinja2
import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.cookies import CSRF
from bridge.audit.access.roles import may_see_cmi, may_see_names, optional_account
from bridge.audit.components.assets import asset_path
from bridge.audit.components.flash import PARAM, message_of
from bridge.audit.components.json_view import compact_json, pretty_json, truncate_text
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.audit_context import MAX_REASON_LENGTH
from bridge.operations.target_status import describe_alarm_since
from mappings.xapi.timestamps import rfc3339
from storage.states import DeliveryState

FOLDER = Path(__file__).parents[1] / "templates"
NAVIGATION = (
    ("/", "Overview"),
    ("/learners", "Learners"),
    ("/statements", "Statements"),
    ("/documents", "Documents"),
    ("/deliveries", "Deliveries"),
    ("/refusals", "Refusals"),
    ("/mappings", "Mappings"),
    ("/targets", "Targets"),
    ("/trail", "Trail"),
)


class NavigationEntry(NamedTuple):
    """An entry of the navigation."""

    href: str
    title: str
    is_here: bool


_ENTRIES = web.AppKey("entries", tuple[tuple[str, str, int], ...])


def set_up(app: web.Application, routes: Sequence[Route]) -> None:
    """Prepare an application for `page`. The navigation has those of its entries that lead to one of the routes."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = asset_path
    environment.globals["DeliveryState"] = DeliveryState
    environment.globals["max_reason_length"] = MAX_REASON_LENGTH
    environment.filters["utc"] = rfc3339
    environment.filters["describe_alarm_since"] = describe_alarm_since
    environment.filters["truncated"] = truncate_text
    environment.filters["pretty_json"] = pretty_json
    environment.filters["compact_json"] = compact_json
    roles = {route.path: route.role for route in routes if route.method == "GET"}
    app[_ENTRIES] = tuple((path, title, roles[path] or 0) for path, title in NAVIGATION if path in roles)


def navigation(request: web.Request) -> list[NavigationEntry]:
    """Return the entries that who is signed in may follow."""
    who = optional_account(request)
    return [
        NavigationEntry(f"/audit{path}", title, _is_below(request.path, f"/audit{path}"))
        for path, title, role in request.app[_ENTRIES]
        if who is not None and who.role >= role
    ]


class PageResponse(web.Response):
    """A page that is written when it is sent, or before: off the event loop, as large ones take a while."""

    def __init__(self, write: Callable[[], str], status: int) -> None:
        super().__init__(status=status, content_type="text/html", charset="utf-8")
        self._write: Callable[[], str] | None = write

    def written(self) -> PageResponse:
        """Write it now, if it is not written yet."""
        if self._write is not None:
            self.text = self._write()
            self._write = None
        return self


@web.middleware
async def write_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write pages on the threads of those who look at them."""
    response = await handler(request)
    if isinstance(response, PageResponse):
        await request.app[DEPENDENCIES].database.run(response.written)
    return response


def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> PageResponse:
    """Make a page. Templates get `values`, and `account`, `csrf_token`, `navigation`, `now`, `here` and others.

    `now` is in milliseconds since the epoch; `here` is the page's own address without its query; `message` is
    what the form before it did; `sees_names` and `sees_cmi` tell what may be shown.
    """
    context = {
        "account": optional_account(request),
        "csrf_token": request.get(CSRF, ""),
        "navigation": navigation(request),
        "now": request.app[DEPENDENCIES].now(),
        "here": request.rel_url.raw_path,
        "query": dict(request.query),
        "query_text": _query_text(request),
        "here_with": lambda **changed: _here_with(request, changed),
        "message": message_of(request),
        "sees_names": may_see_names(request),
        "sees_cmi": may_see_cmi(request),
    }
    context |= values
    return PageResponse(lambda: aiohttp_jinja2.render_string(template, request, context), status)


def _here_with(request: web.Request, changed: dict[str, Any]) -> str:
    """Return the address of the page with parts of its query changed, or taken out where they are None."""
    changed = dict(request.query) | {PARAM: None} | changed
    query = {name: value for name, value in changed.items() if value is not None}
    return str(request.rel_url.with_query(query))


def _query_text(request: web.Request) -> str:
    """Return the query with its question mark, without what belongs to one page of a search alone."""
    query = {name: value for name, value in request.query.items() if name not in {"after", PARAM}}
    return str(URL.build(query=query))


def _is_below(path: str, entry: str) -> bool:
    return path == entry if entry.endswith("/") else path == entry or path.startswith(f"{entry}/")
