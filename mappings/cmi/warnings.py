"""What was wrong with something that a client sent, in words for the LMS developer."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from enum import StrEnum

import msgspec

MAX_VALUE_LENGTH = 80
"""Characters of a bad value that are repeated in its warning."""
MAX_NAME_LENGTH = 160
"""Characters of an element's path that are repeated in its warning."""
MAX_WARNINGS = 50
"""Warnings in one answer. The last one says that there are more."""


NOT_TEXT = "must be text, not an object or a list"
NOT_A_GROUP = "is a group of elements and takes no value itself"
NUL_REMOVED = "had NUL characters, which were taken out"


class WarningCode(StrEnum):
    """The stable code of a warning. `docs/warnings.md` lists them all."""

    NOT_TEXT = "not-text"
    """An object or a list where text belongs."""
    NOT_A_GROUP = "not-a-group"
    """A value where a group of elements belongs."""
    NOT_A_NUMBER = "not-a-number"
    """Text that is no number."""
    THOUSANDS_SEPARATOR = "thousands-separator"
    """A number that has, or may have, thousands separators."""
    OUT_OF_RANGE = "out-of-range"
    """A number that SCORM does not allow there."""
    BAD_TIME = "bad-time"
    """Text that is no time, or a time nobody spent."""
    UNKNOWN_WORD = "unknown-word"
    """A word that SCORM does not have there."""
    SCORE_RANGE = "score-range"
    """A score's minimum that is not below its maximum."""
    SCORE_OUT_OF_RANGE = "score-out-of-range"
    """A raw score outside its minimum and maximum."""
    UNKNOWN_ELEMENT = "unknown-element"
    """An element that SCORM does not have."""
    MISPLACED_ELEMENT = "misplaced-element"
    """An element of SCORM's outside its group."""
    MISSING_ID = "missing-id"
    """An interaction or objective without an id."""
    BAD_INDEX = "bad-index"
    """An item of a collection under something that is no index."""
    TOO_MANY = "too-many"
    """More items than are kept of a collection."""
    NUL_REMOVED = "nul-removed"
    """Text had NUL characters, which were taken out."""
    SESSION_ENDED = "session-ended"
    """The session had ended before."""
    NOT_RECORDED = "not-recorded"
    """The session is a review or a browse, which records nothing."""
    FUTURE_TIME = "future-time"
    """A time that lies in the future."""
    TIME_BEFORE_LAUNCH = "time-before-launch"
    """A time before the session was opened."""
    SEQUENCE_WENT_BACK = "sequence-went-back"
    """A count of commits that is lower than one that was applied."""
    SEQUENCE_REPEATED = "sequence-repeated"
    """A count of commits that another commit had already."""
    UNKNOWN_KEY = "unknown-key"
    """A key of the request that means nothing to the bridge."""
    CONTROL_CHARACTER = "control-character"
    """A name had control characters, which were replaced."""
    MORE_WARNINGS = "more-warnings"
    """There is more to warn of than one answer lists."""


class CmiWarning(msgspec.Struct, frozen=True, gc=False):
    """Something that was kept in the journal but not stored in the attempt, or not as it was sent.

    `element` is the CMI element as SCORM names it (`cmi.core.score.raw`), or the key of the request
    (`learner.name`). `code` is stable, `message` is for people.
    """

    code: WarningCode
    element: str
    value: str
    message: str


def warn(code: WarningCode, element: str, value: object, message: str) -> CmiWarning:
    """Build a warning that repeats at most `MAX_VALUE_LENGTH` characters of the value."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return CmiWarning(code, _shortened(element, MAX_NAME_LENGTH), _shortened(text, MAX_VALUE_LENGTH), message)


def is_full(warnings: list[CmiWarning]) -> bool:
    """Return whether there are more warnings already than an answer lists: to look for others would cost time only."""
    return len(warnings) > MAX_WARNINGS


def limited(first: Sequence[CmiWarning], second: Sequence[CmiWarning]) -> tuple[CmiWarning, ...]:
    """Return at most `MAX_WARNINGS` warnings of two lists; where some are left out, the last one says so."""
    if not first and not second:
        return ()
    warnings = (*first, *second)
    if len(warnings) <= MAX_WARNINGS:
        return warnings
    message = f"There is more to warn of than the {MAX_WARNINGS - 1} warnings before this one; correct those first."
    return (*warnings[: MAX_WARNINGS - 1], warn(WarningCode.MORE_WARNINGS, "", "", message))


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
