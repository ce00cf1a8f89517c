"""Whether two statements with one id are the same statement: for LRSs, and for who sends to them.

Two statements are the same when they differ only in what an LRS may add or rewrite (xAPI Data 2.3.1, Statement
Comparison Requirements, and 4.6 for durations). They are equivalent when they differ in spelling alone, as some LRSs
store durations, numbers, names and lists their own way. Ids of statements are made of what they are about (UUIDv5), so
that an equivalent one under our id is ours.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec

from mappings.xapi.validation.actors import lower_domain

MAX_DEPTH: Final = 100
"""Levels of nesting that are compared: no statement that is sent has as many, and Python compares no thousand."""

_ASSIGNED: Final = frozenset({"stored", "authority", "version", "attachments"})
_DESCRIPTIONS: Final = frozenset({"definition", "display"})
_DESCRIPTIONS_AND_ATTACHMENTS: Final = _DESCRIPTIONS | {"attachments"}
_CASELESS: Final = frozenset({"registration", "language", "mbox_sha1sum"})
_DEFAULT_TYPES: Final = ("Activity", "Agent")
_IDENTIFIERS: Final = frozenset({"mbox", "mbox_sha1sum", "openid", "account"})
_UNCOMPARED_FRACTION: Final = re.compile(r"([.,][0-9]{2})[0-9]+(?=[A-Z])")
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>[\d.]+)W)?(?:(?P<days>[\d.]+)D)?"
    r"(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?",
    re.ASCII,
)
_SECONDS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_ABSENT: Final = object()


class Equality(StrEnum):
    """The result of a comparison."""

    SAME = "same"
    """One statement."""
    EQUIVALENT = "equivalent"
    """The same but for spelling."""
    DIFFERENT = "different"
    """Two statements."""


class Comparison(NamedTuple):
    """The result, and where the two differ, for people; empty where they do not."""

    equality: Equality
    difference: str = ""


class Fingerprint(msgspec.Struct, frozen=True):
    """What an LRS compares of a statement that it received.

    Attributes:
        content: the JSON of everything that counts but the timestamp, in a canonical form.
        timestamp: the instant it tells of; None when it came without, so that the LRS had to set it.
    """

    content: bytes
    timestamp: str | None

    def same_as(self, other: Fingerprint) -> bool:
        """Return whether both stand for one statement; a timestamp that either side left to the LRS is not compared."""
        if self.content != other.content:
            return False
        return None in {self.timestamp, other.timestamp} or self.timestamp == other.timestamp


def fingerprint(statement: dict[str, Any]) -> Fingerprint:
    """Reduce a valid statement to what counts when it is compared with another one of its id."""
    content = canonical(statement)
    content.pop("id", None)
    timestamp = content.pop("timestamp", None)
    return Fingerprint(_encode(content), timestamp)


def compare(sent: str | bytes, stored: dict[str, Any]) -> Comparison:
    """Compare a statement as sent with one as an LRS gives it back, whatever that is."""
    if _is_deeper(stored, MAX_DEPTH):
        return Comparison(Equality.DIFFERENT, f"it is nested deeper than {MAX_DEPTH} levels")
    ours, theirs = canonical(msgspec.json.decode(sent)), canonical(stored)
    places = list(_differences(ours, theirs))
    if not places:
        return Comparison(Equality.SAME)
    if _is_respelled(_respelled(ours), _respelled(theirs)):
        return Comparison(Equality.EQUIVALENT, f"it is spelled otherwise there at {', '.join(places[:5])}")
    return Comparison(Equality.DIFFERENT, f"it differs at {', '.join(places[:5])}")


def canonical(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the one form of a statement that is compared.

    Left out: what an LRS assigns, attachments, displays, activity definitions, and the default types of objects and
    actors. Brought to one form: timestamps by instant, members of groups by order, single context activities as
    arrays, the case of UUIDs, hashes, language tags and mail domains, 1.0 as 1, and durations cut to hundredths of a
    second. Everything else counts as written.
    """
    compared = {name: value for name, value in statement.items() if name not in _ASSIGNED}
    if isinstance(compared.get("id"), str):
        compared["id"] = compared["id"].lower()
    return {name: _canonical(value, name) for name, value in compared.items()}


def listed(activities: Any) -> list[Any]:
    """Return context activities as an array, as an LRS has to give them back (xAPI Data 2.4.6.2)."""
    return activities if isinstance(activities, list) else [activities]


def _canonical(value: Any, name: str = "") -> Any:
    """Return the canonical form of a value of a statement, which is called `name` there."""
    if isinstance(value, str):
        return _canonical_text(value, name)
    if isinstance(value, list):
        parts = [_canonical(part) for part in value]
        return sorted(parts, key=_encode) if name == "member" else parts
    if isinstance(value, dict):
        return _canonical_object(value, name)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _canonical_object(value: dict[str, Any], name: str) -> dict[str, Any]:
    if name == "extensions":
        return {key: _plain(part) for key, part in value.items()}
    if name == "contextActivities":
        return {kind: _canonical(listed(activities)) for kind, activities in value.items()}
    object_type = value.get("objectType")
    left_out = _DESCRIPTIONS_AND_ATTACHMENTS if object_type == "SubStatement" else _DESCRIPTIONS
    parts = {
        key: _canonical(part, key)
        for key, part in value.items()
        if key not in left_out and not (key == "objectType" and part in _DEFAULT_TYPES)
    }
    if object_type == "StatementRef" and isinstance(parts.get("id"), str):
        parts["id"] = parts["id"].lower()
    return parts


def _canonical_text(text: str, name: str) -> str:
    if name in _CASELESS:
        return text.lower()
    if name == "mbox":
        return lower_domain(text)
    if name == "duration":
        return _UNCOMPARED_FRACTION.sub(r"\1", text)
    return _instant(text) if name == "timestamp" else text


def _plain(value: Any) -> Any:
    """Return a value of an extension, whose parts mean nothing to xAPI: a number counts by its value."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(text: str) -> str:
    """Return a timestamp in UTC; a text that is none, or that has no time zone, as it is."""
    try:
        time = datetime.fromisoformat(text)
        return text if time.tzinfo is None else time.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return text


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether a value has more levels of dicts and lists; without recursion, which it may be too deep for."""
    level = [value]
    for _ in range(levels):
        level = [
            part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True


def _differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Yield the places where two values differ, such as `result.score.raw`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours | theirs:
            yield from _differences(ours.get(key, _ABSENT), theirs.get(key, _ABSENT), f"{at}.{key}" if at else str(key))
    elif isinstance(ours, list) and isinstance(theirs, list):
        for number, (mine, other) in enumerate(zip_longest(ours, theirs, fillvalue=_ABSENT)):
            yield from _differences(mine, other, f"{at}[{number}]")
    elif not _is_equal(ours, theirs):
        yield at


def _is_equal(ours: Any, theirs: Any) -> bool:
    """Return whether two values are equal in JSON, where true is not 1."""
    return isinstance(ours, bool) is isinstance(theirs, bool) and bool(ours == theirs)


def _respelled(value: Any, name: str = "") -> Any:
    """Bring to one form what LRSs spell their own way and can be brought to one: order of lists, names of actors."""
    if name == "contextActivities" and isinstance(value, dict):
        return {kind: sorted(activities, key=_encode) for kind, activities in value.items()}
    if isinstance(value, dict) and name != "extensions":
        is_actor = not _IDENTIFIERS.isdisjoint(value)
        return {
            key: _respelled(part, key)
            for key, part in value.items()
            # an actor's name is not what it is known by, and can be newer there
            if not (is_actor and key == "name")
        }
    return [_respelled(part) for part in value] if isinstance(value, list) else value


def _is_respelled(ours: Any, theirs: Any, name: str = "") -> bool:
    """Return whether two values are the same but for the spelling of durations and the precision of numbers."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_is_respelled(ours[key], theirs[key], key) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_is_respelled, ours, theirs))
    if name == "duration" and isinstance(ours, str) and isinstance(theirs, str):
        return _is_same_duration(ours, theirs)
    if _is_number(ours) and _is_number(theirs):
        return bool(ours == theirs) or _single(ours) == _single(theirs)
    return _is_equal(ours, theirs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _single(number: float) -> bytes:
    """Return a number in single precision, as some databases keep it; beyond their range, nothing equals it."""
    try:
        return struct.pack("f", number)
    except (OverflowError, struct.error):
        return repr(number).encode()


def _is_same_duration(ours: str, theirs: str) -> bool:
    """Return whether a duration is ours: spelled in other units, or cut or rounded to fewer places."""
    mine, other = _seconds(ours), _seconds(theirs)
    if mine is None or other is None:
        return ours == theirs
    places = (Decimal(1), Decimal("0.1"), Decimal("0.01"), Decimal("0.001"))
    return mine == other or any(
        mine.quantize(place, rounding) == other for place in places for rounding in (ROUND_DOWN, ROUND_HALF_UP)
    )


def _seconds(duration: str) -> Decimal | None:
    """Return a duration in seconds; None where it has none, as one of years and months, or is no duration."""
    match = _DURATION.fullmatch(duration)
    if match is None or len(duration) > 40:
        return None
    try:
        parts = [Decimal(text) * _SECONDS[unit] for unit, text in match.groupdict().items() if text is not None]
    except ArithmeticError:
        return None
    return sum(parts, Decimal()) if parts else None
