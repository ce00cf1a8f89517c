"""What has begun and what has ended, told once: by the process that holds the lease, whichever that is.

Alerts and their notifications are in the database, so a restart tells nothing twice and forgets nothing. Trouble with
the database itself cannot be stored there: it is kept in memory, and told all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import structlog

from bridge.alerts.channels import AlertChannel, AlertingError
from bridge.alerts.conditions import Finding, of_bridge, of_deliveries, of_lmss
from bridge.alerts.message import AlertMessage, AlertNews
from bridge.backlog import Backlog
from bridge.clock import Now
from bridge.database import DATABASE_ERRORS, Database, describe_error_place, log_failure
from bridge.errors import Busy
from bridge.metrics import Metrics, Sample
from bridge.metrics.catalog import ALERT, ALERT_NOTIFICATIONS
from bridge.settings import AlertCondition, AlertingSettings
from bridge.system_alarms import SystemAlarms
from bridge.write_health import WriteHealth
from storage import alerts
from storage.alerts import Alert, Notification
from storage.states import AlertEvent, NotificationState

log = structlog.get_logger(__name__)

LEASE = "alerts"
"""The lease of the one process that tells."""
POLL_INTERVAL = 5.0
"""Seconds between two looks at what is wrong."""
SILENCE_INTERVAL = 600_000
"""Milliseconds between two looks at which LMSs are silent."""
MAX_COUNT_AGE = 120_000
"""Milliseconds after which what was counted says nothing any more."""
RETRY_INTERVAL = 30_000
"""Milliseconds after the first failure to send; doubled after each."""
MAX_RETRY_INTERVAL = 1_800_000
MAX_AGE = 86_400_000
"""Milliseconds after which a notification that no channel takes is given up."""

Key = tuple[AlertCondition, str]
_OF_DELIVERIES = frozenset(
    {
        AlertCondition.UNREACHABLE,
        AlertCondition.UNAUTHORIZED,
        AlertCondition.REFUSING,
        AlertCondition.INTERRUPTED,
        AlertCondition.DEAD,
        AlertCondition.QUARANTINED,
        AlertCondition.LATE,
        AlertCondition.WEBHOOK_DOWN,
        AlertCondition.WEBHOOK_DEAD,
    }
)


class AlertParts(NamedTuple):
    """What a monitor needs: where it looks, and whom it tells. `now` returns milliseconds since the epoch."""

    database: Database
    backlog: Backlog
    alarms: SystemAlarms
    health: WriteHealth
    channels: Sequence[AlertChannel]
    settings: AlertingSettings
    address: str
    metrics: Metrics
    now: Now


class AlertMonitor:
    """A worker of the pool, like those of targets. It is not started again."""

    def __init__(self, parts: AlertParts) -> None:
        self._parts = parts
        self._stopping = asyncio.Event()
        self._active: dict[Key, Alert] | None = None
        """What has begun and not ended, as stored; None until it was read."""
        self._of_database: Alert | None = None
        """The alert that is in memory alone."""
        self._unsent: list[Notification] = []
        """Its notifications."""
        self._numbers = 0
        self._reported = ""
        self._appeared: dict[Key, int] = {}
        self._vanished: dict[Key, int] = {}
        self._silent: dict[str, int] | None = None
        self._silence_read_at = -SILENCE_INTERVAL
        parts.metrics.add_source(self._measure)

    async def run(self) -> None:
        """Look and tell until `stop`. No error ends it."""
        while not self._stopping.is_set():
            try:
                await self.run_once()
                self._reported = ""
            except DATABASE_ERRORS as error:
                log_failure(log, "alerts_not_followed", error)
            except Busy:
                pass  # people's questions come first; it looks again in a moment
            except Exception as error:  # noqa: BLE001 -- logged: no error stops what comes after it
                self._report(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._stopping.wait()
        # another process tells from here on, and shows what has begun
        self._active, self._of_database = None, None

    def _report(self, error: Exception) -> None:
        """Log an unexpected error, once as long as it is the same."""
        place = describe_error_place(error)
        if place != self._reported:
            self._reported = place
            log.error("alerts_not_followed", error=place, exc_info=error)

    def stop(self) -> None:
        """Stop after what is being sent."""
        self._stopping.set()

    def wake(self) -> None:
        """Let statements that were just stored be: they are no news."""

    async def run_once(self) -> None:
        """Look once at what is wrong, and send what is to be told."""
        now = self._parts.now()
        problem = await self._parts.health.problem()
        self._follow_database(problem, now)
        if problem is None:
            if self._active is None:
                stored = await self._parts.database.read(alerts.current)
                self._active = {(AlertCondition(alert.condition), alert.subject): alert for alert in stored}
            findings, unknown = await self._find(now)
            await self._follow(findings, unknown, now)
            for waiting in _together(await self._parts.database.read(alerts.due, now)):
                await self._send(waiting, now, is_stored=True)
        due = [notification for notification in self._unsent if notification.not_before <= now]
        for waiting in _together(due):
            await self._send(waiting, now, is_stored=False)

    async def _find(self, now: int) -> tuple[dict[Key, Finding], frozenset[AlertCondition]]:
        """Return what is wrong, and of which conditions nothing is known now."""
        parts, unknown = self._parts, frozenset({AlertCondition.DATABASE})
        findings = list(of_bridge(parts.alarms.current(), None))
        counts = await parts.backlog.current()
        if counts is not None and now - counts.counted_at <= MAX_COUNT_AGE:
            findings += of_deliveries(counts, parts.settings, now)
        else:
            unknown |= _OF_DELIVERIES
        if parts.settings.silent_after:
            if abs(now - self._silence_read_at) >= SILENCE_INTERVAL:
                since = now - parts.settings.silent_after * 1000
                self._silent = await parts.database.people.read(alerts.silent_lmss, since)
                self._silence_read_at = now
            findings += of_lmss(self._silent or {}, now)
        return {(finding.condition, finding.subject): finding for finding in findings}, unknown

    async def _follow(self, findings: dict[Key, Finding], unknown: Iterable[AlertCondition], now: int) -> None:
        """Begin and end alerts. What is not known now is as it was."""
        active = self._active
        assert active is not None  # noqa: S101 -- it was read before
        for key, finding in findings.items():
            self._vanished.pop(key, None)
            if key in active or not finding.begins:
                self._appeared.pop(key, None)
            elif self._has_settled(self._appeared, key, now):
                alert = Alert(finding.condition, finding.subject, finding.since or now, finding.detail)
                if await self._parts.database.write(alerts.begin, alert, self._channels_for(key[0]), now):
                    log.warning("alert_began", condition=str(key[0]), subject=key[1], detail=finding.detail)
                active[key] = alert
        for key in [key for key in self._appeared if key not in findings and key[0] not in unknown]:
            del self._appeared[key]
        for key in [key for key in active if key not in findings and key[0] not in unknown]:
            if self._has_settled(self._vanished, key, now):
                ended = active.pop(key)
                if await self._parts.database.write(alerts.end, ended, self._channels_for(key[0]), now):
                    log.warning("alert_ended", condition=str(key[0]), subject=key[1])

    def _follow_database(self, problem: str | None, now: int) -> None:
        """Begin and end the alert of the database."""
        key = AlertCondition.DATABASE, ""
        if problem is not None:
            self._vanished.pop(key, None)
            if self._of_database is None and self._has_settled(self._appeared, key, now):
                (finding,) = of_bridge((), problem)
                self._of_database = Alert(finding.condition, finding.subject, now, finding.detail)
                log.warning("alert_began", condition=str(key[0]), subject="", detail=problem)
                self._keep_unsent(AlertEvent.BEGAN, self._of_database, now)
            return
        self._appeared.pop(key, None)
        if self._of_database is not None and self._has_settled(self._vanished, key, now):
            ended, self._of_database = self._of_database, None
            log.warning("alert_ended", condition=str(key[0]), subject="")
            untold = {notification.channel for notification in self._unsent if notification.since == ended.since}
            self._unsent = [notification for notification in self._unsent if notification.since != ended.since]
            self._keep_unsent(AlertEvent.ENDED, ended, now, untold)

    def _keep_unsent(self, event: AlertEvent, its: Alert, now: int, untold: Iterable[str] = ()) -> None:
        for name in self._channels_for(AlertCondition(its.condition)):
            if name not in untold:
                self._numbers += 1
                state = NotificationState.WAITING
                self._unsent.append(
                    Notification(-self._numbers, name, *its[:2], event, now, its.since, its.detail, state, 0, now, None)
                )

    def _has_settled(self, since: dict[Key, int], key: Key, now: int) -> bool:
        """Return whether something has been so for long enough, as far as was seen."""
        first = since.setdefault(key, now)
        if now - first < self._parts.settings.settle_after * 1000:
            return False
        del since[key]
        return True

    def _channels_for(self, condition: AlertCondition) -> list[str]:
        return [
            channel.name
            for channel in self._parts.channels
            if not channel.settings.conditions or condition in channel.settings.conditions
        ]

    async def _send(self, waiting: Sequence[Notification], now: int, *, is_stored: bool) -> None:
        """Send notifications of one channel in one message, and note what came of it."""
        name = waiting[0].channel
        channel = next((channel for channel in self._parts.channels if channel.name == name), None)
        error: str | None = None
        if channel is None:
            error = "the settings have no such channel any more"
        else:
            news = [
                AlertNews(
                    notification.condition,
                    notification.subject,
                    AlertEvent(notification.event),
                    notification.at,
                    notification.since,
                    notification.detail,
                )
                for notification in waiting
            ]
            # the same for each try, and another in each life of the bridge for what is not stored
            key = f"alert-{waiting[0].at}-{abs(waiting[0].id)}-{abs(waiting[-1].id)}"
            try:
                await channel.send(AlertMessage(key, news, self._parts.address))
            except AlertingError as failure:
                error = str(failure)
            except Exception as failure:  # noqa: BLE001 -- whatever a library does, the other channels are told
                error = f"the bridge failed: {describe_error_place(failure)}"
        tries = waiting[0].tries + 1
        is_over = channel is None or now - waiting[0].at > MAX_AGE
        state = NotificationState.SENT
        if error is not None:
            state = NotificationState.FAILED if is_over else NotificationState.WAITING
            level = log.error if tries == 1 or is_over else log.debug
            level("alert_not_sent", channel=name, error=error, tries=tries, given_up=is_over)
        self._parts.metrics.count(ALERT_NOTIFICATIONS, (name, "sent" if error is None else "failed"), len(waiting))
        not_before = now + min(MAX_RETRY_INTERVAL, RETRY_INTERVAL * 2 ** min(tries - 1, 10))
        if is_stored:
            ids = [notification.id for notification in waiting]
            await self._parts.database.write(alerts.settle, ids, state, not_before=not_before, error=error)
        else:
            self._unsent = [notification for notification in self._unsent if notification not in waiting]
            if state is NotificationState.WAITING:
                self._unsent += [
                    notification._replace(tries=tries, not_before=not_before, error=error) for notification in waiting
                ]

    def _measure(self) -> Iterable[Sample]:
        active = [*(self._active or {}), *([(AlertCondition.DATABASE, "")] if self._of_database else [])]
        return [Sample(ALERT, (condition, subject), 1) for condition, subject in active]


def _together(waiting: Sequence[Notification]) -> list[list[Notification]]:
    """Return the notifications that make one message each: of one channel, and tried together before."""

    def of(notification: Notification) -> tuple[str, int, int]:
        return notification.channel, notification.tries, notification.not_before

    return [list(group) for _, group in groupby(sorted(waiting, key=of), of)]
