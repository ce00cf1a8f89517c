"""All routes of the API in one table."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from bridge.http import (
    attempts,
    browser_sessions,
    commits,
    front_page,
    gradebook,
    health,
    mirror,
    openapi,
    recordings,
    request_body,
    sessions,
    tap,
)
from bridge.http.cors import cors
from bridge.http.metrics import MetricsEndpoint
from bridge.http.problems import SERVER, problems
from bridge.http.services import SERVICES, Services
from bridge.request_id import REQUEST_ID_HEADER, current_request_id
from bridge.tap.script import PATH

_FORMAT_COMMITS = f"/v1/formats/{{format:{commits.FORMAT_NAMES}}}/sessions/{{session_id}}/commits"


def create_api(parts: Services, metrics: MetricsEndpoint) -> web.Application:
    """Return the application with all routes of the API."""
    app = web.Application(
        client_max_size=request_body.MAX_BODY_BYTES,
        middlewares=[cors(parts.origins, parts.browser_keys), problems],
        # what aiohttp itself cannot unpack it refuses before any of this is asked, in words of its own
        handler_args={"auto_decompress": False},
    )
    app[SERVICES] = parts
    app[front_page.LINKS] = [*front_page.API_LINKS]
    app[health.DRAINING] = asyncio.Event()

    async def close(_app: web.Application) -> None:
        parts.parsing.close()

    app.on_cleanup.append(close)
    app.on_response_prepare.append(_complete_headers)
    app.add_routes(
        [
            web.get("/", front_page.get_front_page),
            web.post("/v1/sessions", sessions.open_session),
            web.post("/v1/browser/sessions", browser_sessions.open_browser_session),
            web.get("/v1/sessions/{session_id}", sessions.get_session),
            web.post("/v1/sessions/{session_id}/commits", commits.post_to_session),
            web.put("/v1/sessions/{session_id}/commits", commits.post_to_session),
            web.post("/v1/sessions/{session_id}/calls", recordings.post_calls),
            web.post(_FORMAT_COMMITS, commits.post_in_format),
            web.put(_FORMAT_COMMITS, commits.post_in_format),
            web.get(_FORMAT_COMMITS, commits.post_in_format, allow_head=False),
            web.post("/v1/formats/scorm-cloud", commits.post_postback),
            web.post(f"/v1/mirror/{{format:{mirror.FORMAT_NAMES}}}", mirror.post_mirrored),
            web.post("/v1/commits", commits.post_all_in_one),
            web.get("/v1/attempts/{attempt_id}", attempts.get_attempt),
            web.get("/v1/courses/{course_id}", gradebook.get_course),
            web.get("/v1/enrollments", gradebook.get_enrollments),
            web.post("/scorm/progress/{topic_id}/", commits.post_all_in_one),
            web.post("/scorm/progress/{topic_id}", commits.post_all_in_one),
            web.get("/healthz", health.healthz),
            web.get("/readyz", health.readyz),
            web.get("/metrics", metrics.get),
            web.get("/openapi.json", openapi.get_description),
            web.get(PATH, tap.get_tap),
        ]
    )
    return app


async def _complete_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = SERVER
    request_id = current_request_id()
    if request_id:
        response.headers[REQUEST_ID_HEADER] = request_id
