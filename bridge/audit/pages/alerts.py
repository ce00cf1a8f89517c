"""Alerts: what is wrong now, and whom the bridge has told of it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlencode

from aiohttp import web
from sqlalchemy import Connection

from bridge.alerts.message import AlertNews
from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.roles import Role
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.settings import AlertCondition
from storage import alerts
from storage.alerts import Alert, Notification
from storage.states import AlertEvent

SHOWN = 100
"""Notifications that are listed, the newest ones."""

_DELIVERIES = {AlertCondition.DEAD: "dead", AlertCondition.QUARANTINED: "quarantined", AlertCondition.LATE: "waiting"}
_OF_TARGETS = frozenset({
    AlertCondition.UNREACHABLE, AlertCondition.UNAUTHORIZED, AlertCondition.REFUSING, AlertCondition.INTERRUPTED,
})  # fmt: skip


class CurrentAlert(NamedTuple):
    """Something that is wrong, with what to do and the page that says more."""

    summary: str
    remedy: str
    detail: str
    since: int
    href: str


class SentNotification(NamedTuple):
    """The news of an alert for one channel, in words."""

    row: Notification
    summary: str


async def _alerts(request: web.Request) -> web.StreamResponse:
    dependencies = request.app[DEPENDENCIES]

    def query(connection: Connection) -> tuple[list[Alert], list[Notification]]:
        return alerts.current(connection), alerts.recent(connection, SHOWN)

    current, recent = await dependencies.database.read(query)
    return render_page(
        request,
        "alerts.html",
        current=[_describe(alert) for alert in current],
        notifications=[SentNotification(row, _summary(row, AlertEvent(row.event))) for row in recent],
        channels=[channel.name for channel in dependencies.settings.alerts],
        shown=SHOWN,
    )


def _describe(alert: Alert) -> CurrentAlert:
    condition = AlertCondition(alert.condition)
    news = AlertNews(alert.condition, alert.subject, AlertEvent.BEGAN, alert.since, alert.since, alert.detail)
    return CurrentAlert(news.summary, news.remedy, alert.detail, alert.since, _page_of(condition, alert.subject))


def _summary(row: Notification, event: AlertEvent) -> str:
    return AlertNews(row.condition, row.subject, event, row.at, row.since, row.detail).summary


def _page_of(condition: AlertCondition, subject: str) -> str:
    if condition in _DELIVERIES:
        return f"/audit/deliveries?{urlencode({'target': subject, 'state': _DELIVERIES[condition]})}"
    if condition is AlertCondition.LATE_REMOVALS:
        return "/audit/erasures"
    if condition in _OF_TARGETS:
        return f"/audit/targets#target-{quote(subject)}"
    return "/audit/lms" if condition is AlertCondition.SILENCE else "/audit/"


# what LRSs answered can be in the details
ROUTES = (Route("GET", "/alerts", _alerts, Role.AUDITOR),)
