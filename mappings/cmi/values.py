"""Lenient readers of single CMI values.

Each takes what the client sent as text and returns the value, None for «not set», or raises `BadValue` with words that
finish the sentence «<element> …». Clients send numbers where SCORM wants text, and words in every case and spelling.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import TypeVar

from mappings.cmi.snapshot import Completion, Number, Success
from mappings.cmi.times import CmiTimeError, read_time


class BadValue(ValueError):  # noqa: N818 -- it is a finding to report, never an error to crash on
    """A value that cannot be used. `code` is the stable code of the warning."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


Reader = Callable[[str], object]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


_Read = TypeVar("_Read")


def _remembering(read: Callable[[str], _Read]) -> Callable[[str], _Read]:
    """Remember what short texts are read as: scores, their ranges and shares are the same few from most learners."""
    remembered = lru_cache(maxsize=4_096)(read)

    @wraps(read)
    def remembering(value: str) -> _Read:
        return remembered(value) if len(value) < _SHORT else read(value)

    return remembering


_SHORT = 16


@_remembering
def number(value: str) -> Number:
    """Read a real number; `85,5` and `85%` are read as 85.5 and 85. Whole numbers come back as int."""
    if len(value) < _SHORT and value.isascii() and value.isdigit():
        return int(value)
    cleaned = value.strip()
    if cleaned.endswith("%"):
        cleaned = cleaned[:-1].rstrip()
    if len(cleaned) > 64 or _NUMBER.fullmatch(cleaned) is None:
        raise BadValue("not-a-number", "is not a number")
    parsed = float(cleaned.replace(",", "."))
    if not math.isfinite(parsed):
        raise BadValue("not-a-number", "is too large to be a number here")
    return int(parsed) if parsed.is_integer() and abs(parsed) < 1e15 else parsed


def between(low: float, high: float) -> Callable[[str], Number]:
    """Make a reader of numbers that SCORM bounds."""

    @_remembering
    def read(value: str) -> Number:
        parsed = number(value)
        if not low <= parsed <= high:
            raise BadValue("out-of-range", f"must lie between {low:g} and {high:g}")
        return parsed

    return read


def time(value: str) -> int:
    """Read either time format, in centiseconds."""
    try:
        return read_time(value)
    except CmiTimeError as error:
        raise BadValue("bad-time", str(error)) from None


def _vocabulary(words: Mapping[str, str]) -> Callable[[str], str]:
    allowed = ", ".join(sorted(set(words.values())))

    def read(value: str) -> str:
        word = words.get(value) or words.get(value.strip().lower().replace("_", " ").replace("-", " "))
        if word is None:
            raise BadValue("unknown-word", f"must be one of: {allowed}")
        return word

    return read


def _words(*words: str) -> dict[str, str]:
    return {spelling: word for word in words for spelling in (word, word.replace("-", " "))}


lesson_status = _vocabulary(_words("not attempted", "browsed", "incomplete", "completed", "failed", "passed"))
completion_status = _vocabulary(_words("unknown", "not attempted", "incomplete", "completed"))
success_status = _vocabulary(_words("unknown", "failed", "passed"))
exit_ = _vocabulary(_words("time-out", "suspend", "logout", "normal") | {"timeout": "time-out"})
entry = _vocabulary(_words("ab-initio", "resume"))
mode = _vocabulary(_words("browse", "normal", "review"))
credit = _vocabulary(_words("credit", "no-credit"))


LESSON_STATUS: Mapping[str, tuple[Completion | None, Success | None]] = {
    "not attempted": ("not attempted", None),
    "browsed": ("incomplete", None),
    "incomplete": ("incomplete", None),
    "completed": ("completed", None),
    "failed": (None, "failed"),
    "passed": ("completed", "passed"),
}
"""What SCORM 1.2's one status says of completion and success."""
