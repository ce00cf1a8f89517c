"""For operators: is it alive, and is it ready.

Anybody may ask, so nothing here names a person, and however often it is asked the database is asked now and then.
"""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from bridge.clock import format_timestamp
from bridge.http.services import services

DRAINING = web.AppKey("draining", asyncio.Event)
"""Set once the process is about to stop: load balancers that ask are told to go elsewhere."""


async def healthz(_request: web.Request) -> web.Response:
    """`GET /healthz`: the process answers. Says nothing of the database or an LRS."""
    return _json({"status": "alive"}, 200)


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 when commits can be stored, else 503; tells what waits for which LRS, and which are paused.

    An LRS that is down or not configured does not make it unready: commits are accepted, and statements wait. Nor do
    numbers that take long: they are left out, or are those of a while ago.
    """
    if request.app[DRAINING].is_set():
        return _json({"status": "draining", "reason": "the bridge is about to stop"}, 503)
    parts = services(request)
    reason = parts.disk.problem or await parts.health.problem()
    alarms = [
        {"code": str(one.code), "since": format_timestamp(one.since), "detail": one.detail}
        for one in parts.alarms.current()
    ]
    if reason is not None:
        return _json({"status": "unavailable", "reason": reason, "alarms": alarms}, 503)
    answer: dict[str, object] = {"status": "ready", "targets": list(parts.targets), "alarms": alarms}
    waiting = await parts.backlog.current()
    if waiting is not None:
        answer |= {
            "waiting": waiting.statements,
            "waiting_documents": waiting.documents,
            "paused": {
                name: {"since": format_timestamp(pause.since), "automatic": pause.automatic}
                for name, pause in waiting.pauses.items()
            },
            "target_alarms": [
                {
                    "target": alarm.target,
                    "requests": alarm.request_kind,
                    "state": alarm.state,
                    "since": format_timestamp(alarm.since),
                }
                for alarm in waiting.target_alarms
            ],
            "counted_at": format_timestamp(waiting.counted_at),
        }
    if not parts.targets:
        answer["notice"] = "no LRS is configured: statements and documents wait until a [[targets]] section names one"
    return _json(answer, 200)


def _json(value: object, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
