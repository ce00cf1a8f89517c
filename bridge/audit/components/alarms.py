"""Alarms in words, each with what to do about it and where."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from urllib.parse import quote, urlencode

from bridge.operations.target_status import describe_alarm
from bridge.system_alarms import AlarmCode, SystemAlarm
from storage.queries.keyset import Count
from storage.queries.overview import Alarm, AlarmKind, Overview
from storage.states import AlarmState, DeliveryState, RequestKind, TryOutcome
from storage.target_alarms import TargetAlarm


class AlarmView(NamedTuple):
    """An alarm in words; `hint` says what to do, and the link `label` leads to where.

    What is not `is_severe` is there because somebody wants it so.
    """

    text: str
    since: int | None
    hint: str
    href: str
    label: str
    is_severe: bool = True


_TROUBLE = {
    AlarmKind.DIVERGED: (
        "deliveries conflict with statements of another history",
        "deliveries",
        DeliveryState.DEAD,
        "The database was restored from an older backup, or copied. Re-issue them under new ids, or discard them.",
    ),
    AlarmKind.DEAD: (
        "dead deliveries",
        "deliveries",
        DeliveryState.DEAD,
        "The LRS refused them. See why, then retry or discard them.",
    ),
    AlarmKind.QUARANTINED: (
        "quarantined deliveries",
        "deliveries",
        DeliveryState.QUARANTINED,
        "They were not sent, because the mapping made invalid statements.",
    ),
    AlarmKind.DEAD_DOCUMENTS: (
        "dead documents",
        "documents",
        DeliveryState.DEAD,
        "The LRS refused them. See why. A document is sent again when the learner's next commit changes it.",
    ),
}

_REMEDIES = {
    (AlarmState.NOT_ALLOWED, False): "Correct the credentials or their permissions, at the LRS or in the settings."
    " Delivery resumes by itself; nothing is lost.",
    (AlarmState.NOT_ALLOWED, True): "Allow the bridge's credentials to read statements at the LRS: without that it"
    " cannot check whether the LRS has what it reported as a conflict. Then retry the dead deliveries with the outcome"
    " `unverified`.",
    (AlarmState.REFUSING, False): "After the first few, statements wait instead of becoming dead. Read the LRS's"
    " answer: the cause may be the credentials, a gateway in between, or the mapping. The bridge retries from time to"
    " time.",
    (AlarmState.UNREACHABLE, False): "Check that the LRS is running and can be reached from here. The bridge retries"
    " at least once a minute; nothing is lost.",
    (AlarmState.FAULT, False): "This is an error of the bridge. Please report what the log says under"
    " `forwarding_interrupted`. The bridge keeps retrying; nothing is lost.",
}


def describe_alarms(overview: Overview, configured: Collection[str]) -> list[AlarmView]:
    """Return the alarms of targets in words, severe ones first. `configured` are the names of configured targets."""
    views = (_describe(alarm, overview, configured) for alarm in overview.alarms)
    return sorted(views, key=lambda view: not view.is_severe)


_SYSTEM_ALARMS = {
    AlarmCode.LOW_DISK: (
        "The disk of the database is nearly full",
        "No new commits are stored, and players are told to retry. Free some space; storing resumes by itself.",
    ),
    AlarmCode.NOT_STORED: (
        "Commits are not stored",
        "Players are told to retry. Check the database and its disk; storing resumes by itself.",
    ),
    AlarmCode.OVER_LIMIT: (
        "A client exceeds its limits",
        "The log names it (client_over_limit). Limits are set under [limits].",
    ),
}


def describe_system_alarms(raised: Iterable[SystemAlarm]) -> list[AlarmView]:
    """Return the alarms about the bridge itself in words."""
    return [_describe_system_alarm(alarm) for alarm in raised]


def _describe_system_alarm(alarm: SystemAlarm) -> AlarmView:
    text, hint = _SYSTEM_ALARMS[alarm.code]
    detail = alarm.detail.rstrip(".")
    hint = f"{detail[:1].upper()}{detail[1:]}. {hint}"
    is_severe = alarm.code is not AlarmCode.OVER_LIMIT
    return AlarmView(text, alarm.since, hint, "/readyz", "Show its state", is_severe=is_severe)


def format_count(count: Count) -> str:
    """Return a number, with "at least" where counting stopped early."""
    text = f"{count.number:,}".replace(",", "\u202f")
    return f"at least {text}" if count.is_lower_bound else text


def _describe(alarm: Alarm, overview: Overview, configured: Collection[str]) -> AlarmView:
    target = alarm.target or "no LRS yet"
    href = f"/audit/targets#target-{quote(alarm.target)}"
    if alarm.detail is not None:
        hint = _remedy(alarm.detail)
        return AlarmView(f"{target} {describe_alarm(alarm.detail)}", alarm.since, hint, href, "Show the target")
    if alarm.kind is AlarmKind.PAUSED:
        pause = overview.pauses[alarm.target]
        hint = f"{pause.by} paused it: {pause.reason.rstrip('. ')}. Statements wait until it is resumed."
        return AlarmView(f"{target} is paused", alarm.since, hint, href, "Resume it", is_severe=False)
    if alarm.kind is AlarmKind.LATE:
        return _describe_delay(alarm, href, configured)
    if alarm.kind is AlarmKind.LATE_REMOVALS:
        return _describe_late_removals(alarm, href, configured)
    noun, room, state, hint = _TROUBLE[alarm.kind]
    count = "" if alarm.number is None else format_count(alarm.number)
    if count == "1":
        noun = noun.replace("deliveries conflict", "delivery conflicts").replace("deliveries", "delivery")
        noun = noun.replace("documents", "document")
    query = {"state": state, "target": alarm.target}
    if alarm.kind is AlarmKind.DIVERGED:
        query["outcome"] = TryOutcome.DIVERGED
    address = f"/audit/{room}?{urlencode(query)}"
    return AlarmView(f"{count} {noun} at {target}", alarm.since, hint, address, "See why")


def _remedy(alarm: TargetAlarm) -> str:
    state, is_reading = AlarmState(alarm.state), alarm.request_kind == RequestKind.READING
    return _REMEDIES.get((state, is_reading), _REMEDIES[state, False])


def _describe_delay(alarm: Alarm, href: str, configured: Collection[str]) -> AlarmView:
    text = f"Statements have been waiting for {alarm.target or 'an LRS'} for more than an hour"
    if not alarm.target:
        hint = "No LRS is configured. Add a [[targets]] section to the settings and restart the bridge."
    elif alarm.target in configured:
        hint = "The LRS may be down, or slower than statements are made. Its last failure says more."
    else:
        hint = "This target is no longer configured. Configure it again, or discard its deliveries."
    return AlarmView(text, alarm.since, hint, href, "Show the target")


def _describe_late_removals(alarm: Alarm, href: str, configured: Collection[str]) -> AlarmView:
    text = f"{alarm.target} has not removed what erasures ask for after more than a day"
    hint = "The LRS may be down, or not allow the bridge to void statements or to delete documents."
    if alarm.target not in configured:
        hint = "This target is no longer configured. Configure it again; with `erase` set to keep if the LRS is gone."
    return AlarmView(text, alarm.since, hint, href, "Show the target")
