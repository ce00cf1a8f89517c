"""Lenient readers of single CMI values.

Each takes what the client sent as text and returns the value, None for «not set», or raises `BadValue` with words that
finish the sentence «<element> …». Clients send numbers where SCORM wants text, and words in every case and spelling.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TypeVar

from mappings.cmi.snapshot import CompletionStatus, LessonStatus, Number, SuccessStatus
from mappings.cmi.times import CmiTimeError, read_time
from mappings.cmi.warnings import WarningCode


class BadValue(ValueError):  # noqa: N818 -- it is a finding to report, never an error to crash on
    """A value that cannot be used. `code` is the stable code of the warning."""

    def __init__(self, code: WarningCode, message: str) -> None:
        super().__init__(message)
        self.code = code


Reader = Callable[[str], object]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
"""`1,234` is 1234 to some and 1.234 to others."""
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([,.' \u00a0\u2009\u202f\u2019])\d{3})(?:\1\d{3})*(?:[.,]\d+)?", re.ASCII)


_Read = TypeVar("_Read")


def _remembering(read: Callable[[str], _Read]) -> Callable[[str], _Read]:
    """Cache what short texts are read as: scores, their ranges and shares are the same few from most learners."""
    cache: dict[str, _Read] = {}

    @wraps(read)
    def remembering(value: str) -> _Read:
        parsed = cache.get(value)
        if parsed is None:
            parsed = read(value)
            if len(value) < _SHORT:
                if len(cache) >= MAX_REMEMBERED:
                    cache.clear()
                cache[value] = parsed
        return parsed

    _KNOWN[remembering] = cache
    return remembering


MAX_REMEMBERED = 4_096
"""Texts that a reader remembers; when there are more, they are forgotten all at once."""
_SHORT = 16
_KNOWN: dict[Reader, Mapping[str, object]] = {}
_NOTHING: Mapping[str, object] = {}


def known_to(reader: Reader) -> Mapping[str, object]:
    """Return what a reader is known to return for some texts, for who reads too many to call it for each."""
    return _KNOWN.get(reader, _NOTHING)


@_remembering
def number(value: str) -> Number:
    """Read a real number; `85,5` and `85%` are read as 85.5 and 85. Whole numbers come back as int.

    A number with thousands separators is not read, nor is one that may have one: `1,234`.
    """
    if len(value) < _SHORT and value.isascii() and value.isdigit():
        return int(value)
    cleaned = value.strip()
    if cleaned.endswith("%"):
        cleaned = cleaned[:-1].rstrip()
    if len(cleaned) > 64:
        raise BadValue(WarningCode.NOT_A_NUMBER, "is not a number")
    if _NUMBER.fullmatch(cleaned) is None or _AMBIGUOUS.fullmatch(cleaned) is not None:
        if _THOUSANDS.fullmatch(cleaned) is not None:
            raise BadValue(
                WarningCode.THOUSANDS_SEPARATOR,
                "has or may have a thousands separator; write digits and at most one full stop, as in 1234.5",
            )
        raise BadValue(WarningCode.NOT_A_NUMBER, "is not a number")
    parsed = float(cleaned.replace(",", "."))
    if not math.isfinite(parsed):
        raise BadValue(WarningCode.NOT_A_NUMBER, "is too large to be a number here")
    return int(parsed) if parsed.is_integer() and abs(parsed) < 1e15 else parsed


def between(low: float, high: float) -> Callable[[str], Number]:
    """Build a reader of numbers that SCORM bounds."""

    @_remembering
    def read(value: str) -> Number:
        parsed = number(value)
        if not low <= parsed <= high:
            raise BadValue(WarningCode.OUT_OF_RANGE, f"must lie between {low:g} and {high:g}")
        return parsed

    return read


scaled = between(-1, 1)
"""Read a scaled score."""
share = between(0, 1)
"""Read a measure from nothing to all."""


@_remembering  # one commit's latency is read by who warns, who compares and who tells
def time(value: str) -> int:
    """Read either time format, in centiseconds."""
    try:
        return read_time(value)
    except CmiTimeError as error:
        raise BadValue(WarningCode.BAD_TIME, str(error)) from None


def _vocabulary(words: Mapping[str, str]) -> Callable[[str], str]:
    allowed = ", ".join(sorted(set(words.values())))

    def read(value: str) -> str:
        word = words.get(value) or words.get(value.strip().lower().replace("_", " ").replace("-", " "))
        if word is None:
            raise BadValue(WarningCode.UNKNOWN_WORD, f"must be one of: {allowed}")
        return word

    _KNOWN[read] = words
    return read


def _words(*words: str) -> dict[str, str]:
    # plain text as keys: others are looked up more slowly
    return {spelling: word for word in words for spelling in (str(word), word.replace("-", " "))}


INTERACTION_TYPES = (
    "true-false",
    "choice",
    "fill-in",
    "long-fill-in",
    "matching",
    "performance",
    "sequencing",
    "likert",
    "numeric",
    "other",
)
_RESULTS = frozenset({"correct", "wrong", "incorrect", "unanticipated", "neutral"})


@_remembering
def result(value: str) -> str:
    """Check the result of an interaction: a word of SCORM's, or a number."""
    word = value.strip().lower()
    if word not in _RESULTS:
        try:
            number(word)
        except BadValue as bad:
            if bad.code != WarningCode.NOT_A_NUMBER:
                raise
            allowed = ", ".join(sorted(_RESULTS))
            raise BadValue(WarningCode.UNKNOWN_WORD, f"must be a number or one of: {allowed}") from None
    return word


lesson_status = _vocabulary(_words(*LessonStatus))
completion_status = _vocabulary(_words(*CompletionStatus))
success_status = _vocabulary(_words(*SuccessStatus))
exit_ = _vocabulary(_words("time-out", "suspend", "logout", "normal") | {"timeout": "time-out"})
entry = _vocabulary(_words("ab-initio", "resume"))
interaction_type = _vocabulary(_words(*INTERACTION_TYPES))
mode = _vocabulary(_words("browse", "normal", "review"))
credit = _vocabulary(_words("credit", "no-credit"))


LESSON_STATUS: Mapping[LessonStatus, tuple[CompletionStatus | None, SuccessStatus | None]] = {
    LessonStatus.NOT_ATTEMPTED: (CompletionStatus.NOT_ATTEMPTED, None),
    LessonStatus.BROWSED: (CompletionStatus.INCOMPLETE, None),
    LessonStatus.INCOMPLETE: (CompletionStatus.INCOMPLETE, None),
    LessonStatus.COMPLETED: (CompletionStatus.COMPLETED, None),
    LessonStatus.FAILED: (None, SuccessStatus.FAILED),
    LessonStatus.PASSED: (CompletionStatus.COMPLETED, SuccessStatus.PASSED),
}
"""What SCORM 1.2's one status says of completion and success."""
