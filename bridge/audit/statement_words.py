"""A statement's JSON for people: what it says in short, and itself, written over several lines."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec


class Said(NamedTuple):
    """What a statement says. `result` has only what is no text of the learner's: name -> value."""

    verb: str
    object_id: str
    object_name: str
    timestamp: str
    result: list[tuple[str, str]]


def said(body: str) -> Said:
    """Give what a statement says in short."""
    told = _object(body)
    verb, thing, result = (_part(told, name) for name in ("verb", "object", "result"))
    found: list[tuple[str, str]] = []
    found += [(name, _word(result[name])) for name in ("completion", "success", "duration") if name in result]
    score = _part(result, "score")
    found += [(f"score {name}", _word(score[name])) for name in ("scaled", "raw", "min", "max") if name in score]
    return Said(
        _name(_part(verb, "display")) or str(verb.get("id", "")),
        str(thing.get("id", "")),
        _name(_part(_part(thing, "definition"), "name")),
        str(told.get("timestamp", "")),
        found,
    )


def pretty(text: str | bytes) -> str | None:
    """Give JSON written over several lines, None where it is none."""
    try:
        return msgspec.json.format(text if isinstance(text, str) else text.decode(), indent=2)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _object(body: str) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _part(told: dict[str, Any], name: str) -> dict[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _name(told: dict[str, Any]) -> str:
    return str(next(iter(told.values()), ""))


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
