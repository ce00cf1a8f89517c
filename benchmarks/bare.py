"""The bare handler: aiohttp on uvloop that parses a commit with msgspec and answers a like-sized JSON, and no more.

Run as `python -m benchmarks.bare PORT`; the upper bound of what a service on this stack could do.
"""

from __future__ import annotations

import logging
import sys

import msgspec
import uvloop
from aiohttp import web

ATTEMPT = {
    "id": "2f0c4a9e-8c1b-4f7d-b0a4-5f3f9f6b7a22",
    "number": 1,
    "status": "active",
    "scorm_version": "1.2",
    "completion_status": "incomplete",
    "success_status": "unknown",
    "score": {"raw": 40, "min": 0, "max": 100},
    "progress_measure": None,
    "total_time": "PT3M30.5S",
}
ENROLLMENT = {
    "registration": "7d2b1f6e-0c53-4b3a-9d58-0a5f6a1f2c11",
    "learner": {"id": "u00000001", "name": "Lovelace, Ada"},
    "activity": {"id": "0101", "name": "Difference and analytical engines"},
    "total_attempts": 1,
    "completion_status": "incomplete",
    "success_status": "unknown",
    "best_score": {"raw": 40, "min": 0, "max": 100},
    "total_time": "PT3M30.5S",
    "first_commit_at": "2026-01-31T12:00:00.000Z",
    "last_commit_at": "2026-01-31T12:03:30.500Z",
}


async def commit(request: web.Request) -> web.Response:
    """Answer a commit without keeping anything."""
    content = msgspec.json.decode(await request.read())
    answer = {
        "result": True,
        "errorCode": 0,
        "session_id": content["session_id"],
        "commit": 1,
        "disposition": "applied",
        "attempt": ATTEMPT,
        "enrollment": ENROLLMENT,
        "progress": {"completed": False, "passed": None, "score": 0.4, "measure": None, "location": "page-3"},
        "statements": [
            {"id": content["session_id"], "verb": "http://adlnet.gov/expapi/verbs/scored", "rule": "scored"}
        ],
        "warnings": [],
    }
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def serve(app: web.Application, port: int) -> None:
    """Serve on uvloop as the bridge does."""
    logging.basicConfig()  # what goes wrong in a handler is told on standard error
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        access_log=None,
        print=lambda *_: print(f"it listens on {port}", file=sys.stderr, flush=True),
        loop=uvloop.new_event_loop(),
    )


def main() -> None:
    """Serve."""
    app = web.Application(client_max_size=1024 * 1024)
    app.add_routes([web.post("/v1/commits", commit)])
    serve(app, int(sys.argv[1]))


if __name__ == "__main__":
    main()
