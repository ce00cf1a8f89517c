"""Compares a statement that an LRS has with the one that was sent (xAPI Data 2.3.1, Statement Immutability).

Two statements are the same when they differ only in what an LRS may add or rewrite; they are equivalent when they
differ in spelling alone, as some LRSs store durations, numbers, names and lists their own way. The strict rule, by
which an LRS compares, is `mappings.xapi.statement_equality`. Ids of statements are
made of what they are about (UUIDv5), so that an equivalent one under our id is ours.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import Enum
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec

MAX_DEPTH: Final = 100
"""Levels of nesting that are compared: no statement that is sent has as many, and Python compares no thousand."""

_ASSIGNED: Final = {"stored", "authority", "version", "attachments"}
_IDENTIFIERS: Final = {"mbox", "mbox_sha1sum", "openid", "account"}
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>[\d.]+)W)?(?:(?P<days>[\d.]+)D)?"
    r"(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?",
    re.ASCII,
)
_SECONDS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_ABSENT: Final = object()


class Equality(Enum):
    """The result of a comparison."""

    SAME = "same"
    EQUIVALENT = "equivalent"
    """The same but for spelling."""
    DIFFERENT = "different"


class Comparison(NamedTuple):
    """The result, and where the two differ, for people; empty where they do not."""

    equality: Equality
    difference: str = ""


def find(answer: str, statement_id: str) -> dict[str, Any] | None:
    """Return a statement from an LRS's answer to a request for its id.

    Some LRSs answer with a list, as they do to other questions, and an empty one where xAPI asks for 404. None where
    the statement is not in it, as in a page that somebody put in front of the LRS.
    """
    try:
        content = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, RecursionError):
        return None
    listed = content.get("statements") if isinstance(content, dict) else None
    for candidate in listed if isinstance(listed, list) else [content]:
        if isinstance(candidate, dict) and str(candidate.get("id", "")).lower() == statement_id.lower():
            return candidate
    return None


def compare(sent: str | bytes, stored: dict[str, Any]) -> Comparison:
    """Compare a statement as sent with one as an LRS gives it back.

    What an LRS may add or rewrite does not count: `stored`, `authority`, `version`, definitions, displays, and another
    spelling of the same instant.
    """
    if _is_deeper(stored, MAX_DEPTH):
        return Comparison(Equality.DIFFERENT, f"it is nested deeper than {MAX_DEPTH} levels")
    ours, theirs = _essence(msgspec.json.decode(sent)), _essence(stored)
    places = list(_differences(ours, theirs))
    if not places:
        return Comparison(Equality.SAME)
    ours, theirs = _respelled(ours), _respelled(theirs)
    if _is_respelled(ours, theirs):
        return Comparison(Equality.EQUIVALENT, f"it is spelled otherwise there at {', '.join(places[:5])}")
    return Comparison(Equality.DIFFERENT, f"it differs at {', '.join(places[:5])}")


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


def _essence(statement: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in statement.items() if key not in _ASSIGNED}
    if isinstance(kept.get("timestamp"), str):
        kept["timestamp"] = _instant(kept["timestamp"])
    if isinstance(kept.get("id"), str):
        kept["id"] = kept["id"].lower()
    return {key: _bare(value) for key, value in kept.items()}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _kept(key, part)
            for key, part in value.items()
            if key not in {"definition", "display"} and not (key == "objectType" and part in ("Activity", "Agent"))
        }
    if isinstance(value, list):
        return [_bare(part) for part in value]
    return value


def _kept(key: str, part: Any) -> Any:
    if key == "extensions":
        return part
    if key == "registration" and isinstance(part, str):
        return part.lower()
    if key == "member" and isinstance(part, list):
        return sorted((_bare(member) for member in part), key=_canonical)
    return _bare(part)


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _instant(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Yield the places where two values differ, such as `result.score.raw`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours | theirs:
            yield from _differences(ours.get(key, _ABSENT), theirs.get(key, _ABSENT), f"{at}.{key}" if at else str(key))
    elif isinstance(ours, list) and isinstance(theirs, list):
        for number, (mine, other) in enumerate(zip_longest(ours, theirs, fillvalue=_ABSENT)):
            yield from _differences(mine, other, f"{at}[{number}]")
    elif ours != theirs:
        yield at


def _respelled(value: Any, key: str = "") -> Any:
    """Bring to one form what LRSs spell their own way and can be brought to one: lists, names, letters' case."""
    if key == "contextActivities" and isinstance(value, dict):
        return {
            group: sorted((activities if isinstance(activities, list) else [activities]), key=_canonical)
            for group, activities in value.items()
        }
    if isinstance(value, dict) and key != "extensions":
        is_actor = not _IDENTIFIERS.isdisjoint(value)
        return {
            name: _respelled(part, name)
            for name, part in value.items()
            # an actor's name is not what it is known by, and can be newer there
            if not (is_actor and name == "name")
        }
    if isinstance(value, list):
        return [_respelled(part) for part in value]
    if isinstance(value, str) and key in {"language", "mbox_sha1sum"}:
        return value.lower()
    return value


def _is_respelled(ours: Any, theirs: Any, key: str = "") -> bool:
    """Return whether two values are the same but for the spelling of durations and the precision of numbers."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_is_respelled(ours[name], theirs[name], name) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_is_respelled, ours, theirs))
    if key == "duration" and isinstance(ours, str) and isinstance(theirs, str):
        return _is_same_duration(ours, theirs)
    if _is_number(ours) and _is_number(theirs):
        return bool(ours == theirs) or _single(ours) == _single(theirs)
    return bool(ours == theirs)


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
