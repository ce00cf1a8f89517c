"""Taking e-mail addresses of learners out of bodies before the journal keeps them.

Only what describes the learner is looked at: `email` of `learner` or `user`, in a JSON body or in one that a wrapper or
a form holds. What content says in its CMI data stays as it is.
"""

from __future__ import annotations

import codecs
import re
from urllib.parse import quote_plus, unquote_plus

import msgspec

from bridge.errors import MalformedBody
from bridge.formats.jsonbody import decode

_LEARNERS = ("learner", "user")
_OF_CONTENT = frozenset({"cmi", "cmi_data", "cmiData", "adl"})
MAX_WRAPPERS = 3
"""Wrappers around a body that are looked into."""

_HINT = re.compile(rb"email|\\u00|%6[0-9A-Fa-f]", re.IGNORECASE)
"""What a body has that tells an address, however the key is written: in all others nothing needs to be looked for."""
_BOUNDARY = re.compile(rb"--[0-9A-Za-z'()+_,./:=?-]{1,70}[ \t]*\r?\n")
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def without_email(body: bytes) -> bytes:
    """Return a body without its learner's e-mail address; the same bytes where it has none."""
    return body if _HINT.search(body) is None else _redacted(body, MAX_WRAPPERS)


def _redacted(body: bytes, depth: int) -> bytes:
    bare = body.removeprefix(codecs.BOM_UTF8).lstrip()
    if bare[:1] == b"{":
        return _json(bare, depth) or body
    if bare[:1] == b'"':
        return _text(bare, depth) or body
    if (boundary := _BOUNDARY.match(bare)) is not None:
        mark = boundary.group().rstrip()
        return mark.join(_part(part, depth) for part in bare.split(mark))
    return b"&".join(_field(pair, depth) for pair in body.split(b"&")) if b"=" in body else body


def _json(body: bytes, depth: int) -> bytes | None:
    """Return a JSON object without the address, None where it has none."""
    try:
        members = _decode_object(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            # what is no strict JSON was understood by the lenient reader, and is kept as that understood it
            members = _decode_object(_encode(decode(body)))
        except (MalformedBody, msgspec.MsgspecError, RecursionError):
            return None
    changed = False
    for name, member in members.items():
        value = bytes(member)
        made = None
        if name in _LEARNERS:
            made = _learner(value)
        elif depth > 0 and name not in _OF_CONTENT and _HINT.search(value) is not None:
            made = _json(value, depth - 1) if value[:1] == b"{" else _text(value, depth) if value[:1] == b'"' else None
        if made is not None:
            members[name], changed = msgspec.Raw(made), True
    return _encode(members) if changed else None


def _learner(value: bytes) -> bytes | None:
    if value[:1] != b"{":
        return None
    members = _decode_object(value)
    return None if members.pop("email", None) is None else _encode(members)


def _text(value: bytes, depth: int) -> bytes | None:
    """Return a JSON text that holds a body, without the address; None where there is none."""
    try:
        text = msgspec.json.decode(value, type=str).encode()
    except (msgspec.MsgspecError, UnicodeError):
        return None
    made = _redacted(text, depth - 1) if depth > 0 and text.lstrip()[:1] == b"{" else text
    return None if made == text else _encode(made.decode())


def _part(part: bytes, depth: int) -> bytes:
    """Return a part of a multipart form without the address."""
    for gap in (b"\r\n\r\n", b"\n\n"):
        head, found, value = part.partition(gap)
        if found:
            end = b"\r\n" if value.endswith(b"\r\n") else b""
            inner = value.removesuffix(end)
            is_json = depth > 0 and inner.lstrip()[:1] == b"{"
            return head + gap + (_redacted(inner, depth - 1) if is_json else inner) + end
    return part


def _field(pair: bytes, depth: int) -> bytes:
    """Return a pair of a URL-encoded form without the address."""
    name, equals, value = pair.partition(b"=")
    if not equals or depth <= 0 or _HINT.search(value) is None:
        return pair
    text = unquote_plus(value.decode(errors="replace")).encode(errors="replace")
    made = _redacted(text, depth - 1) if text.lstrip()[:1] == b"{" else text
    return pair if made == text else name + equals + quote_plus(made.decode()).encode()
