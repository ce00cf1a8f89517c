"""Whether two statements with one id are the same statement.

Source: xAPI Data, section 2.3.1 (Statement Immutability, Statement Comparison Requirements), and section 4.6 for
durations.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import msgspec

from mappings.xapi.validation import actors, syntax

_ASSIGNED: Final = ("id", "stored", "authority", "version", "timestamp", "attachments")
_UNCOMPARED_FRACTION: Final = re.compile(r"([.,][0-9]{2})[0-9]+(?=[A-Z])")


class Fingerprint(msgspec.Struct, frozen=True):
    """What is compared of a statement.

    Attributes:
        content: the JSON of everything that counts, in a canonical form.
        timestamp: the instant it tells of; None when it came without, so that the LRS had to set it.
    """

    content: bytes
    timestamp: datetime | None

    def same_as(self, other: Fingerprint) -> bool:
        """Return whether both stand for one statement; a timestamp that either side left to the LRS is not compared."""
        if self.content != other.content:
            return False
        return None in {self.timestamp, other.timestamp} or self.timestamp == other.timestamp


def fingerprint(statement: dict[str, Any]) -> Fingerprint:
    """Reduce a valid statement to what counts when it is compared.

    Left out: what the LRS assigns, attachments, verb displays and activity definitions. Brought to one form:
    timestamps by instant, members of groups by order, single context activities as arrays, and the case of UUIDs,
    hashes, language tags and mail domains. A duration counts as written, cut to hundredths of a second. Everything
    else counts as written: 1 and 1.0 differ, and so do two names of one actor.
    """
    timestamp = statement.get("timestamp")
    compared = {name: value for name, value in statement.items() if name not in _ASSIGNED}
    return Fingerprint(
        content=msgspec.json.encode(_statement(compared), order="sorted"),
        timestamp=syntax.instant(timestamp) if isinstance(timestamp, str) else None,
    )


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    parts = dict(statement)
    parts["actor"] = _actor(parts["actor"])
    parts["verb"] = {"id": parts["verb"]["id"]}
    parts["object"] = _object(parts["object"])
    if "duration" in parts.get("result", {}):
        duration = _UNCOMPARED_FRACTION.sub(r"\1", parts["result"]["duration"])
        parts["result"] = {**parts["result"], "duration": duration}
    if "context" in parts:
        parts["context"] = _context(parts["context"])
    return parts


def _object(target: dict[str, Any]) -> dict[str, Any]:
    match target.get("objectType", "Activity"):
        case "Activity":
            return _activity(target)
        case "StatementRef":
            return {**target, "id": target["id"].lower()}
        case "SubStatement":
            inner = {name: value for name, value in target.items() if name != "attachments"}
            if "timestamp" in inner:
                inner["timestamp"] = syntax.instant(inner["timestamp"]).isoformat()
            return _statement(inner)
        case _:
            return _actor(target)


def _activity(activity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in activity.items() if name != "definition"}


def _actor(actor: dict[str, Any]) -> dict[str, Any]:
    parts = dict(actor)
    if "mbox" in parts:
        parts["mbox"] = actors.lower_domain(parts["mbox"])
    if "mbox_sha1sum" in parts:
        parts["mbox_sha1sum"] = parts["mbox_sha1sum"].lower()
    if "member" in parts:
        parts["member"] = sorted(
            (_actor(member) for member in parts["member"]),
            key=lambda member: msgspec.json.encode(member, order="sorted"),
        )
    return parts


def _context(context: dict[str, Any]) -> dict[str, Any]:
    parts = dict(context)
    for name in ("registration", "language"):
        if name in parts:
            parts[name] = parts[name].lower()
    if "statement" in parts:
        parts["statement"] = _object(parts["statement"])
    for name in ("instructor", "team"):
        if name in parts:
            parts[name] = _actor(parts[name])
    for name, whom in (("contextAgents", "agent"), ("contextGroups", "group")):
        if name in parts:
            parts[name] = [{**item, whom: _actor(item[whom])} for item in parts[name]]
    if "contextActivities" in parts:
        parts["contextActivities"] = {
            kind: [_activity(activity) for activity in listed(value)]
            for kind, value in parts["contextActivities"].items()
        }
    return parts


def listed(activities: Any) -> list[dict[str, Any]]:
    """Return context activities as an array, as an LRS has to give them back (xAPI Data 2.4.6.2)."""
    return activities if isinstance(activities, list) else [activities]
