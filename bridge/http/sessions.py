"""Opening sessions and asking after them."""

from __future__ import annotations

import re

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.access import CommitOwner
from bridge.commit_model.launch import Launch
from bridge.commit_model.responses import attempt_object, enrollment_object
from bridge.commits.commands import OpenSession
from bridge.errors import MalformedField, SessionUnknown
from bridge.formats import native
from bridge.formats.lenient_json import decode
from bridge.http import reports, request_body
from bridge.http.reports import Places
from bridge.http.services import lms_of, public_url, services
from storage import lookups
from storage.report_lines import SessionLine, Whose

_PAGE = re.compile("[0-9]{1,18}")
_IN_NO_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


async def open_session(request: web.Request) -> web.Response:
    """`POST /v1/sessions`: open a session and get the address its player posts commits to."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get("Authorization"))
    body = await request_body.read_body(request)
    asked = await parts.parsing.run(
        body, lambda: native.parse_open_session(decode(body) if body.strip() else None, lms_id=lms.id)
    )
    told = asked.session_id
    opened = await parts.commits.open(
        OpenSession(asked.launch, None if told is None else request_body.session_id(told))
    )
    return _json(
        {
            "result": True,
            "errorCode": 0,
            "session_id": opened.session_id,
            "commit_url": commit_url(request, opened.session_id, asked.launch),
            "attempt": opened.attempt | {"entry": opened.entry},
            "enrollment": opened.enrollment,
            "cmi": opened.cmi,
            "warnings": asked.warnings,
        }
    )


def commit_url(request: web.Request, session_id: str, launch: Launch) -> str:
    """Give the address a session's commits are posted to, with the token that permits it."""
    tokens = services(request).commit_tokens
    owner = CommitOwner(launch.lms_id, tokens.learner_tag(launch.lms_id, launch.learner.id))
    token = tokens.sign(session_id, owner)
    return f"{public_url(request)}/v1/sessions/{session_id}/commits?token={token}"


async def get_session(request: web.Request) -> web.Response:
    """`GET /v1/sessions/{session_id}`: state, data for the next launch, commits, statements, documents, their way."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get("Authorization"))
    session_id = request_body.session_id(request.match_info["session_id"])
    with parts.asking.hold(lms.id):
        answer = await parts.database.lms.read(_session_object, session_id, lms.id, reports.asked_places(request))
    return web.Response(body=answer, content_type="application/json")


async def get_enrollments(request: web.Request) -> web.Response:
    """`GET /v1/enrollments?learner=…&activity=…&course=…&after=…`: for the gradebook, a hundred at a time."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get("Authorization"))
    after = request.query.get("after", "0")
    if _PAGE.fullmatch(after) is None:
        raise MalformedField("after is what `next` of the page before said: a number.")
    for name in ("learner", "activity", "course"):
        if _IN_NO_ID.search(request.query.get(name, "")) is not None:
            raise MalformedField(f"{name} has a character that no id has.")
    with parts.asking.hold(lms.id):
        found = await parts.database.lms.read(
            lookups.enrollments,
            lms_id=lms.id,
            learner_id=request.query.get("learner"),
            activity_id=request.query.get("activity"),
            course_id=request.query.get("course"),
            after=int(after),
        )
    return _json(
        {
            "result": True,
            "errorCode": 0,
            "enrollments": [enrollment_object(row) for row in found],
            "next": f"{found[-1].id}" if len(found) == 100 else None,
        }
    )


def _session_object(connection: Connection, session_id: str, lms_id: int, places: Places) -> bytes:
    row = lookups.find_session(connection, session_id)
    if row is None or row.attempt.enrollment.lms_id != lms_id:
        raise SessionUnknown(f"This LMS has no session {session_id}.")
    line = SessionLine(row.session_id, row.entry, row.started_at, row.last_commit_at, row.ended_at, row.ended)
    answer = {
        "result": True,
        "errorCode": 0,
        **reports.session(line),
        "attempt": attempt_object(row.attempt),
        "enrollment": enrollment_object(row.attempt.enrollment),
        "cmi": reports.resume_data(row.attempt),
        **reports.lists(connection, Whose(row.attempt.id, session_id), places),
    }
    # data for the next launch can be a megabyte: it is written here, off the event loop
    return msgspec.json.encode(answer)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
