"""Taking e-mail addresses of learners out of bodies before the journal keeps them.

Only what describes the learner is looked at: `email` of `learner` or `user`, or another word for it, there or beside
them, in a JSON body or in one that a wrapper or a form holds. What content says in its CMI data stays as it is.
"""

from __future__ import annotations

import codecs
import re
from itertools import islice

import msgspec

from bridge.errors import BridgeError
from bridge.formats.lenient_json import decode

_LEARNERS = ("learner", "user")
_ADDRESS_KEYS = frozenset(
    f"{whose}{what}"
    for whose in ("", "learner", "user", "student")
    for what in ("email", "mail", "emailaddress", "mailaddress", "mbox")
)
"""Keys of an address, in lower case and without what parts their words."""
_OTHER_WORDS = (b"mail", b"Mail", b"MAIL", b"mbox")
_OF_CONTENT = frozenset({"cmi", "cmi_data", "cmiData", "adl"})
_OF_COMMITS = _OF_CONTENT | {*_LEARNERS, "learnerId", "student_id"}
"""Members of what a client wrote itself: an address beside them is the learner's."""
MAX_WRAPPERS = 3
"""Wrappers around a body that are looked into."""

MAX_PLACES = 200
"""Members of an object, parts or pairs of a form, that are looked into for a body that they hold."""

_IN_FORM = (
    (
        b"%22email%22",
        (b"%5C", b"%5c"),
        re.compile(rb"((?:%20|%0[9ADad]|\+)*%3[Aa](?:%20|%0[9ADad]|\+)*%22)(?:[^%&]|%(?!22))*"),
    ),
    (b'"email"', (b"\\",), re.compile(rb'([\s+]*:[\s+]*")(?:[^"\\&]|\\.)*')),
)
"""How JSON that is a field's value has the key, what stands before its first quote where it is in a text of content's,
and what follows: the address behind what is kept."""
_BOUNDARY = re.compile(rb"--[0-9A-Za-z'()+_,./:=?-]{1,70}[ \t]*\r?\n")
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def without_email(body: bytes) -> bytes:
    """Return a body without its learner's e-mail address; the same bytes where it has none."""
    return _redacted(body, MAX_WRAPPERS) if _may_tell(body) else body


def _may_tell(text: bytes) -> bool:
    """Return whether a text may have the key, as it is or in JSON's escapes. Most have not."""
    if b"email" in text or b"\\u00" in text:
        return True
    return b"@" in text and any(word in text for word in _OTHER_WORDS)


def _is_address(key: str) -> bool:
    return key.lower().replace("_", "").replace("-", "") in _ADDRESS_KEYS


def _redacted(body: bytes, depth: int) -> bytes:
    bare = body.removeprefix(codecs.BOM_UTF8).lstrip()
    if bare[:1] == b"{":
        return _json(bare, depth) or body
    if bare[:1] == b'"':
        return _text(bare, depth) or body
    if (boundary := _BOUNDARY.match(bare)) is not None:
        mark = boundary.group().rstrip()
        head, *parts = bare.split(mark, MAX_PLACES)
        return mark.join([head, *(_part(part, depth) if _may_tell(part) else part for part in parts)])
    return _form(body)


def _json(body: bytes, depth: int) -> bytes | None:
    """Return a JSON object without the address, None where it has none."""
    try:
        members = _decode_object(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            # what is no strict JSON was understood by the lenient reader, and is kept as that understood it
            members = _decode_object(_encode(decode(body)))
        except (BridgeError, msgspec.MsgspecError, RecursionError):
            return None  # no reader takes it
    count = len(members)
    if not members.keys().isdisjoint(_OF_COMMITS):
        members = {name: member for name, member in members.items() if not _is_address(name)}
    changed = {name: redacted for name in _LEARNERS if name in members and (redacted := _learner(bytes(members[name])))}
    for name, member in islice(members.items(), MAX_PLACES if depth > 0 else 0):
        if name not in _OF_CONTENT and name not in _LEARNERS and _may_tell(value := bytes(member)):
            redacted = (
                _json(value, depth - 1) if value[:1] == b"{" else _text(value, depth) if value[:1] == b'"' else None
            )
            if redacted is not None:
                changed[name] = redacted
    if not changed and len(members) == count:
        # a member that stands twice counts by its last value; the first one stays in the text
        alone = _encode(members)
        return alone if not _may_tell(alone) else None
    return _encode(members | {name: msgspec.Raw(redacted) for name, redacted in changed.items()})


def _learner(value: bytes) -> bytes | None:
    if value[:1] != b"{":
        return None
    members = _decode_object(value)
    without_addresses = {name: member for name, member in members.items() if not _is_address(name)}
    return None if len(without_addresses) == len(members) else _encode(without_addresses)


def _text(value: bytes, depth: int) -> bytes | None:
    """Return a JSON text that holds a body, without the address; None where there is none."""
    try:
        text = msgspec.json.decode(value, type=str).encode()
    except (msgspec.MsgspecError, UnicodeError):
        return None
    redacted = _redacted(text, depth - 1) if depth > 0 and text.lstrip()[:1] == b"{" else text
    return None if redacted == text else _encode(redacted.decode())


def _form(body: bytes) -> bytes:
    """Return a URL-encoded form with an empty text in place of the address."""
    for key, escapes, following in _IN_FORM:
        parts: list[bytes] = []
        end = at = 0
        for _ in range(MAX_PLACES):
            at = body.find(key, at)
            if at < 0:
                break
            match = following.match(body, at + len(key))
            if match is not None and not body.startswith(escapes, at - len(escapes[0])):
                parts.append(body[end : match.end(1)])
                end = match.end()
            at += len(key)
        body = b"".join([*parts, body[end:]])
    return body


def _part(part: bytes, depth: int) -> bytes:
    """Return a part of a multipart form without the address."""
    for gap in (b"\r\n\r\n", b"\n\n"):
        head, has_gap, value = part.partition(gap)
        if has_gap:
            end = b"\r\n" if value.endswith(b"\r\n") else b""
            inner = value.removesuffix(end)
            is_json = depth > 0 and inner.lstrip()[:1] == b"{"
            return head + gap + (_redacted(inner, depth - 1) if is_json else inner) + end
    return part
