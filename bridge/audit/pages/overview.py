"""The overview: what needs attention, then how much comes in and what waits."""

from __future__ import annotations

import hashlib
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components import alarms
from bridge.audit.components.charts import chart_response, per_minute, per_target
from bridge.audit.components.render import render_page
from bridge.audit.components.time_zone import local_time, zone_of
from bridge.audit.dependencies import DEPENDENCIES
from bridge.operations.target_status import TargetState, target_state
from storage.queries import overview as stored
from storage.queries.overview import COUNTED, MINUTE, Overview, Rate
from storage.queries.queues import Queue, queues

MINUTES = 60
"""How far back the charts go."""

_HOUR, _DAY = 60, 24 * 60
_NO_TARGET = "(no LRS yet)"


class TargetRow(NamedTuple):
    """A target in the table."""

    name: str
    state: TargetState
    queue: Queue


class Chart(NamedTuple):
    """An image, and its numbers as a table, label -> text; `version` changes with them."""

    name: str
    title: str
    alternative: str
    head: tuple[str, str]
    numbers: dict[str, str]

    @property
    def version(self) -> str:
        """The part of the image's address that changes with it, or browsers would show a cached one."""
        return hashlib.sha256(repr(self.numbers).encode()).hexdigest()[:12]


async def _overview(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]
    now, zone = dependencies.now(), zone_of(request)
    overview = await dependencies.database.read(stored.overview, now, MINUTES)
    configured = [target.name for target in dependencies.targets]
    return render_page(
        request,
        "overview.html",
        alarms=[
            *alarms.describe_system_alarms(dependencies.alarms.current()),
            *alarms.describe_alarms(overview, configured),
        ],
        targets=_target_rows(configured, overview),
        open_sessions=alarms.format_count(overview.open_sessions),
        commits=_sum(overview.commits),
        statements=_sum(overview.statements),
        count=alarms.format_count,
        rates=[_rate("commits", overview.commits, zone), _rate("statements", overview.statements, zone)],
        waits=_queue_charts(overview, now),
    )


def _target_rows(configured: list[str], overview: Overview) -> list[TargetRow]:
    rows = []
    for name in [*configured, *sorted({*overview.queues, *overview.pauses} - {*configured})]:
        alarms_of_target = [alarm for alarm in overview.target_alarms if alarm.target == name]
        state = target_state(overview.pauses.get(name), alarms_of_target, is_configured=name in configured)
        rows.append(TargetRow(name, state, overview.queues.get(name, Queue())))
    return rows


def _rate(name: str, rate: Rate, zone: ZoneInfo) -> Chart:
    numbers, title = _minutes(rate, zone), f"{name.capitalize()} per minute"
    summary = (
        f"{title} in the last hour: {sum(numbers.values())} in total, at most {max(numbers.values())} in one minute."
    )
    texts = {label: str(number) for label, number in numbers.items()}
    return Chart(name, title, summary, (f"Minute ({zone.key})", name.capitalize()), texts)


def _queue_charts(overview: Overview, now: int) -> list[Chart]:
    counts = {
        name or _NO_TARGET: alarms.format_count(queue.waiting)
        for name, queue in overview.queues.items()
        if queue.waiting.number
    }
    ages = {name: format_age(minutes) for name, minutes in _ages(overview.queues, now).items()}
    charts = [
        Chart("depth", "Statements waiting", _summary("Statements waiting", counts), ("Target", "Waiting"), counts),
        Chart("age", "Waiting longest", _summary("Waiting longest", ages), ("Target", "For"), ages),
    ]
    return [chart for chart in charts if chart.numbers]


def _summary(title: str, numbers: dict[str, str]) -> str:
    return f"{title}: " + ", ".join(f"{name} {number}" for name, number in numbers.items()) + "."


def _minutes(rate: Rate, zone: ZoneInfo) -> dict[str, int]:
    return {local_time(minute.at, zone)[11:16]: minute.number for minute in rate.minutes}


def _sum(rate: Rate) -> int:
    return sum(minute.number for minute in rate.minutes)


def _ages(waits: dict[str, Queue], now: int) -> dict[str, int]:
    """Return target -> the minutes that its oldest statement has been waiting."""
    oldest = {name or _NO_TARGET: queue.oldest for name, queue in waits.items()}
    return {name: max(now - since, 0) // MINUTE for name, since in oldest.items() if since is not None}


def format_age(minutes: int) -> str:
    """Say how long something waits, to two dependencies: `2 d 3 h`, `3 h 5 min`, `7 min`."""
    days, rest = divmod(minutes, _DAY)
    hours, rest = divmod(rest, _HOUR)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


async def _commits_chart(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]
    rate = await dependencies.database.read(stored.commits, dependencies.now(), MINUTES)
    return chart_response(per_minute("Commits per minute", _minutes(rate, zone_of(request))))


async def _statements_chart(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]
    rate = await dependencies.database.read(stored.statements, dependencies.now(), MINUTES)
    return chart_response(per_minute("Statements per minute", _minutes(rate, zone_of(request))))


async def _depth_chart(request: web.Request) -> web.StreamResponse:
    waits = await request.app[DEPENDENCIES].database.read(queues, COUNTED)
    numbers = {name or _NO_TARGET: queue.waiting.number for name, queue in waits.items() if queue.waiting.number}
    return chart_response(per_target("Statements waiting", numbers))


async def _age_chart(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]
    ages = _ages(await dependencies.database.read(queues, COUNTED), dependencies.now())
    longest = max(ages.values(), default=0)
    unit = _DAY if longest > 2 * _DAY else _HOUR if longest > 2 * _HOUR else 1
    return chart_response(per_target("Waiting longest", ages, format_age, unit))


ROUTES = (
    Route("GET", "/", _overview, Role.READER),
    Route("GET", "/charts/commits.svg", _commits_chart, Role.READER),
    Route("GET", "/charts/statements.svg", _statements_chart, Role.READER),
    Route("GET", "/charts/depth.svg", _depth_chart, Role.READER),
    Route("GET", "/charts/age.svg", _age_chart, Role.READER),
)
