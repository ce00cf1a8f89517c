"""All routes of the API in one table."""

from __future__ import annotations

from aiohttp import web

from bridge.http import commits, doors, health, sessions
from bridge.http.cors import cors
from bridge.http.problems import problems
from bridge.http.services import SERVICES, Services

LARGEST_BODY = 1024 * 1024
"""Bytes of a commit: suspend data alone can be 128 KiB once it is escaped as JSON."""

_DOOR = f"/v1/formats/{{format:{doors.NAMES}}}/sessions/{{session_id}}/commits"


def create_api(parts: Services) -> web.Application:
    """Make the application with all routes of the contract."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[cors(parts.origins), problems])
    app[SERVICES] = parts
    app.add_routes(
        [
            web.post("/v1/sessions", sessions.open_session),
            web.get("/v1/sessions/{session_id}", sessions.get_session),
            web.post("/v1/sessions/{session_id}/commits", doors.post_to_session),
            web.put("/v1/sessions/{session_id}/commits", doors.post_to_session),
            web.post(_DOOR, doors.post_to_door),
            web.put(_DOOR, doors.post_to_door),
            web.get(_DOOR, doors.post_to_door, allow_head=False),
            web.post("/v1/formats/scorm-cloud", doors.post_results),
            web.post("/v1/commits", commits.post_all_in_one),
            web.get("/v1/enrollments", sessions.get_enrollments),
            web.post("/scorm/progress/{topic_id}/", commits.post_progress),
            web.post("/scorm/progress/{topic_id}", commits.post_progress),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
        ]
    )
    return app
