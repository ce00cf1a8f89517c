"""An attempt as a timeline: commits, what they changed, their statements and the LRSs' answers; and one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.redaction import redact_answer, redact_mention, redact_name
from bridge.audit.access.roles import Role, may_see_cmi, may_see_names
from bridge.audit.components import commit_diff, rule_trace
from bridge.audit.components.call_list import CallGroup, TimelineCalls, timeline_calls
from bridge.audit.components.commit_diff import CommitDiff
from bridge.audit.components.element_change import mark_lines
from bridge.audit.components.json_view import chars_per_text, text_file, truncate_text, view_of
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import next_position, not_found, position_param, uuid_param
from bridge.audit.components.statement_view import StatementDescription, summarize
from bridge.audit.dependencies import DEPENDENCIES
from storage.queries import recordings, timeline
from storage.queries.keyset import ResultPage
from storage.queries.lookups import DocumentLine
from storage.queries.timeline import JournaledCommit, TimelineCommit, TimelineDelivery, TimelineStatement

MAX_COMMITS = 50
"""Commits of a page."""

MAX_LISTED_WARNINGS = 5
"""Values that could not be used, of each commit on a page of many."""
MAX_WARNINGS = 100
"""The same where the page is about one commit."""
MAX_ANSWER_CHARS = 300
"""Characters of what an LRS answered; the page of the statement has all of it."""

_MAX_NUMBER = 2**31 - 1


class StatementView(NamedTuple):
    """A statement; `json` is empty, as `line.body` always is, where it may not be seen or is too long."""

    line: TimelineStatement
    summary: StatementDescription
    json: str
    is_truncated: bool


class CommitView(NamedTuple):
    """A commit; `opens` for the first of a session, whose number in the attempt and source follow.

    `calls` are those that were recorded before it, `calls_behind` those behind the last commit of its session.
    """

    line: TimelineCommit
    session: int
    source: str
    opens: bool
    diff: CommitDiff
    statements: list[StatementView]
    calls: CallGroup | None = None
    calls_behind: CallGroup | None = None


class DocumentView(NamedTuple):
    """A document; `parameters` and `content` are empty where they may not be seen."""

    line: DocumentLine
    parameters: str
    content: str
    is_truncated: bool


async def _attempt(request: web.Request) -> web.StreamResponse:
    uuid, after = uuid_param(request, "uuid", "attempt"), request.query.get("after") or None
    first = position_param(request, "session")

    def query(connection: Connection) -> dict[str, Any] | None:
        stored = timeline.timeline(connection, uuid, after=after, limit=MAX_COMMITS, first_session=first)
        if stored is None:
            return None
        commits = _commit_views(
            request,
            stored.commits,
            stored.before,
            stored.places,
            stored.sources,
            stored.attempt.learner_name,
            max_warnings=MAX_LISTED_WARNINGS,
        )
        calls = timeline_calls(request, connection, stored.commits, begins=after is None)
        commits = _with_calls(commits, calls)
        return {
            "attempt": redact_name(request, stored.attempt),
            "recorded": recordings.summaries(connection, uuid, first, timeline.SESSIONS),
            "has_more_calls": calls.is_partial,
            "sessions": stored.sessions,
            "all_sessions": stored.all_sessions,
            "next_session": next_position(first, len(stored.sessions), stored.all_sessions),
            "page": ResultPage(commits, stored.after),
            "documents": [_document(request, document) for document in stored.documents],
        }

    values = await request.app[DEPENDENCIES].database.read(query)
    if values is None:
        raise not_found("attempt")
    return render_page(request, "attempt.html", **values)


async def _commit(request: web.Request) -> web.StreamResponse:
    first = position_param(request, "statement")
    session_id, number = _commit_key(request)

    def query(connection: Connection) -> dict[str, Any] | None:
        stored = timeline.received(connection, session_id, number, first_statement=first)
        if stored is None:
            return None
        trace = rule_trace.trace_rules(
            connection,
            session_id,
            number,
            stored.attempt.scorm_version,
            is_requested="rules" in request.query,
            sees_cmi=may_see_cmi(request),
        )
        body = view_of(stored.body) if may_see_cmi(request) and stored.body is not None else None
        lines, first_lines = mark_lines("" if body is None else body.text, trace.changes)
        (commit,) = _commit_views(
            request,
            [stored.commit],
            stored.before,
            {session_id: 0},
            {session_id: stored.source},
            stored.attempt.learner_name,
            max_warnings=MAX_WARNINGS,
        )
        return {
            "is_removed": stored.body is None,
            "attempt": redact_name(request, stored.attempt),
            "commit": commit,
            "next_statement": next_position(first, len(commit.statements), stored.commit.made),
            "rules": trace,
            "at": stored.at,
            "body": body,
            "lines": lines,
            "line_of": first_lines.get,
        }

    values = await request.app[DEPENDENCIES].database.read(query)
    if values is None:
        raise not_found("commit")
    return render_page(request, "commit.html", **values)


async def _body(request: web.Request) -> web.StreamResponse:
    stored = await _received(request)
    if stored.body is None:
        raise web.HTTPGone(text="What the LMS sent was removed as it had become old, as [retention] says.")
    return text_file(f"commit-{stored.commit.session_id}-{stored.commit.number}.txt", stored.body)


async def _received(request: web.Request) -> JournaledCommit:
    stored = await request.app[DEPENDENCIES].database.read(timeline.received, *_commit_key(request))
    if stored is None:
        raise not_found("commit")
    return stored


def _commit_key(request: web.Request) -> tuple[str, int]:
    session_id, text = uuid_param(request, "session_id", "session"), request.match_info["number"]
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else 0
    if not 0 < number <= _MAX_NUMBER:
        raise not_found("commit")
    return session_id, number


def _commit_views(
    request: web.Request,
    commits: Sequence[TimelineCommit],
    before: str | None,
    numbers: dict[str, int],
    sources: dict[str, str],
    learner_name: str,
    *,
    max_warnings: int,
) -> list[CommitView]:
    diffs = commit_diff.commit_diffs(commits, before, sees_cmi=may_see_cmi(request), max_warnings=max_warnings)
    limit = chars_per_text(sum(len(commit.statements) for commit in commits))
    views, last_session = [], ""
    for commit, diff in zip(commits, diffs, strict=True):
        statements = [_statement(request, line, limit, learner_name) for line in commit.statements]
        opens = commit.session_id != last_session
        # a client's own word, which can be anything
        key = commit.idempotency_key if may_see_cmi(request) else None
        line = commit._replace(response=None, statements=(), idempotency_key=key)
        view = CommitView(line, numbers[commit.session_id], sources[commit.session_id], opens, diff, statements)
        views.append(view)
        last_session = commit.session_id
    return views


def _with_calls(commits: Sequence[CommitView], calls: TimelineCalls) -> list[CommitView]:
    last = {view.line.session_id: place for place, view in enumerate(commits)}
    return [
        view._replace(
            calls=calls.before.get((view.line.session_id, view.line.number)),
            calls_behind=calls.behind.get(view.line.session_id) if last[view.line.session_id] == place else None,
        )
        for place, view in enumerate(commits)
    ]


def _statement(request: web.Request, line: TimelineStatement, limit: int, learner_name: str) -> StatementView:
    sees_cmi = may_see_cmi(request)
    summary = summarize(line.body, sees_names=may_see_names(request), sees_cmi=sees_cmi)
    summary = summary._replace(
        actor=redact_mention(request, summary.actor, learner_name),
        object=redact_mention(request, summary.object, learner_name),
        object_id=redact_mention(request, summary.object_id, learner_name),
    )
    # a statement's JSON has the learner's name and answers in many places
    view = view_of(line.body.encode(), limit) if sees_cmi and line.body else None
    problem = truncate_text(line.problem) if sees_cmi and line.problem else None if line.problem is None else ""
    deliveries = tuple(_delivery(request, delivery) for delivery in line.deliveries)
    is_truncated = sees_cmi and (view is None or view.is_truncated)
    line = line._replace(body="", problem=problem, deliveries=deliveries)
    return StatementView(line, summary, "" if view is None else view.text, is_truncated)


def _delivery(request: web.Request, delivery: TimelineDelivery) -> TimelineDelivery:
    tries = (redact_answer(request, line) for line in delivery.tried)
    return delivery._replace(
        tried=tuple(line._replace(answer=truncate_text(line.answer, MAX_ANSWER_CHARS)) for line in tries)
    )


def _document(request: web.Request, line: DocumentLine) -> DocumentView:
    is_truncated = line.size > len(line.content)
    if not may_see_cmi(request):
        return DocumentView(line, "", "", is_truncated)
    return DocumentView(line, view_of(line.parameters.encode()).text, view_of(line.content).text, is_truncated)


ROUTES = (
    Route("GET", "/attempts/{uuid}", _attempt, Role.READER),
    Route("GET", "/commits/{session_id}/{number}", _commit, Role.READER),
    Route("GET", "/commits/{session_id}/{number}/body", _body, Role.AUDITOR),
)
