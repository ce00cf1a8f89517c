"""JSON as it arrives: labelled as anything, with a byte order mark, with half an emoji in a learner's text."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from bridge.errors import BodyTooComplex, MalformedBody

LONG = 4_096
"""Bytes of a body from which on its interactions are left as JSON."""

MAX_CONTAINERS = 50_000
"""Objects and lists of a body, counted by their brackets, those in texts included. A mebibyte of interactions has some
20,000; many times as many would take their time in one call that lets nothing else run."""

_decode = msgspec.json.Decoder().decode
_Group = dict[str, Any] | list[Any] | str | int | float | bool | None
_decode_groups: Callable[[bytes], dict[str, _Group]] = msgspec.json.Decoder(
    dict[str, dict[str, msgspec.Raw] | list[Any] | str | int | float | bool | None]
).decode
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_COMPACT = re.compile(rb'\{"\d+":\{"')
_decode_items = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode(body: bytes) -> Any:
    """Parse JSON. The interactions in `cmi` of a long body may each be left as JSON (`mappings.cmi.tree.from_json`).

    What strict JSON forbids but browsers produce is mended, not refused: lone surrogates (a text cut in the middle of
    a character) and bytes that are not UTF-8 become U+FFFD, numbers beyond all range become null.

    Raises:
        MalformedBody: it is not JSON, or nested too deeply to be CMI data.
        BodyTooComplex: it has more objects and lists than `MAX_CONTAINERS`.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if len(body) > MAX_CONTAINERS and body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise BodyTooComplex(f"The body has more than {MAX_CONTAINERS} objects and lists.")
    if len(body) >= LONG and b'"interactions":{"' in body:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _decode_long(body)
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _mend(body)


def _decode_long(body: bytes) -> Any:
    """Parse a body without looking into the interactions in its `cmi`: most of many are known, by the same bytes.

    Raises:
        MsgspecError, UnicodeDecodeError, RecursionError: it must be looked into.
    """
    content = _decode_groups(body)
    for name, group in content.items():
        if isinstance(group, dict):
            content[name] = {
                key: _items(bytes(part)) if (name, key) == ("cmi", "interactions") else _decode(part)
                for key, part in group.items()
            }
    return content


def _items(collection: bytes) -> dict[str, msgspec.Raw]:
    collection.decode()  # what is not looked into is not checked for this
    # written with spaces or escapes, it has other bytes than what is known of it; the first test is much the faster one
    if _COMPACT.match(collection) is None or (b"\\" in collection and b"\\u" in collection):
        raise msgspec.DecodeError
    return _decode_items(collection)


def _mend(body: bytes) -> Any:
    try:
        return _clean(json.loads(body.decode(errors="replace"), strict=False, parse_constant=lambda _: None))
    except json.JSONDecodeError as error:
        raise MalformedBody(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except (RecursionError, ValueError):
        raise MalformedBody(
            "The body is JSON, but nested too deeply or with numbers too long to be CMI data."
        ) from None


def _clean(value: Any) -> Any:
    """Return a value whose texts are whole characters and whose numbers are finite."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF_CHARACTER.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_clean(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
