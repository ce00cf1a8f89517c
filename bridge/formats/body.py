"""A body parsed by what it looks like: JSON, a form of either kind, or scorm-again's text that only looks like one.

Content types are ignored: jQuery labels JSON as a form, scorm-again 2.6 its text as JSON, beacons anything as text.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from bridge import forms
from bridge.errors import BodyTooComplex, MalformedBody
from bridge.formats.lenient_json import decode

Fields = tuple[tuple[str, str], ...]

MAX_WRAPPED = 16
"""Values of a wrapper that are looked into: one LMS's own code puts around a commit has a handful of fields."""
MAX_FIELDS_UNAUTHENTICATED = 32
"""Fields of a form that is looked into for the password it comes with."""
_ELEMENTS = ("cmi.", "adl.")


class Body(msgspec.Struct, frozen=True, gc=False):
    """What a body holds: `json`, or the fields of a `form`, or neither where `text` is for a format to split.

    `text` is also given beside a form that came URL-encoded, for clients that encode it wrongly. `wrapper` are the
    fields of what was around this body.
    """

    json: Any = None
    form: Fields = ()
    text: str = ""
    wrapper: Mapping[str, Any] = {}


def parse(body: bytes) -> Body:
    """Parse a body.

    Bytes that are no UTF-8 become U+FFFD.

    Raises:
        MalformedBody: it is empty, or neither JSON nor a form nor scorm-again's text, or a broken form.
        BodyTooComplex: it is a form with more fields, parts or part headers than are accepted.
    """
    bare = body.removeprefix(codecs.BOM_UTF8).strip()
    if not bare:
        raise MalformedBody("The body is empty; a commit in JSON is needed.")
    if bare[:1] in b'{["':
        content = decode(bare)
        # JSON.stringify of what was a text already
        return parse_text(content) if isinstance(content, str) else Body(json=content)
    if bare.startswith(b"--") and (boundary := forms.leading_boundary(bare)) is not None:
        # the boundary is the body's first line, whatever the content type says of it
        return Body(form=_multipart(bare, boundary))
    text = body.removeprefix(codecs.BOM_UTF8).decode(errors="replace").lstrip()
    return Body(json=decode(bare)) if "=" not in text else _of_pairs(text)


def form_field(body: bytes, name: str) -> str | None:
    """Return a field of a form with few fields, None where it has no such field, is no form or a large one."""
    bare = body.removeprefix(codecs.BOM_UTF8).strip()
    try:
        if bare.startswith(b"--") and (boundary := forms.leading_boundary(bare)) is not None:
            parts = forms.parse_multipart(bare, boundary, max_parts=MAX_FIELDS_UNAUTHENTICATED)
            return next((part.content.decode(errors="replace") for part in parts if part.name == name), None)
        if bare[:1] in b'{["':
            return None
        fields = forms.parse_urlencoded(bare.decode(errors="replace"), max_fields=MAX_FIELDS_UNAUTHENTICATED)
    except forms.FormError:
        return None
    return dict(fields).get(name)


def parse_text(text: str) -> Body:
    """Parse a body that came as text inside another one; a text in that is taken for what it is.

    Raises:
        MalformedBody: it is neither JSON nor a form nor scorm-again's text.
        BodyTooComplex: it is a form with more fields than are accepted.
    """
    bare = text.strip()
    if bare[:1] in {"{", "["}:
        return Body(json=decode(bare.encode(errors="replace")))
    return _of_pairs(bare) if "=" in bare else Body()


def unwrap(body: Body) -> Iterator[Body]:
    """Yield what may be a body inside a wrapper that an LMS's own code put around it (`data`, `payload`, …).

    Only the first `MAX_WRAPPED` values that look like one are looked into.
    """
    wrapper = body.json if isinstance(body.json, dict) else dict(body.form)
    for value in islice(filter(_may_be_wrapped, wrapper.values()), MAX_WRAPPED):
        if isinstance(value, str):
            try:
                wrapped = parse_text(value)
            except (MalformedBody, BodyTooComplex):
                continue
            yield msgspec.structs.replace(wrapped, wrapper=wrapper)
        else:
            yield Body(json=value, wrapper=wrapper)


def _may_be_wrapped(value: object) -> bool:
    if isinstance(value, str):
        return value.lstrip()[:4].startswith(("{", "[", *_ELEMENTS))
    return isinstance(value, (dict, list)) and bool(value)


def _of_pairs(text: str) -> Body:
    if text.startswith(_ELEMENTS):
        return Body(text=text)
    try:
        return Body(form=tuple(forms.parse_urlencoded(text)), text=text)
    except forms.FormLimitError as error:
        raise BodyTooComplex(f"The form {error}.") from None


def _multipart(body: bytes, boundary: bytes) -> Fields:
    try:
        parts = forms.parse_multipart(body, boundary)
    except forms.FormLimitError as error:
        raise BodyTooComplex(f"The form {error}.") from None
    except forms.FormError as error:
        raise MalformedBody(f"The form {error}.") from None
    return tuple((part.name, part.content.decode(errors="replace")) for part in parts)
