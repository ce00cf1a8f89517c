"""A body parsed by what it looks like: JSON, a form of either kind, or scorm-again's text that only looks like one.

Content types are not asked: jQuery labels JSON as a form, scorm-again 2.6 its text as JSON, beacons anything as text.
"""

from __future__ import annotations

import codecs
import email
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from bridge.errors import MalformedBody
from bridge.formats.jsonbody import decode

Fields = tuple[tuple[str, str], ...]

_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,./:=?-]{1,70})[ \t]*\r?\n")
_ELEMENTS = ("cmi.", "adl.")


class Body(msgspec.Struct, frozen=True, gc=False):
    """What a body holds: `json`, or the fields of a `form`, or neither where `text` is for a format to split.

    `text` is also given beside a form that came URL-encoded, for clients that encode it wrongly. `around` is what was
    told beside this body in a wrapper around it.
    """

    json: Any = None
    form: Fields = ()
    text: str = ""
    around: Mapping[str, Any] = {}


def parse(body: bytes) -> Body:
    """Parse a body.

    Bytes that are no UTF-8 become U+FFFD.

    Raises:
        MalformedBody: it is empty, or neither JSON nor a form nor scorm-again's text.
    """
    bare = body.removeprefix(codecs.BOM_UTF8).strip()
    if not bare:
        raise MalformedBody("The body is empty; a commit in JSON is needed.")
    if bare[:1] in b'{["':
        told = decode(bare)
        # JSON.stringify of what was a text already
        return parse_text(told) if isinstance(told, str) else Body(json=told)
    if bare.startswith(b"--") and (boundary := _BOUNDARY.match(bare)) is not None:
        return Body(form=_parts(bare, boundary.group(1)))
    text = body.removeprefix(codecs.BOM_UTF8).decode(errors="replace").lstrip()
    return Body(json=decode(bare)) if "=" not in text else _of_pairs(text)


def parse_text(text: str) -> Body:
    """Parse a body that came as text inside another one; a text in that is taken for what it is.

    Raises:
        MalformedBody: it is neither JSON nor a form nor scorm-again's text.
    """
    bare = text.strip()
    if bare[:1] in {"{", "["}:
        return Body(json=decode(bare.encode(errors="replace")))
    return _of_pairs(bare) if "=" in bare else Body()


def inner(body: Body) -> Iterator[Body]:
    """Give what may be a body inside a wrapper that an LMS's own code put around it (`data`, `payload`, …)."""
    told = body.json if isinstance(body.json, dict) else dict(body.form)
    for value in told.values():
        if isinstance(value, (dict, list)) and value:
            yield Body(json=value, around=told)
        elif isinstance(value, str) and value.lstrip()[:4].startswith(("{", "[", *_ELEMENTS)):
            try:
                found = parse_text(value)
            except MalformedBody:
                continue
            yield msgspec.structs.replace(found, around=told)


def _of_pairs(text: str) -> Body:
    if text.startswith(_ELEMENTS):
        return Body(text=text)
    return Body(form=tuple(parse_qsl(text, keep_blank_values=True, errors="replace")), text=text)


def _parts(body: bytes, boundary: bytes) -> Fields:
    """Read multipart/form-data; the boundary is the body's first line, whatever the content type says of it."""
    header = b'Content-Type: multipart/form-data; boundary="' + boundary + b'"\r\n\r\n'
    try:
        message = email.message_from_bytes(header + body)
    except RecursionError:
        raise MalformedBody("The form has forms in it, nested too deeply to be CMI data.") from None
    parts = message.get_payload()
    if not isinstance(parts, list):
        return ()
    return tuple(_field(part) for part in parts if isinstance(part, Message))


def _field(part: Message) -> tuple[str, str]:
    name = part.get_param("name", "", header="Content-Disposition")
    value = part.get_payload(decode=True)
    name = name[2] if isinstance(name, tuple) else name or ""
    return (
        name.encode(errors="surrogateescape").decode(errors="replace"),
        value.decode(errors="replace") if isinstance(value, bytes) else "",
    )
