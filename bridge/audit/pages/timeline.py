"""One attempt as a timeline: what came in, what it changed, what was made of it, and what the LRSs said; one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from aiohttp import web

from bridge.audit import changes, rules
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.access.veils import answered, named
from bridge.audit.asked import nothing, uuid_in
from bridge.audit.changes import Outcome
from bridge.audit.parts import AUDIT_PARTS
from bridge.audit.render import page
from bridge.audit.route import Route
from bridge.audit.sentences import Sentence, sentence
from storage.audit import timeline
from storage.audit.pages import Page
from storage.audit.timeline import CommitLine, DeliveryLine, Received, StatementLine
from storage.lookups import DocumentLine

COMMITS = 50
"""Commits of a page."""

SHOWN = 100_000
"""Characters of a body that a page shows; the file has all of it."""

_LARGEST = 2**31 - 1


class StatementShown(NamedTuple):
    """A statement; `json` is empty, as `line.body` always is, where it may not be seen."""

    line: StatementLine
    said: Sentence
    json: str


class CommitShown(NamedTuple):
    """A commit. `opens` where it is the first of a session in a row, `session` is that one's number in the attempt."""

    line: CommitLine
    session: int
    opens: bool
    outcome: Outcome
    statements: list[StatementShown]


class DocumentShown(NamedTuple):
    """A document; `parameters` and `content` are empty where they may not be seen."""

    line: DocumentLine
    parameters: str
    content: str


async def _attempt(request: web.Request) -> web.StreamResponse:
    uuid, after = uuid_in(request, "uuid", "attempt"), request.query.get("after") or None
    found = await request.app[AUDIT_PARTS].database.read(timeline.timeline, uuid, after=after, most=COMMITS)
    if found is None:
        raise nothing("attempt")
    numbers = {one.session_id: number for number, one in enumerate(found.sessions, 1)}
    return page(
        request,
        "attempt.html",
        attempt=named(request, found.attempt),
        sessions=found.sessions,
        page=Page(_shown(request, found.commits, found.before, numbers), found.after),
        documents=[_document(request, one) for one in found.documents],
    )


async def _commit(request: web.Request) -> web.StreamResponse:
    found = await _received(request)
    numbers = {found.commit.session_id: 0}
    told = await request.app[AUDIT_PARTS].database.read(
        rules.rules,
        found.commit.session_id,
        found.commit.number,
        asked="rules" in request.query,
        sees_cmi=may_see_cmi(request),
    )
    (shown,) = _shown(request, [found.commit], found.before, numbers)
    whole = _readable(found.body) if may_see_cmi(request) else ""
    return page(
        request,
        "commit.html",
        attempt=named(request, found.attempt),
        commit=shown,
        rules=told,
        at=found.at,
        body=whole[:SHOWN],
        is_cut=len(whole) > SHOWN,
    )


async def _body(request: web.Request) -> web.StreamResponse:
    found = await _received(request)
    name = f"commit-{found.commit.session_id}-{found.commit.number}.txt"
    return web.Response(
        body=found.body,
        # as text, whatever it said it was: what is in it is not the bridge's
        content_type="text/plain",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _received(request: web.Request) -> Received:
    session_id, told = uuid_in(request, "session_id", "session"), request.match_info["number"]
    number = int(told) if told.isascii() and told.isdecimal() and len(told) < 11 else 0
    found = None
    if 0 < number <= _LARGEST:
        found = await request.app[AUDIT_PARTS].database.read(timeline.received, session_id, number)
    if found is None:
        raise nothing("commit")
    return found


def _shown(
    request: web.Request, commits: Sequence[CommitLine], before: str | None, numbers: dict[str, int]
) -> list[CommitShown]:
    outcomes = changes.outcomes(commits, before, sees_cmi=may_see_cmi(request))
    shown, of_session = [], ""
    for one, outcome in zip(commits, outcomes, strict=True):
        statements = [_statement(request, line) for line in one.statements]
        opens = one.session_id != of_session
        line = one._replace(reply=None, statements=())
        shown.append(CommitShown(line, numbers[one.session_id], opens, outcome, statements))
        of_session = one.session_id
    return shown


def _statement(request: web.Request, line: StatementLine) -> StatementShown:
    sees_cmi = may_see_cmi(request)
    said = sentence(line.body, sees_names=may_see_names(request), sees_cmi=sees_cmi)
    # a statement's JSON has the learner's name and answers in many places
    json = msgspec.json.format(line.body, indent=2) if sees_cmi else ""
    problem = line.problem if sees_cmi or line.problem is None else ""
    ways = tuple(_way(request, way) for way in line.deliveries)
    return StatementShown(line._replace(body="", problem=problem, deliveries=ways), said, json)


def _way(request: web.Request, way: DeliveryLine) -> DeliveryLine:
    return way._replace(tried=tuple(answered(request, one) for one in way.tried))


def _document(request: web.Request, one: DocumentLine) -> DocumentShown:
    if not may_see_cmi(request):
        return DocumentShown(one, "", "")
    return DocumentShown(one, _readable(one.parameters.encode()), _readable(one.content)[:SHOWN])


def _readable(content: bytes) -> str:
    """Give bytes as text, JSON with a line for each part; what is no UTF-8 is marked, and NUL."""
    try:
        text = msgspec.json.format(content, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = content.decode(errors="replace")
    return text.replace("\0", "\u2400")


ROUTES = (
    Route("GET", "/attempts/{uuid}", _attempt, Role.READER),
    Route("GET", "/commits/{session_id}/{number}", _commit, Role.READER),
    Route("GET", "/commits/{session_id}/{number}/body", _body, Role.AUDITOR),
)
