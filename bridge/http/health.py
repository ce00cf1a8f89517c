"""For operators: is it alive, and is it ready."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge.commits.replies import time_text
from bridge.http.services import services
from storage import documents, outbox, pauses
from storage.migrations import is_current

DRAINING = web.AppKey("draining", asyncio.Event)
"""Set once the process is about to stop: load balancers that ask are told to go elsewhere."""
DEADLINE = 3
"""Seconds within which the database must answer for the bridge to be ready."""


async def healthz(_request: web.Request) -> web.Response:
    """`GET /healthz`: the process answers. Says nothing of the database or an LRS."""
    return _json({"status": "alive"}, 200)


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 when commits can be stored, else 503; tells what waits for which LRS, and which are paused.

    An LRS that is down or not configured does not make it unready: commits are accepted, and statements wait.
    """
    if request.app[DRAINING].is_set():
        return _json({"status": "draining", "reason": "the bridge is about to stop"}, 503)
    parts = services(request)
    try:
        async with asyncio.timeout(DEADLINE):
            current, answer = await parts.database.read(_state)
    except (TimeoutError, SQLAlchemyError) as error:
        return _json({"status": "unavailable", "reason": f"the database does not answer: {type(error).__name__}"}, 503)
    if not current:
        return _json({"status": "unavailable", "reason": "the schema is old; run `scorm-bridge migrate`"}, 503)
    answer = {"status": "ready", "targets": list(parts.targets)} | answer
    if not parts.targets:
        answer["notice"] = "no LRS is configured: statements and documents wait until a [[targets]] section names one"
    return _json(answer, 200)


def _state(connection: Connection) -> tuple[bool, dict[str, object]]:
    if not is_current(connection):
        return False, {}
    paused = {
        one.target: {"since": time_text(one.since), "by": one.by, "automatic": one.automatic}
        for one in pauses.current(connection).values()
    }
    return True, {
        "waiting": outbox.waiting(connection),
        "waiting_documents": documents.waiting(connection),
        "paused": paused,
    }


def _json(value: object, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
