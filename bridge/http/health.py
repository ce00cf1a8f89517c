"""For operators: is it alive, and is it ready.

Anybody may ask, so nothing here names a person, and however often it is asked the database is asked now and then.
Query parameters are ignored: load balancers add some.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web
from msgspec import UNSET

from bridge.http.responses import (
    AlarmSummary,
    LivenessResponse,
    PauseSummary,
    ReadinessResponse,
    TargetAlarmSummary,
    UnreadyResponse,
)
from bridge.http.services import services
from bridge.system_alarms import SystemAlarm
from mappings.xapi.timestamps import rfc3339
from storage.pauses import Pause
from storage.target_alarms import TargetAlarm

DRAINING = web.AppKey("draining", asyncio.Event)
"""Set once the process is about to stop: load balancers that ask are told to go elsewhere."""

NO_TARGETS = "no LRS is configured: statements and documents wait until a [[targets]] section names one"


async def healthz(_request: web.Request) -> web.Response:
    """`GET /healthz`: the process responds. Says nothing of the database or an LRS."""
    return _json(LivenessResponse())


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 200 when commits can be stored, else 503; says what waits for which LRS, and which are paused.

    An LRS that is down or not configured does not make it unready: commits are accepted, and statements wait. Nor do
    numbers that take long: they are left out, or are those of a while ago.
    """
    if request.app[DRAINING].is_set():
        return _json(UnreadyResponse(status="draining", reason="the bridge is about to stop"), 503)
    parts = services(request)
    reason = parts.disk.problem or await parts.health.problem()
    alarms = [_alarm(alarm) for alarm in parts.alarms.current()]
    if reason is not None:
        return _json(UnreadyResponse(status="unavailable", reason=reason, alarms=alarms), 503)
    waiting = await parts.backlog.current()
    return _json(
        ReadinessResponse(
            targets=parts.targets,
            alarms=alarms,
            waiting=UNSET if waiting is None else waiting.statements,
            waiting_documents=UNSET if waiting is None else waiting.documents,
            waiting_removals=UNSET if waiting is None else waiting.removals,
            paused=UNSET if waiting is None else {name: _pause(pause) for name, pause in waiting.pauses.items()},
            target_alarms=UNSET if waiting is None else _target_alarms(waiting.target_alarms),
            counted_at=UNSET if waiting is None else rfc3339(waiting.counted_at),
            notice=UNSET if parts.targets else NO_TARGETS,
        )
    )


def _alarm(alarm: SystemAlarm) -> AlarmSummary:
    return AlarmSummary(alarm.code, rfc3339(alarm.since), alarm.detail)


def _pause(pause: Pause) -> PauseSummary:
    return PauseSummary(rfc3339(pause.since), pause.automatic)


def _target_alarms(alarms: Sequence[TargetAlarm]) -> list[TargetAlarmSummary]:
    return [TargetAlarmSummary(alarm.target, alarm.request_kind, alarm.state, rfc3339(alarm.since)) for alarm in alarms]


def _json(response: msgspec.Struct, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(response), status=status, content_type="application/json")
