"""Removes secrets from the log, wherever in a line they are: a library's message may repeat what a client sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from bridge.access import TOKEN_PREFIX

HIDDEN = "[redacted]"
_MAX_DEPTH = 6
_SECRET_NAMES = "token|access_token|id_token|refresh_token|client_secret|password|passwd|secret|api_key"  # noqa: S105 -- names alone
_SECRET_KEY = re.compile(rf"(?i){_SECRET_NAMES}|authorization|cookie")
_PATTERNS = (
    # a parameter of an address or a form, whatever encodes its name's end; the rest of the line's word is its value
    (re.compile(rf"(?i)\b((?:{_SECRET_NAMES})(?:=|%3d))[^&\s\"'<>;,)\]}}]+"), rf"\1{HIDDEN}"),
    # a key of JSON, or of a dictionary as Python prints it
    (re.compile(rf"(?i)([\"'](?:{_SECRET_NAMES}|authorization|cookie)[\"']\s*:\s*b?[\"'])[^\"']+"), rf"\1{HIDDEN}"),
    # a header, whole or torn: to the end of its line, as text or as Python prints bytes
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*[:=]\s*)(?:(?!\\r|\\n)[^\r\n\"'])+"),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}"), rf"\1\2{HIDDEN}"),
    (re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]+"), HIDDEN),
    # a commit token as it is signed, wherever it was copied to: hexadecimal time, dot, 32 bytes as base64
    (re.compile(r"\b[0-9a-f]{8,10}\.[A-Za-z0-9_-]{43}"), HIDDEN),
    # credentials in an address
    (re.compile(r"(://[^/\s:@\"']*:)[^/\s@\"']+@"), rf"\1{HIDDEN}@"),
)
_MULTILINE = frozenset({"exception", "stack"})
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
_CONTROL_BUT_LINES = {number: text for number, text in _CONTROL.items() if number not in {9, 10}}


def redact(text: str) -> str:
    """Return a text without the tokens, passwords and cookies in it."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact all texts of a line of the log, however deep they stand in its values."""
    for key, value in event.items():
        event[key] = _redacted(value, _MAX_DEPTH)
    return event


def escape_control(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what would begin another line, or move a terminal's cursor, in a log for people."""
    for key, value in event.items():
        text = value if isinstance(value, (str, int, float, type(None))) else str(value)
        if isinstance(text, str):
            event[key] = text.translate(_CONTROL_BUT_LINES if key in _MULTILINE else _CONTROL)
    return event


def _redacted(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return redact(value)
    if depth and isinstance(value, Mapping):
        # by its key a value of any shape may be a secret: printed as pairs, the patterns see both
        return {str(key): _of_key(str(key), item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted(item, depth - 1) for item in value]
    return redact(str(value))


def _of_key(key: str, value: Any, depth: int) -> Any:
    return HIDDEN if isinstance(value, str) and _SECRET_KEY.fullmatch(key) else _redacted(value, depth)
