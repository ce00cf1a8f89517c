"""Asking after an attempt, all its sessions together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.commits.replies import attempt_object, enrollment_object, time_text
from bridge.errors import AttemptUnknown, MalformedField
from bridge.http import bodies, reports
from bridge.http.services import services
from storage import lookups
from storage.lookups import CommitLine, DocumentLine, StatementLine

_Line = TypeVar("_Line", CommitLine, DocumentLine, StatementLine)


async def get_attempt(request: web.Request) -> web.Response:
    """`GET /v1/attempts/{attempt_id}`: what `GET /v1/sessions/{session_id}` tells, of all its sessions together."""
    parts = services(request)
    lms = await parts.lms_tokens.check(request.headers.get("Authorization"))
    told = request.match_info["attempt_id"]
    if bodies.UUID.fullmatch(told) is None:
        raise MalformedField(f"An attempt's id is the UUID that answers tell as attempt.id, not {told[:60]!r}.")
    answer = await parts.database.lms.read(_attempt_object, told.lower(), lms.id)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _attempt_object(connection: Connection, attempt_id: str, lms_id: int) -> dict[str, Any]:
    row = lookups.find_attempt(connection, attempt_id)
    if row is None or row.enrollment.lms_id != lms_id:
        raise AttemptUnknown(f"This LMS has no attempt {attempt_id}.")
    report = lookups.report(connection, row)
    return {
        "result": True,
        "errorCode": 0,
        "started_at": time_text(row.started_at),
        "last_commit_at": time_text(row.last_commit_at),
        "attempt": attempt_object(row),
        "enrollment": enrollment_object(row.enrollment),
        "cmi": reports.resume_data(row),
        "sessions": [reports.session(one) for one in report.sessions],
        "commits": [_of_session(one, reports.commit) for one in report.commits],
        "statements": [_of_session(one, reports.statement) for one in report.statements],
        "documents": [_of_session(one, reports.document) for one in report.documents],
    }


def _of_session(line: _Line, told: Callable[[_Line], dict[str, Any]]) -> dict[str, Any]:
    return {"session_id": line.session_id} | told(line)
