"""One attempt as a timeline: what came in, what it changed, what was made of it, and what the LRSs said; one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.redaction import redact_answer, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import commit_diff, rule_trace
from bridge.audit.components.commit_diff import CommitOutcome
from bridge.audit.components.json_view import chars_per_text, text_file, truncate_text, view_of
from bridge.audit.components.render import page
from bridge.audit.components.request_params import next_place, nothing, place_in, uuid_in
from bridge.audit.components.statement_view import StatementSummary, summarize
from bridge.audit.dependencies import DEPENDENCIES
from storage.queries import timeline
from storage.queries.keyset import ResultPage
from storage.queries.lookups import DocumentLine
from storage.queries.timeline import JournaledCommit, TimelineCommit, TimelineDelivery, TimelineStatement

COMMITS = 50
"""Commits of a page."""

WARNINGS = 5
"""Values that could not be used, of each commit on a page of many."""
ALL_WARNINGS = 100
"""The same where the page is about one commit."""
ANSWER = 300
"""Characters of what an LRS answered; the page of the statement has all of it."""

_MAX_NUMBER = 2**31 - 1


class StatementShown(NamedTuple):
    """A statement; `json` is empty, as `line.body` always is, where it may not be seen or is too long to be shown."""

    line: TimelineStatement
    summary: StatementSummary
    json: str
    is_cut: bool


class CommitShown(NamedTuple):
    """A commit. `opens` where it is the first of a session in a row, `session` is that one's number in the attempt."""

    line: TimelineCommit
    session: int
    opens: bool
    outcome: CommitOutcome
    statements: list[StatementShown]


class DocumentShown(NamedTuple):
    """A document; `parameters` and `content` are empty where they may not be seen."""

    line: DocumentLine
    parameters: str
    content: str
    is_cut: bool


async def _attempt(request: web.Request) -> web.StreamResponse:
    uuid, after = uuid_in(request, "uuid", "attempt"), request.query.get("after") or None
    first = place_in(request, "session")

    def look(connection: Connection) -> dict[str, Any] | None:
        found = timeline.timeline(connection, uuid, after=after, most=COMMITS, first_session=first)
        if found is None:
            return None
        shown = _shown(request, found.commits, found.before, found.places, most_warnings=WARNINGS)
        return {
            "attempt": redact_name(request, found.attempt),
            "sessions": found.sessions,
            "all_sessions": found.all_sessions,
            "next_session": next_place(first, len(found.sessions), found.all_sessions),
            "page": ResultPage(shown, found.after),
            "documents": [_document(request, one) for one in found.documents],
        }

    values = await request.app[DEPENDENCIES].database.read(look)
    if values is None:
        raise nothing("attempt")
    return page(request, "attempt.html", **values)


async def _commit(request: web.Request) -> web.StreamResponse:
    first = place_in(request, "statement")
    session_id, number = _which(request)

    def look(connection: Connection) -> dict[str, Any] | None:
        found = timeline.received(connection, session_id, number, first_statement=first)
        if found is None:
            return None
        told = rule_trace.rules(
            connection, session_id, number, asked="rules" in request.query, sees_cmi=may_see_cmi(request)
        )
        (shown,) = _shown(request, [found.commit], found.before, {session_id: 0}, most_warnings=ALL_WARNINGS)
        return {
            "attempt": redact_name(request, found.attempt),
            "commit": shown,
            "next_statement": next_place(first, len(shown.statements), found.commit.made),
            "rules": told,
            "at": found.at,
            "body": view_of(found.body) if may_see_cmi(request) else None,
        }

    values = await request.app[DEPENDENCIES].database.read(look)
    if values is None:
        raise nothing("commit")
    return page(request, "commit.html", **values)


async def _body(request: web.Request) -> web.StreamResponse:
    found = await _received(request)
    return text_file(f"commit-{found.commit.session_id}-{found.commit.number}.txt", found.body)


async def _received(request: web.Request) -> JournaledCommit:
    found = await request.app[DEPENDENCIES].database.read(timeline.received, *_which(request))
    if found is None:
        raise nothing("commit")
    return found


def _which(request: web.Request) -> tuple[str, int]:
    session_id, told = uuid_in(request, "session_id", "session"), request.match_info["number"]
    number = int(told) if told.isascii() and told.isdecimal() and len(told) < 11 else 0
    if not 0 < number <= _MAX_NUMBER:
        raise nothing("commit")
    return session_id, number


def _shown(
    request: web.Request,
    commits: Sequence[TimelineCommit],
    before: str | None,
    numbers: dict[str, int],
    *,
    most_warnings: int,
) -> list[CommitShown]:
    outcomes = commit_diff.outcomes(commits, before, sees_cmi=may_see_cmi(request), most_warnings=most_warnings)
    most = chars_per_text(sum(len(one.statements) for one in commits))
    shown, of_session = [], ""
    for one, outcome in zip(commits, outcomes, strict=True):
        statements = [_statement(request, line, most) for line in one.statements]
        opens = one.session_id != of_session
        line = one._replace(response=None, statements=())
        shown.append(CommitShown(line, numbers[one.session_id], opens, outcome, statements))
        of_session = one.session_id
    return shown


def _statement(request: web.Request, line: TimelineStatement, most: int) -> StatementShown:
    sees_cmi = may_see_cmi(request)
    summary = summarize(line.body, sees_names=may_see_names(request), sees_cmi=sees_cmi)
    # a statement's JSON has the learner's name and answers in many places
    view = view_of(line.body.encode(), most) if sees_cmi and line.body else None
    problem = truncate_text(line.problem) if sees_cmi and line.problem else None if line.problem is None else ""
    ways = tuple(_way(request, way) for way in line.deliveries)
    is_cut = sees_cmi and (view is None or view.is_truncated)
    line = line._replace(body="", problem=problem, deliveries=ways)
    return StatementShown(line, summary, "" if view is None else view.text, is_cut)


def _way(request: web.Request, way: TimelineDelivery) -> TimelineDelivery:
    tried = (redact_answer(request, one) for one in way.tried)
    return way._replace(tried=tuple(one._replace(answer=truncate_text(one.answer, ANSWER)) for one in tried))


def _document(request: web.Request, one: DocumentLine) -> DocumentShown:
    is_cut = one.size > len(one.content)
    if not may_see_cmi(request):
        return DocumentShown(one, "", "", is_cut)
    return DocumentShown(one, view_of(one.parameters.encode()).text, view_of(one.content).text, is_cut)


ROUTES = (
    Route("GET", "/attempts/{uuid}", _attempt, Role.READER),
    Route("GET", "/commits/{session_id}/{number}", _commit, Role.READER),
    Route("GET", "/commits/{session_id}/{number}/body", _body, Role.AUDITOR),
)
