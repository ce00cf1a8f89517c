"""Interactions as xAPI tells them: SCORM's ten types, with responses and patterns in xAPI's delimiters.

Sources: SCORM 1.2 RTE 3.4.2.3, SCORM 2004 RTE 4th edition 4.2.9, xAPI Data 2.4.4.1 (which took types and formats from
SCORM 2004). SCORM 1.2 separates with commas and full stops what SCORM 2004 and xAPI separate with `[,]` and `[.]`.
"""

from __future__ import annotations

import re

import msgspec

from mappings.cmi.snapshot import Item, Number
from mappings.cmi.tree import scalar
from mappings.cmi.values import INTERACTION_TYPES, BadValue, interaction_type, number, time

TYPES = frozenset(INTERACTION_TYPES)

_TRUTH = {"t": "true", "1": "true", "true": "true", "f": "false", "0": "false", "false": "false"}
_SUCCESS = {"correct": True, "wrong": False, "incorrect": False}
_LISTED = frozenset({"choice", "sequencing", "matching"})
MAX_LIST_ITEMS = 250
"""Patterns and objectives of an interaction that are told an LRS; SCORM asks for 10. The journal has all."""
_PREFIX = re.compile(r"^(?:\{(?:case_matters|order_matters)=(?:true|false)\})+")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)?\s*:\s*(-?\d+(?:\.\d+)?)?")


class Interaction(msgspec.Struct, frozen=True, gc=False):
    """One answered interaction. Times are centiseconds; `cmi` holds SCORM's own words that xAPI has no place for."""

    id: str
    type: str
    description: str = ""
    response: str | None = None
    patterns: tuple[str, ...] = ()
    success: bool | None = None
    raw: Number | None = None
    duration: int | None = None
    objectives: tuple[str, ...] = ()
    cmi: dict[str, str] = {}


def answer(item: Item) -> tuple[str, ...] | None:
    """Return what makes an answer another answer; None while there is no id or no response.

    A result without a response says nothing of the learner: content sets `incorrect` up before anybody has answered.
    """
    interaction_id = scalar(item.get("id"))
    response = scalar(item.get("learner_response")) or scalar(item.get("student_response")) or ""
    result = scalar(item.get("result")) or ""
    if not interaction_id or not response:
        return None
    return interaction_id, scalar(item.get("type")) or "", response, result


def interaction(item: Item) -> Interaction | None:
    """Read an interaction, None while it is no answer yet. What cannot be read of it is left out."""
    key = answer(item)
    if key is None:
        return None
    interaction_id, kind_word, response, result = key
    kind = _type(kind_word)
    success = _SUCCESS.get(result.strip().lower())
    old = "student_response" in item or ("time" in item and "learner_response" not in item)
    patterns: list[str] = []
    for pattern in _texts(item.get("correct_responses"), "pattern"):
        # what is blank once it is rewritten says nothing, and an empty text is refused by some LRSs
        text = _pattern(kind, pattern, old=old)
        if text:
            patterns.append(text)
    words = {"id": interaction_id}
    if kind_word:
        words["type"] = kind_word
    if result:
        words["result"] = result
    for name in ("weighting", "time", "timestamp"):
        value = item.get(name)
        text = value if isinstance(value, str) else scalar(value) or ""
        if text:
            words[name] = text
    return Interaction(
        id=interaction_id,
        type=kind,
        description=scalar(item.get("description")) or "",
        response=rewrite(kind, _PREFIX.sub("", response), old=old) or None,
        patterns=tuple(patterns),
        success=success,
        raw=_number(result) if success is None else None,
        duration=_time(scalar(item.get("latency"))),
        objectives=tuple(_texts(item.get("objectives"), "id")),
        cmi=words,
    )


def _type(word: str) -> str:
    try:
        return interaction_type(word)
    except BadValue:
        return "other"


def rewrite(kind: str, text: str, *, old: bool) -> str:
    """Write a response with xAPI's delimiters. `old` says that it was written by SCORM 1.2's rules."""
    text = text.strip()
    if kind == "true-false":
        return _TRUTH.get(text.lower(), text)
    if kind == "performance" and "[.]" not in text:
        return f"[.]{text}"
    if not old or kind not in _LISTED or "[,]" in text or "[.]" in text:
        return text
    parts = [part.strip() for part in text.removeprefix("{").removesuffix("}").split(",")]
    if kind == "matching":
        parts = [part.replace(".", "[.]", 1) for part in parts]
    return "[,]".join(parts)


def _pattern(kind: str, text: str, *, old: bool) -> str:
    prefix = _PREFIX.match(text)
    if prefix is not None:
        return prefix.group() + rewrite(kind, text[prefix.end() :], old=old)
    if kind == "numeric" and "[:]" not in text and (bounds := _RANGE.fullmatch(text.strip())) is not None:
        return f"{bounds.group(1) or ''}[:]{bounds.group(2) or ''}"
    return rewrite(kind, text, old=old)


def _texts(collection: object, name: str) -> list[str]:
    """Return an element of the first entries of a collection, of those that have it."""
    texts: list[str] = []
    if isinstance(collection, dict):
        entries = [entry for entry in collection.values() if isinstance(entry, dict)]
        for entry in entries[:MAX_LIST_ITEMS]:
            value = entry.get(name)
            text = value if isinstance(value, str) else scalar(value)
            if text:
                texts.append(text)
    return texts


def _number(result: str) -> Number | None:
    try:
        return number(result)
    except BadValue:
        return None


def _time(latency: str | None) -> int | None:
    try:
        return time(latency) if latency else None
    except BadValue:
        return None
