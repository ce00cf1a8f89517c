"""Alarms in words, each with what to do about it and where."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from urllib.parse import quote, urlencode

from bridge.operations.target_status import describe_alarm
from bridge.system_alarms import AlarmCode, SystemAlarm
from storage.diverged import DIVERGED
from storage.queries.keyset import Count
from storage.queries.overview import Alarm, Overview
from storage.states import AlarmState, DeliveryState, RequestKind
from storage.target_alarms import TargetAlarm


class Told(NamedTuple):
    """An alarm in words; `hint` says what to do, at `href`, whose words are `link`.

    `grave` ones are trouble; the others are as somebody wants it.
    """

    words: str
    since: int | None
    hint: str
    href: str
    link: str
    grave: bool = True


_TROUBLE = {
    "diverged": (
        "deliveries met statements of another history",
        "deliveries",
        DeliveryState.DEAD,
        "The database was restored from an older backup, or copied. Re-issue them under new ids, or give them up.",
    ),
    DeliveryState.DEAD: (
        "dead deliveries",
        "deliveries",
        DeliveryState.DEAD,
        "The LRS refused them. Read why, then send them again or give them up.",
    ),
    DeliveryState.QUARANTINED: (
        "quarantined deliveries",
        "deliveries",
        DeliveryState.QUARANTINED,
        "Every LRS would refuse them: what the mapping made is no valid statement.",
    ),
    "dead documents": (
        "dead documents",
        "documents",
        DeliveryState.DEAD,
        "The LRS refused them. Read why; when a learner's next commit changes one, it is sent anew.",
    ),
}

_REMEDIES = {
    (AlarmState.NOT_ALLOWED, False): "Mend the credentials, or what they may do, at the LRS or in the settings."
    " It goes on by itself afterwards; nothing is lost.",
    (
        AlarmState.NOT_ALLOWED,
        True,
    ): "Let the bridge's credentials read statements at the LRS: it cannot tell whether the"
    " LRS has what it would not take again. Then retry what is dead with the outcome `unverified`.",
    (AlarmState.REFUSING, False): "After the first few, statements wait instead of becoming dead. Read what the LRS"
    " answers: credentials, a gateway before it, or the mapping. It is tried now and then.",
    (
        AlarmState.UNREACHABLE,
        False,
    ): "Is the LRS running, and is the way to it open? It is tried at least once a minute; nothing is lost.",
    (AlarmState.FAULT, False): "A fault of the bridge: please report what the log says under `forwarding_interrupted`."
    " What it fails over is tried again and again; nothing is lost.",
}


def in_words(found: Overview, configured: Collection[str]) -> list[Told]:
    """Return the alarms, grave ones first. `configured` are the names of targets that are."""
    return sorted((_one(alarm, found, configured) for alarm in found.alarms), key=lambda one: not one.grave)


_OF_THE_BRIDGE = {
    AlarmCode.LOW_DISK: (
        "The disk of the database is nearly full",
        "Nothing new is stored, and players are told to try again. Make room; it goes on by itself.",
    ),
    AlarmCode.NOT_STORED: (
        "Commits are not stored",
        "Players are told to try again. Look at the database and its disk; it goes on by itself when writes succeed.",
    ),
    AlarmCode.OVER_LIMIT: (
        "A client sends more than it may",
        "The log names it (client_over_limit); limits are set under [limits].",
    ),
}


def of_bridge(raised: Iterable[SystemAlarm]) -> list[Told]:
    """Return the alarms about the bridge itself in words."""
    return [_of_bridge(alarm) for alarm in raised]


def _of_bridge(alarm: SystemAlarm) -> Told:
    words, hint = _OF_THE_BRIDGE[alarm.code]
    detail = alarm.detail.rstrip(".")
    hint = f"{detail[:1].upper()}{detail[1:]}. {hint}"
    return Told(words, alarm.since, hint, "/readyz", "See its state", grave=alarm.code is not AlarmCode.OVER_LIMIT)


def number(count: Count) -> str:
    """Say a number that may not have been counted to its end."""
    said = f"{count.number:,}".replace(",", "\u202f")
    return f"at least {said}" if count.is_lower_bound else said


def _one(alarm: Alarm, found: Overview, configured: Collection[str]) -> Told:
    target = alarm.target or "no LRS yet"
    where = f"/audit/targets#target-{quote(alarm.target)}"
    if alarm.detail is not None:
        hint = _remedy(alarm.detail)
        return Told(f"{target} {describe_alarm(alarm.detail)}", alarm.since, hint, where, "See the target")
    if alarm.kind == "paused":
        pause = found.pauses[alarm.target]
        hint = f"{pause.by} paused it: {pause.reason.rstrip('. ')}. Statements wait until somebody resumes it."
        return Told(f"{target} is paused", alarm.since, hint, where, "Resume it", grave=False)
    if alarm.kind == "late":
        return _late(alarm, where, configured)
    what, room, state, hint = _TROUBLE[alarm.kind]
    said = "" if alarm.number is None else number(alarm.number)
    if said == "1":
        what = what.replace("deliveries", "delivery").replace("documents", "document")
    query = {"state": state, "target": alarm.target} | ({"outcome": DIVERGED} if alarm.kind == DIVERGED else {})
    address = f"/audit/{room}?{urlencode(query)}"
    return Told(f"{said} {what} at {target}", alarm.since, hint, address, "See why")


def _remedy(alarm: TargetAlarm) -> str:
    state, is_reading = AlarmState(alarm.state), alarm.request_kind == RequestKind.READING
    return _REMEDIES.get((state, is_reading), _REMEDIES[state, False])


def _late(alarm: Alarm, where: str, configured: Collection[str]) -> Told:
    words = f"Statements wait for {alarm.target or 'an LRS'} for more than an hour"
    if not alarm.target:
        hint = "No LRS is configured. Add a [[targets]] section to the settings and start the bridge again."
    elif alarm.target in configured:
        hint = "Is the LRS down, or is more made than it takes? Its last trouble tells."
    else:
        hint = "This target is not configured any more. Configure it again, or give its deliveries up."
    return Told(words, alarm.since, hint, where, "See the target")
