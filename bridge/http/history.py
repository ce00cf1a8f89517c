"""What LMSs read of a session or an attempt: results, resume data, and what became of the commits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.clock import format_timestamp
from bridge.commit_model.responses import attempt_summary, enrollment_summary, resume_values, shown_version
from bridge.commit_model.state_codec import decode_attempt_state
from bridge.errors import MalformedField
from bridge.http.responses import (
    AttemptCommit,
    AttemptCursors,
    AttemptDocument,
    AttemptResponse,
    AttemptStatement,
    DeliverySummary,
    SessionCommit,
    SessionCursors,
    SessionDocument,
    SessionResponse,
    SessionStatement,
    SessionSummary,
)
from mappings.cmi.render import render
from mappings.xapi.timestamps import rfc3339
from storage.attempts import Attempt, Session
from storage.queries import report_lines
from storage.queries.lookups import CommitLine, DeliveryLine
from storage.queries.report_lines import AttemptScope, DocumentReport, StatementReport

_PLACE = re.compile("[0-9]{1,18}")


class Cursors(NamedTuple):
    """The place behind which each list continues; 0 for its beginning."""

    sessions: int = 0
    commits: int = 0
    statements: int = 0


SESSION_PARAMETERS = ("commits_after", "statements_after")
ATTEMPT_PARAMETERS = ("sessions_after", *SESSION_PARAMETERS)


def parse_cursors(request: web.Request) -> Cursors:
    """Return where lists continue, as `next` of the response before says.

    Raises:
        MalformedField: a cursor is no number.
    """
    places = {name: request.query.get(f"{name}_after", "0") for name in Cursors._fields}
    for name, place in places.items():
        if _PLACE.fullmatch(place) is None:
            raise MalformedField(f"{name}_after is `next.{name}` of the response before: a number.")
    return Cursors(**{name: int(place) for name, place in places.items()})


def session_response(connection: Connection, row: Session, cursors: Cursors) -> SessionResponse:
    """Return a session with its first commits and statements behind the cursors."""
    scope = AttemptScope(row.attempt.id, row.session_id)
    commits = report_lines.commits(connection, scope, cursors.commits)
    statements = report_lines.statements(connection, scope, cursors.statements)
    return SessionResponse(
        session_id=row.session_id,
        entry=row.entry,
        started_at=rfc3339(row.started_at),
        last_commit_at=format_timestamp(row.last_commit_at),
        ended_at=format_timestamp(row.ended_at),
        ended=row.ended,
        source=row.source,
        attempt=attempt_summary(row.attempt),
        enrollment=enrollment_summary(row.attempt.enrollment),
        cmi=_resume_data(row.attempt),
        commits=[SessionCommit(*_commit_fields(line)) for line in commits.rows],
        statements=[SessionStatement(*_statement_fields(line)) for line in statements.rows],
        documents=[SessionDocument(*_document_fields(line)) for line in report_lines.documents(connection, scope)],
        next=SessionCursors(_cursor(commits.after), _cursor(statements.after)),
    )


def attempt_response(connection: Connection, row: Attempt, cursors: Cursors) -> AttemptResponse:
    """Return an attempt with its first sessions, commits and statements behind the cursors."""
    scope = AttemptScope(row.id)
    commits = report_lines.commits(connection, scope, cursors.commits)
    statements = report_lines.statements(connection, scope, cursors.statements)
    sessions = report_lines.sessions(connection, row.id, cursors.sessions)
    documents = report_lines.documents(connection, scope)
    return AttemptResponse(
        started_at=rfc3339(row.started_at),
        last_commit_at=format_timestamp(row.last_commit_at),
        attempt=attempt_summary(row),
        enrollment=enrollment_summary(row.enrollment),
        cmi=_resume_data(row),
        sessions=[
            SessionSummary(
                line.session_id,
                line.entry,
                rfc3339(line.started_at),
                format_timestamp(line.last_commit_at),
                format_timestamp(line.ended_at),
                line.ended,
                line.source,
            )
            for line in sessions.rows
        ],
        commits=[AttemptCommit(*_commit_fields(line), line.session_id) for line in commits.rows],
        statements=[AttemptStatement(*_statement_fields(line), line.session_id) for line in statements.rows],
        documents=[AttemptDocument(*_document_fields(line), line.session_id) for line in documents],
        next=AttemptCursors(_cursor(commits.after), _cursor(statements.after), _cursor(sessions.after)),
    )


def _resume_data(row: Attempt) -> dict[str, Any]:
    """Return the CMI data that the next launch of an attempt is loaded with."""
    state = decode_attempt_state(row.state)
    return render(state.snapshot, shown_version(row, state), resume_values(row, state))


def _cursor(after: int | None) -> str | None:
    return None if after is None else f"{after}"


def _commit_fields(line: CommitLine) -> tuple[int, str, str, str]:
    return line.number, rfc3339(line.received_at), line.wire_format, line.disposition


def _statement_fields(line: StatementReport) -> tuple[str, str, str, int, list[DeliverySummary]]:
    return line.id, line.verb, line.rule, line.commit_number, _deliveries(line.deliveries)


def _document_fields(line: DocumentReport) -> tuple[str, str, int, list[DeliverySummary]]:
    return line.name, line.resource, line.commit_number, _deliveries(line.deliveries)


def _deliveries(lines: Sequence[DeliveryLine]) -> list[DeliverySummary]:
    return [DeliverySummary(line.target or None, line.state, line.tries) for line in lines]
