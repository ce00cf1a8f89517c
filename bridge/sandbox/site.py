"""The sandbox's pages: a sample course to play through the bridge, and the attempts and statements it leads to.

They play the part of an LMS, without sign-in: not for production.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp_jinja2
import jinja2
import markupsafe
import msgspec
from aiohttp import web
from msgspec.structs import replace
from sqlalchemy import Connection

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner, validate_launch
from bridge.commit_model.responses import attempt_summary
from bridge.commits.commands import OpenSession
from bridge.errors import MalformedField
from bridge.http.front_page import LINKS
from bridge.http.responses import ServiceLink
from bridge.http.services import SERVICES, services
from bridge.http.sessions import commit_url
from bridge.sandbox.change_stream import CHANGES, ChangeWatcher, add_stream
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.times import read_time, timespan
from storage.queries import lookups, overview
from storage.states import AttemptStatus

FOLDER = Path(__file__).parent
PLAYER = FOLDER / "player" / "node_modules" / "scorm-again" / "dist"
SHOWN = 20
"""Enrollments that the start page shows."""

_COURSE = LaunchCourse("sample", "SCORM sample")
_VERSIONS: dict[str, ScormVersion] = {"1.2": "1.2", "2004": "2004"}


class Sandbox(msgspec.Struct, frozen=True):
    """What the pages need: the LMS whose part they play, and the address of the sandbox LRS's page.

    `audit_url` is empty where there are no audit pages.
    """

    lms_id: int
    lrs_url: str
    audit_url: str = ""


SANDBOX = web.AppKey("sandbox", Sandbox)


def add_sandbox(app: web.Application, sandbox: Sandbox) -> None:
    """Add the sandbox's pages to the bridge's application, under `/sandbox/`."""
    app[SANDBOX] = sandbox
    app[LINKS].insert(0, ServiceLink("Sandbox", "/sandbox/", "a sample course to play, and what becomes of it"))
    aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(FOLDER / "player"), undefined=jinja2.StrictUndefined)
    app.add_routes(
        [
            web.get("/sandbox/", _start),
            web.get("/sandbox/launch", _launch),
            web.get("/sandbox/player/{name:launch[.](?:js|css)}", _asset),
            web.get("/sandbox/live.js", _script),
            web.static("/sandbox/course", FOLDER / "course"),
        ]
    )
    add_stream(app, "/sandbox/live")
    app.cleanup_ctx.append(_notify_pages)
    if PLAYER.is_dir():
        app.add_routes([web.static("/sandbox/scorm-again", PLAYER)])


async def _asset(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(FOLDER / "player" / request.match_info["name"])


async def _script(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(FOLDER / "live.js")


async def _notify_pages(app: web.Application) -> AsyncIterator[None]:
    """Look for commits and deliveries while the application runs."""
    database = app[SERVICES].database
    watcher = ChangeWatcher(app[CHANGES], lambda: database.read(overview.change_marker))
    watching = asyncio.create_task(watcher.run())
    yield
    watcher.stop()
    await watching


async def _start(request: web.Request) -> web.StreamResponse:
    sandbox = request.app[SANDBOX]
    attempts = await services(request).database.read(_attempts, sandbox.lms_id)
    context = {
        "attempts": attempts,
        "lrs_url": sandbox.lrs_url,
        "audit_url": sandbox.audit_url,
        "player_ready": PLAYER.is_dir(),
        "learner": request.query.get("learner"),
    }
    return _page("index.html", request, context)


async def _launch(request: web.Request) -> web.StreamResponse:
    version = _VERSIONS.get(request.query.get("version", ""))
    if version is None:
        raise MalformedField('version must be "1.2" or "2004".')
    name = " ".join(request.query.get("learner", "").split())
    launch = Launch(
        lms_id=request.app[SANDBOX].lms_id,
        learner=LaunchLearner(name.lower().replace(" ", "."), name),
        activity=LaunchActivity(f"sample-{version}", f"Sample course (SCORM {version})", ""),
        course=_COURSE,
        scorm_version=version,
    )
    launch, _ = validate_launch(launch)
    attempt_number = await services(request).database.read(_begun, launch)
    opened = await services(request).commits.open_session(
        OpenSession(replace(launch, attempt_number=attempt_number), None)
    )
    start = f"/sandbox/?learner={quote(name)}"
    data = {
        "scorm_version": version,
        "commit_url": commit_url(request, opened.session_id, launch),
        "learner": {"id": launch.learner.id, "name": name},
        "cmi": opened.cmi,
        "course_url": "/sandbox/course/index.html"
        + ("?questions=all" if request.query.get("questions") == "all" else ""),
        "attempts_url": start,
    }
    context = {
        "learner_name": name,
        "scorm_version": version,
        "attempts_url": start,
        "launch_json": _island(data),
    }
    return _page("launch.html", request, context)


def _begun(connection: Connection, launch: Launch) -> int | None:
    """Return the number of the attempt that a launch goes on with: one that is not over.

    A page that is loaded again opens its new session before the old one says how it ended, so an LMS that wants
    learners to go on where they were says which attempt it means.
    """
    for owner in lookups.enrollments(
        connection, lms_id=launch.lms_id, learner_id=launch.learner.id, activity_id=launch.activity.id
    ):
        latest = lookups.latest_attempt(connection, owner)
        return latest.number if latest is not None and latest.status != AttemptStatus.TERMINATED else None
    return None


def _page(template: str, request: web.Request, context: dict[str, Any]) -> web.Response:
    response = aiohttp_jinja2.render_template(template, request, context)
    # a page from the browser's cache would start a session that has ended
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    )
    return response


def _island(data: object) -> markupsafe.Markup:
    """Return JSON that nothing in it can end the script element of."""
    text = msgspec.json.encode(data).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return markupsafe.Markup(text)  # noqa: S704 -- what could be markup was just escaped


def _attempts(connection: Connection, lms_id: int) -> list[dict[str, Any]]:
    return [
        _attempt(report)
        for owner in lookups.newest_enrollments(connection, lms_id, SHOWN)
        for report in reversed(lookups.reports(connection, owner))
    ]


def _attempt(report: lookups.AttemptReport) -> dict[str, Any]:
    row = report.attempt
    shown = attempt_summary(row)
    return {
        "id": row.uuid,
        "learner": row.enrollment.learner_name,
        "activity": row.enrollment.activity_name,
        "scorm_version": row.scorm_version,
        "number": row.number,
        "state": row.status,
        "completion_status": shown.completion_status,
        "success_status": shown.success_status,
        "score": _score(msgspec.to_builtins(shown.score)),
        "total_time": _duration(shown.total_time),
        "sessions": [session.session_id for session in report.sessions],
        "statements": [
            {
                "time": datetime.fromtimestamp(session.created_at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
                "verb": session.rule,
                "result": _result(session.body),
                "id": session.id,
                "deliveries": [
                    {"target": way.target or "no LRS yet", "state": way.state} for way in session.deliveries
                ],
            }
            for session in report.statements
        ],
    }


def _score(score: dict[str, Any] | None) -> str | None:
    if score is None:
        return None
    raw, scaled = score.get("raw"), score.get("scaled")
    share = None if scaled is None else f"{scaled * 100:.4g} %"
    return share or "" if raw is None else f"{raw:g}" + (f" ({share})" if share else "")


def _duration(text: str) -> str:
    return timespan(read_time(text)).removeprefix("00")


def _result(body: str) -> str:
    result = msgspec.json.decode(body).get("result", {})
    words = [
        word
        for word, applies in (
            ("completed", result.get("completion") is True),
            ("not completed", result.get("completion") is False),
            ("passed", result.get("success") is True),
            ("failed", result.get("success") is False),
        )
        if applies
    ]
    if "score" in result:
        words.append(_score(result["score"]) or "")
    if "duration" in result:
        words.append(_duration(result["duration"]))
    return "; ".join(words)
