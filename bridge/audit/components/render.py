"""Rendering templates to pages. All values are escaped: learners, courses and LRSs wrote them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp_jinja2
import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.cookies import CSRF
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names, optional_account
from bridge.audit.components.assets import asset_path
from bridge.audit.components.badges import badge_color
from bridge.audit.components.flash import PARAM, message_of
from bridge.audit.components.json_view import compact_json, pretty_json, truncate_text
from bridge.audit.components.time_zone import local_time, zone_of
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.audit_context import MAX_REASON_LENGTH, AuditAction
from bridge.operations.target_status import describe_alarm_since
from bridge.recordings.calls import CallManner
from bridge.webhooks.event_types import WebhookEventType
from mappings.attempt.commit import Disposition
from mappings.definition.diff import DifferenceKind
from mappings.generation.statements import RuleOutcome
from mappings.xapi.timestamps import rfc3339
from storage.learner_ids import LearnerCase
from storage.states import BackfillState, DeliveryState, TokenScope, TokenStatus, TryOutcome

FOLDER = Path(__file__).parents[1] / "templates"
NAVIGATION = (
    ("/", "Overview"),
    ("/learners", "Learners"),
    ("/statements", "Statements"),
    ("/documents", "Documents"),
    ("/deliveries", "Deliveries"),
    ("/refusals", "Requests"),
    ("/mappings", "Mappings"),
    ("/targets", "Targets"),
    ("/lms", "LMSs"),
    ("/webhooks", "Webhooks"),
    ("/erasures", "Erasures"),
    ("/alerts", "Alerts"),
    ("/log", "Audit log"),
)

_ENUMS: tuple[type[Enum], ...] = (
    AuditAction, BackfillState, CallManner, DeliveryState, DifferenceKind, Disposition, LearnerCase, Role, RuleOutcome,
    TokenScope, TokenStatus, TryOutcome, WebhookEventType,
)  # fmt: skip
"""What templates compare with."""


class NavigationEntry(NamedTuple):
    """An entry of the navigation."""

    href: str
    title: str
    is_current: bool


_NO_FILTERS = frozenset({"after", "first", "sort", PARAM})
_NAVIGATION = web.AppKey("navigation", tuple[tuple[str, str, int], ...])


def set_up(app: web.Application, routes: Sequence[Route]) -> None:
    """Set up an application for `render_page`. The navigation has the entries that lead to one of the routes."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = asset_path
    environment.globals |= {enum.__name__: enum for enum in _ENUMS}
    environment.globals["max_reason_length"] = MAX_REASON_LENGTH
    environment.filters["badge_color"] = badge_color
    environment.filters["utc"] = rfc3339
    environment.filters["describe_alarm_since"] = describe_alarm_since
    environment.filters["truncated"] = truncate_text
    environment.filters["pretty_json"] = pretty_json
    environment.filters["compact_json"] = compact_json
    roles = {route.path: route.role for route in routes if route.method == "GET"}
    app[_NAVIGATION] = tuple((path, title, roles[path] or 0) for path, title in NAVIGATION if path in roles)


def navigation(request: web.Request) -> list[NavigationEntry]:
    """Return the entries that the account may open."""
    account = optional_account(request)
    return [
        NavigationEntry(f"/audit{path}", title, _is_below(request.path, f"/audit{path}"))
        for path, title, role in request.app[_NAVIGATION]
        if account is not None and account.role >= role
    ]


class HtmlResponse(web.Response):
    """A page that is rendered when it is sent, or before: off the event loop, as large ones take a while."""

    def __init__(self, render: Callable[[], str], status: int) -> None:
        super().__init__(status=status, content_type="text/html", charset="utf-8")
        self._render: Callable[[], str] | None = render

    def rendered(self) -> HtmlResponse:
        """Render it now, if it is not rendered yet, and return it."""
        if self._render is not None:
            self.text = self._render()
            self._render = None
        return self


@web.middleware
async def render_off_loop(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Render pages on the threads for people's work."""
    response = await handler(request)
    if isinstance(response, HtmlResponse):
        await request.app[DEPENDENCIES].database.run(response.rendered)
    return response


def render_page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> HtmlResponse:
    """Return a page. Templates get `values`, and `account`, `csrf_token`, `navigation`, `now`, `here` and others.

    `now` is in milliseconds since the epoch; `here` is the page's own address without its query; `message` is
    what the form before it did; `sees_names` and `sees_cmi` say what may be shown.
    """
    zone = zone_of(request)
    context = {
        "account": optional_account(request),
        "csrf_token": request.get(CSRF, ""),
        "navigation": navigation(request),
        "now": request.app[DEPENDENCIES].now(),
        "here": request.rel_url.raw_path,
        "zone_name": zone.key,
        "local_time": lambda ms: local_time(ms, zone),
        "query": dict(request.query),
        "filters": _filters(request),
        "query_text": _query_text(request),
        "here_with": lambda **changed: _here_with(request, changed),
        "message": message_of(request),
        "sees_names": may_see_names(request),
        "sees_cmi": may_see_cmi(request),
    }
    context |= values
    return HtmlResponse(lambda: aiohttp_jinja2.render_string(template, request, context), status)


def _here_with(request: web.Request, changed: dict[str, Any]) -> str:
    """Return the address of the page with parts of its query changed, or removed where they are None."""
    changed = dict(request.query) | {PARAM: None} | changed
    query = {name: value for name, value in changed.items() if value is not None}
    return str(request.rel_url.with_query(query))


def _filters(request: web.Request) -> dict[str, str]:
    """Return the parts of the query that narrow the search down."""
    return {name: value for name, value in request.query.items() if value.strip() and name not in _NO_FILTERS}


def _query_text(request: web.Request) -> str:
    """Return the query with its question mark, without what belongs to one page of a search alone."""
    return str(URL.build(query={name: value for name, value in request.query.items() if name not in _NO_FILTERS}))


def _is_below(path: str, entry: str) -> bool:
    return path == entry if entry.endswith("/") else path == entry or path.startswith(f"{entry}/")
