"""Search: one box for learners, courses, activities, and everything that has a UUID."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role, may_see_names
from bridge.audit.components.flash import redirect
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import choice_param, text_param
from bridge.audit.dependencies import DEPENDENCIES
from storage.queries import search
from storage.queries.keyset import ResultPage
from storage.queries.search import SearchHit, UuidHit
from storage.states import SearchKind

MAX_QUERY_LENGTH = 200
"""Characters that are looked for."""
SHOWN = 10
"""Results of each kind, where all kinds are searched."""
INDEX_DELAY = 600_000
"""Milliseconds after which an enrollment that is not indexed is one of many: a new release indexes the older ones."""

_TITLES = {SearchKind.LEARNER: "Learners", SearchKind.COURSE: "Courses", SearchKind.ACTIVITY: "Activities"}
_LINKS = {
    "statement": "/audit/statements/{uuid}",
    "enrollment": "/audit/enrollments/{uuid}",
    "attempt": "/audit/attempts/{uuid}",
    "session": "/audit/attempts/{attempt}#session-{uuid}",
    "document": "/audit/documents/{uuid}",
}


class ResultLink(NamedTuple):
    """A result; `detail` is empty where there is no more to say."""

    href: str
    text: str
    detail: str
    lms: str = ""


class ResultGroup(NamedTuple):
    """The results of a kind, and the address of more, empty where there are none."""

    title: str
    links: list[ResultLink]
    more: str


class _SearchView(NamedTuple):
    pages: dict[SearchKind, ResultPage[SearchHit]]
    uuids: list[UuidHit]
    is_complete: bool


async def _search(request: web.Request) -> web.StreamResponse:
    text = (text_param(request, "q") or "")[:MAX_QUERY_LENGTH]
    kind = choice_param(request, "kind", SearchKind)
    after, now = request.query.get("after") or None, request.app[DEPENDENCIES].now()
    kinds = list(SearchKind) if kind is None else [SearchKind(kind)]
    sees_names = may_see_names(request)

    def query(connection: Connection) -> _SearchView:
        options = {"sees_names": sees_names, "limit": SHOWN} if kind is None else {"sees_names": sees_names}
        pages = {page_kind: search.search(connection, page_kind, text, after=after, **options) for page_kind in kinds}
        uuids = search.find_uuid(connection, text) if kind is None else []
        return _SearchView(pages, uuids, search.is_complete(connection, now - INDEX_DELAY))

    if not text:
        return render_page(request, "search.html", text="", groups=[], kind=None, page=ResultPage([], None))
    view = await request.app[DEPENDENCIES].database.read(query)
    uuid_links = [_uuid_link(hit) for hit in view.uuids]
    groups = [ResultGroup("By UUID", uuid_links, "")] if uuid_links else []
    for page_kind, page in view.pages.items():
        if page.rows:
            more = f"/audit/search?{urlencode({'q': text, 'kind': page_kind.value})}" if page.after else ""
            groups.append(ResultGroup(_TITLES[page_kind], [_link(hit) for hit in page.rows], more))
    if len(uuid_links) == len(groups) == 1 and text.lower() == view.uuids[0].uuid:
        return redirect(uuid_links[0].href)
    return render_page(
        request,
        "search.html",
        text=text,
        groups=groups,
        kind=None if kind is None else _TITLES[SearchKind(kind)],
        page=ResultPage([], None) if kind is None else view.pages[SearchKind(kind)],
        is_complete=view.is_complete,
        searches_names=sees_names,
    )


def _link(hit: SearchHit) -> ResultLink:
    detail = hit.subject_id if hit.name and hit.name != hit.subject_id else ""
    return ResultLink(subject_path(hit.kind, hit.lms, hit.subject_id), hit.name or hit.subject_id, detail, hit.lms)


def _uuid_link(hit: UuidHit) -> ResultLink:
    return ResultLink(_LINKS[hit.table].format(uuid=hit.uuid, attempt=hit.attempt), hit.uuid, hit.table)


def subject_path(kind: str, lms: str, subject_id: str) -> str:
    """Return the address of the page about a learner, course or activity."""
    return f"/audit/{kind}?{urlencode({'lms': lms, 'id': subject_id})}"


ROUTES = (Route("GET", "/search", _search, Role.READER),)
