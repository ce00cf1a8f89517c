"""What is wrong now, by what the bridge knows of itself; and each condition in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from bridge.backlog import WaitingCounts
from bridge.settings import AlertCondition, AlertingSettings
from bridge.system_alarms import AlarmCode, SystemAlarm
from storage.states import AlarmState, RequestKind
from storage.target_alarms import TargetAlarm

NO_TARGET = "(no LRS)"
"""The subject of what waits while no LRS is configured."""
MAX_SILENCE = 30 * 86_400_000
"""Milliseconds after which an LMS that is silent is none that used to send: nothing begins then."""


class ConditionText(NamedTuple):
    """A condition in words: `summary` with the subject's name in it, and what to do first."""

    summary: str
    remedy: str


TEXTS: Mapping[AlertCondition, ConditionText] = {
    AlertCondition.UNREACHABLE: ConditionText(
        "{} is unreachable", "Check that the LRS runs and can be reached from the bridge. Nothing is lost."
    ),
    AlertCondition.UNAUTHORIZED: ConditionText(
        "{} denies the bridge access", "Correct the credentials or their permissions. Nothing is lost."
    ),
    AlertCondition.REFUSING: ConditionText(
        "{} refuses everything", "Read the LRS's answer: credentials, a gateway, or the mapping. Nothing is lost."
    ),
    AlertCondition.INTERRUPTED: ConditionText(
        "The bridge itself fails to send to {}", "Please report what the log says under forwarding_interrupted."
    ),
    AlertCondition.DEAD: ConditionText(
        "{} has refused statements or documents", "See why, then retry or discard them."
    ),
    AlertCondition.QUARANTINED: ConditionText(
        "Statements for {} are quarantined", "The mapping made invalid statements: correct it, and discard them."
    ),
    AlertCondition.LATE: ConditionText(
        "Statements have been waiting for {} for long", "See the target's last failure, or whether it is too slow."
    ),
    AlertCondition.LATE_REMOVALS: ConditionText(
        "{} has not removed what erasures ask for", "See what it answers: `scorm-bridge erasures list`."
    ),
    AlertCondition.DATABASE: ConditionText(
        "Commits are not stored", "Check the database and its disk. Players are told to retry."
    ),
    AlertCondition.DISK: ConditionText(
        "The disk of the database is nearly full", "Free some space; below the reserve nothing new is stored."
    ),
    AlertCondition.SILENCE: ConditionText(
        "Nothing has come from the LMS {} for long", "Check that it still sends; a revoked token is in its log."
    ),
}


class Finding(NamedTuple):
    """Something that is wrong at a subject: a target or an LMS, by its name; empty for the bridge itself.

    `since` is in milliseconds since the epoch where it is known. `begins` is False where it may go on, and not begin.
    """

    condition: AlertCondition
    subject: str
    detail: str
    since: int | None = None
    begins: bool = True


_BY_STATE = {
    AlarmState.UNREACHABLE: AlertCondition.UNREACHABLE,
    AlarmState.NOT_ALLOWED: AlertCondition.UNAUTHORIZED,
    AlarmState.REFUSING: AlertCondition.REFUSING,
    AlarmState.FAULT: AlertCondition.INTERRUPTED,
}
_REQUESTS = {
    RequestKind.STATEMENTS: "storing statements",
    RequestKind.VOIDING: "storing statements that void others",
    RequestKind.READING: "reading statements back",
    RequestKind.DOCUMENTS: "documents",
}


def of_deliveries(counts: WaitingCounts, settings: AlertingSettings, now: int) -> Iterator[Finding]:
    """Yield what is wrong with deliveries and their targets; `now` is in milliseconds since the epoch."""
    yield from _of_targets(counts.target_alarms)
    for name, queue in counts.queues.items():
        subject = name or NO_TARGET
        dead = queue.dead.number, queue.dead_documents.number
        if any(dead):
            yield Finding(AlertCondition.DEAD, subject, f"{dead[0]} statements and {dead[1]} documents are dead")
        if queue.quarantined.number:
            yield Finding(AlertCondition.QUARANTINED, subject, f"{queue.quarantined.number} are quarantined")
        is_paused = name in counts.pauses and not counts.pauses[name].automatic
        is_late = queue.oldest is not None and now - queue.oldest > settings.late_after * 1000
        if settings.late_after and is_late and not is_paused and queue.oldest is not None:
            minutes = (now - queue.oldest) // 60_000
            text = f"{queue.waiting.number} wait, the oldest for {minutes} minutes"
            yield Finding(AlertCondition.LATE, subject, text, queue.oldest)
        first = queue.oldest_removal
        is_late = first is not None and now - first > settings.removals_late_after * 1000
        if settings.removals_late_after and is_late and not is_paused and first is not None:
            hours = (now - first) // 3_600_000
            text = f"{queue.removals.number} wait, the oldest for {hours} hours"
            yield Finding(AlertCondition.LATE_REMOVALS, subject, text, first)


def _of_targets(alarms: Iterable[TargetAlarm]) -> Iterator[Finding]:
    findings: dict[tuple[AlertCondition, str], Finding] = {}
    for alarm in alarms:
        # what the LRS answered is left out: it can hold learners' data
        condition, requests = _BY_STATE[AlarmState(alarm.state)], _REQUESTS[RequestKind(alarm.request_kind)]
        earlier = findings.get((condition, alarm.target))
        detail = requests if earlier is None else f"{earlier.detail}, {requests}"
        since = alarm.since if earlier is None or earlier.since is None else min(earlier.since, alarm.since)
        findings[condition, alarm.target] = Finding(condition, alarm.target, detail, since)
    yield from findings.values()


def of_bridge(alarms: Iterable[SystemAlarm], problem: str | None) -> Iterator[Finding]:
    """Yield what is wrong with the bridge itself; `problem` says why commits cannot be stored."""
    for alarm in alarms:
        if alarm.code is AlarmCode.LOW_DISK:
            yield Finding(AlertCondition.DISK, "", alarm.detail, alarm.since)
    if problem is not None:
        yield Finding(AlertCondition.DATABASE, "", problem)


def of_lmss(silent: Mapping[str, int], now: int) -> Iterator[Finding]:
    """Yield the LMSs that are silent, by when their last commit came, in milliseconds since the epoch."""
    for name, last in silent.items():
        hours = (now - last) // 3_600_000
        text = f"the last commit came {hours} hours ago"
        yield Finding(AlertCondition.SILENCE, name, text, last, begins=now - last < MAX_SILENCE)
