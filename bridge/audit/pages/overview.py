"""The overview: what people must look after, then how much comes in and what waits."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from aiohttp import web

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components import alarms
from bridge.audit.components.charts import chart_response, of_targets, per_minute
from bridge.audit.components.render import page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.target_status import TargetState, target_state
from mappings.xapi.timestamps import rfc3339
from storage.queries import overview as stored
from storage.queries.overview import COUNTED, MINUTE, Overview, Rate
from storage.queries.queues import Queue, queues

MINUTES = 60
"""How far back the charts go."""

_HOUR, _DAY = 60, 24 * 60
_NO_TARGET = "(no LRS yet)"


class Line(NamedTuple):
    """A target in the table."""

    name: str
    state: TargetState
    queue: Queue


class Chart(NamedTuple):
    """A picture, and the numbers in it as a table, label -> text; `version` changes with them."""

    name: str
    title: str
    alternative: str
    head: tuple[str, str]
    numbers: dict[str, str]

    @property
    def version(self) -> str:
        """Return what makes the picture's address another one, or browsers would show the one they have."""
        return hashlib.sha256(repr(self.numbers).encode()).hexdigest()[:12]


async def _overview(request: web.Request) -> web.StreamResponse:
    parts = request.app[DEPENDENCIES]
    now = parts.now()
    found = await parts.database.read(stored.overview, now, MINUTES)
    configured = [one.name for one in parts.targets]
    return page(
        request,
        "overview.html",
        alarms=[*alarms.of_bridge(parts.alarms.current()), *alarms.in_words(found, configured)],
        lines=_lines(configured, found),
        open_sessions=alarms.number(found.open_sessions),
        commits=_sum(found.commits),
        statements=_sum(found.statements),
        count=alarms.number,
        rates=[_rate("commits", found.commits), _rate("statements", found.statements)],
        waits=_waits(found, now),
    )


def _lines(configured: list[str], found: Overview) -> list[Line]:
    lines = []
    for name in [*configured, *sorted({*found.queues, *found.pauses} - {*configured})]:
        alarms_of_target = [alarm for alarm in found.target_alarms if alarm.target == name]
        state = target_state(found.pauses.get(name), alarms_of_target, is_configured=name in configured)
        lines.append(Line(name, state, found.queues.get(name, Queue())))
    return lines


def _rate(name: str, rate: Rate) -> Chart:
    numbers, title = _minutes(rate), f"{name.capitalize()} per minute"
    said = f"{title} in the last hour: {sum(numbers.values())} in all, at most {max(numbers.values())} in one minute."
    told = {label: str(number) for label, number in numbers.items()}
    return Chart(name, title, said, ("Minute (UTC)", name.capitalize()), told)


def _waits(found: Overview, now: int) -> list[Chart]:
    counts = {name or _NO_TARGET: alarms.number(one.waiting) for name, one in found.queues.items() if one.waiting[0]}
    ages = {name: age(minutes) for name, minutes in _ages(found.queues, now).items()}
    charts = [
        Chart("depth", "Statements waiting", _said("Statements waiting", counts), ("Target", "Waiting"), counts),
        Chart("age", "Waiting longest", _said("Waiting longest", ages), ("Target", "For"), ages),
    ]
    return [one for one in charts if one.numbers]


def _said(title: str, numbers: dict[str, str]) -> str:
    return f"{title}: " + ", ".join(f"{name} {number}" for name, number in numbers.items()) + "."


def _minutes(rate: Rate) -> dict[str, int]:
    return {rfc3339(one.at)[11:16]: one.number for one in rate.minutes}


def _sum(rate: Rate) -> int:
    return sum(one.number for one in rate.minutes)


def _ages(waits: dict[str, Queue], now: int) -> dict[str, int]:
    """Return target -> the minutes that its oldest statement waits for."""
    oldest = {name or _NO_TARGET: queue.oldest for name, queue in waits.items()}
    return {name: max(now - since, 0) // MINUTE for name, since in oldest.items() if since is not None}


def age(minutes: int) -> str:
    """Say how long something waits, to two parts: `2 d 3 h`, `3 h 5 min`, `7 min`."""
    days, rest = divmod(minutes, _DAY)
    hours, rest = divmod(rest, _HOUR)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


async def _commits_chart(request: web.Request) -> web.StreamResponse:
    parts = request.app[DEPENDENCIES]
    rate = await parts.database.read(stored.commits, parts.now(), MINUTES)
    return chart_response(per_minute("Commits per minute", _minutes(rate)))


async def _statements_chart(request: web.Request) -> web.StreamResponse:
    parts = request.app[DEPENDENCIES]
    rate = await parts.database.read(stored.statements, parts.now(), MINUTES)
    return chart_response(per_minute("Statements per minute", _minutes(rate)))


async def _depth_chart(request: web.Request) -> web.StreamResponse:
    waits = await request.app[DEPENDENCIES].database.read(queues, COUNTED)
    numbers = {name or _NO_TARGET: one.waiting.number for name, one in waits.items() if one.waiting.number}
    return chart_response(of_targets("Statements waiting", numbers))


async def _age_chart(request: web.Request) -> web.StreamResponse:
    parts = request.app[DEPENDENCIES]
    ages = _ages(await parts.database.read(queues, COUNTED), parts.now())
    longest = max(ages.values(), default=0)
    unit = _DAY if longest > 2 * _DAY else _HOUR if longest > 2 * _HOUR else 1
    return chart_response(of_targets("Waiting longest", ages, age, unit))


ROUTES = (
    Route("GET", "/", _overview, Role.READER),
    Route("GET", "/charts/commits.svg", _commits_chart, Role.READER),
    Route("GET", "/charts/statements.svg", _statements_chart, Role.READER),
    Route("GET", "/charts/depth.svg", _depth_chart, Role.READER),
    Route("GET", "/charts/age.svg", _age_chart, Role.READER),
)
