"""JSON as it arrives: labelled as anything, with a byte order mark, with half an emoji in a learner's text."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

import msgspec

from bridge.errors import MalformedBody

_decode = msgspec.json.Decoder().decode


def decode(body: bytes) -> Any:
    """Read JSON.

    What strict JSON forbids but browsers produce is mended, not refused: lone surrogates (a text cut in the middle of
    a character) and bytes that are not UTF-8 become U+FFFD, numbers beyond all range become null.

    Raises:
        MalformedBody: it is not JSON, or nested too deeply to be CMI data.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _mend(body)


def _mend(body: bytes) -> Any:
    try:
        loose = json.loads(body.decode(errors="replace"), strict=False, parse_constant=lambda _: None)
        text = json.dumps(_finite(loose), ensure_ascii=False)
        return _decode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode())
    except json.JSONDecodeError as error:
        raise MalformedBody(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except (RecursionError, msgspec.MsgspecError, ValueError):
        raise MalformedBody(
            "The body is JSON, but nested too deeply or with numbers too long to be CMI data."
        ) from None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
