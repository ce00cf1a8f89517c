"""Calls as a page sends them and as they are stored: lists, and small."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bridge.errors import MalformedBody
from bridge.formats.lenient_json import decode

MAX_PART_BYTES = 64 * 1024
"""Bytes of a request that brings calls: what browsers send for a page that is gone."""
MAX_PART_CALLS = 200
MAX_VALUE_LENGTH = 4_000
"""Characters of an argument or answer; of a longer one, its beginning comes."""
MAX_NUMBER = 2**31 - 1
MAX_TIME = 2**53


class CallMethod(StrEnum):
    """The methods of the API, by the names that SCORM 2004 gives them."""

    INITIALIZE = "Initialize"
    TERMINATE = "Terminate"
    GET_VALUE = "GetValue"
    SET_VALUE = "SetValue"
    COMMIT = "Commit"
    GET_LAST_ERROR = "GetLastError"
    GET_ERROR_STRING = "GetErrorString"
    GET_DIAGNOSTIC = "GetDiagnostic"


class CallManner(StrEnum):
    """Who made a call, and how it ended."""

    USUAL = ""
    """The course made it, or the LMS from a timer, and an answer came."""
    INNER = "inner"
    """It was made from inside another one: by the LMS, or by a course that the LMS called."""
    THREW = "threw"
    """The LMS threw an error."""
    TAP = "tap"
    """The tap made it as the course started, to know who plays what."""


class CutValue(msgspec.Struct, frozen=True, gc=False):
    """What stands in place of a value that was left out or cut: its length in characters, and how it begins."""

    length: Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
    start: Annotated[str, Meta(max_length=MAX_VALUE_LENGTH)] = ""


CallValue = Annotated[str, Meta(max_length=MAX_VALUE_LENGTH)] | bool | int | float | CutValue | None
"""An argument or answer: usually text; None for no answer."""
_Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]


class RecordedCall(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One call of a session.

    Attributes:
        number: counts the calls of the session from 1.
        at: when it began, in milliseconds since the recording was started.
        duration_ms: how long the LMS took.
        commit: the `sequence` of the page's commit that follows it.
        arguments: at most three.
        answer: None where there was none.
    """

    number: Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
    at: Annotated[int, Meta(ge=0, le=MAX_TIME)]
    duration_ms: _Count
    commit: Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
    method: CallMethod
    arguments: Annotated[list[CallValue], Meta(max_length=3)]
    answer: CallValue
    manner: CallManner = CallManner.USUAL


class CallsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Calls that a page has recorded.

    Attributes:
        started_at: when their times are counted from, by the page's clock, in milliseconds since the epoch.
        made: how many calls the session has had so far, kept or not.
        calls: in the order of their numbers.
    """

    started_at: Annotated[int, Meta(ge=0, le=MAX_TIME)]
    made: _Count
    calls: Annotated[list[RecordedCall], Meta(max_length=MAX_PART_CALLS)]


_decode_body = msgspec.json.Decoder(CallsBody).decode
_decode_calls = msgspec.json.Decoder(list[RecordedCall]).decode


def parse_body(body: bytes) -> CallsBody:
    """Parse what a page sends; half characters, which courses produce, are mended.

    Raises:
        MalformedBody: it is not such a body, or its calls are not in their order.
    """
    try:
        parsed = _decode_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        parsed = _convert(decode(body))
    numbers = [call.number for call in parsed.calls]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise MalformedBody("calls must have numbers that rise from one to the next.")
    return parsed


def parse_calls(stored: bytes) -> list[RecordedCall]:
    """Parse a stored part."""
    return _decode_calls(stored)


def in_order(parts: Iterator[bytes]) -> Iterator[RecordedCall]:
    """Yield the calls of stored parts by their numbers, each once: a page may have sent some twice."""
    last = 0
    for part in parts:
        for call in parse_calls(part):
            if call.number > last:
                yield call
                last = call.number


def error_after(call: RecordedCall, following: RecordedCall | None) -> str | None:
    """Return the error code that a call left, where the course asked for it next; None where nobody asked."""
    if following is None or following.number != call.number + 1 or following.method is not CallMethod.GET_LAST_ERROR:
        return None
    if call.method in {CallMethod.GET_LAST_ERROR, CallMethod.GET_ERROR_STRING, CallMethod.GET_DIAGNOSTIC}:
        return None
    return text_of(following.answer)


def text_of(value: CallValue) -> str:
    """Return a value as the text that JavaScript makes of it; of one that was cut, its beginning."""
    if isinstance(value, str):
        return value
    if isinstance(value, CutValue):
        return value.start
    if value is None or isinstance(value, bool):
        return {None: "undefined", True: "true", False: "false"}[value]
    return repr(value).removesuffix(".0")


def _convert(content: Any) -> CallsBody:
    try:
        return msgspec.convert(content, CallsBody)
    except msgspec.ValidationError as error:
        raise MalformedBody(f"The body is no recording of calls: {error}.") from None
