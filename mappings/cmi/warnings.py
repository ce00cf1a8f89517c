"""What was wrong with a value that a commit carried, in words for the LMS developer."""

from __future__ import annotations

import reprlib

import msgspec

LONGEST_VALUE = 80
"""Characters of a bad value that are repeated in its warning."""


class CmiWarning(msgspec.Struct, frozen=True, gc=False):
    """One value that was kept in the journal but neither stored in the attempt nor sent to an LRS.

    `element` is the CMI element as SCORM names it (`cmi.core.score.raw`), `code` is stable, `message` is for people.
    """

    code: str
    element: str
    value: str
    message: str


def warn(code: str, element: str, value: object, message: str) -> CmiWarning:
    """Make a warning that repeats at most `LONGEST_VALUE` characters of the value."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    if len(text) > LONGEST_VALUE:
        text = text[: LONGEST_VALUE - 1] + "…"
    return CmiWarning(code, element, text, message)
