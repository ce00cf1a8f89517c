"""Forms that are posted to the audit pages, read and parsed within small limits before a page sees them.

A form with an odd charset, part or text is answered 400, one that is too large 413.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import hdrs, web
from multipart import parse_options_header

from bridge import forms

MAX_FORM_BYTES = 32 * 1024
"""Bytes of a form, unless its route allows more: reasons and filters, a character of which can be sent as twelve."""
MAX_SIGN_IN_BYTES = 16 * 1024
"""Bytes of the sign-in form: nobody knows yet who sends it."""
MAX_DOCUMENT_BYTES = 1024 * 1024
"""Bytes of a form that carries a mapping or a commit."""
MAX_FORM_FIELDS = 64
_MAX_INLINE_BYTES = 32 * 1024
"""Bytes of a form that is parsed on the event loop."""
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True, slots=True)
class PostedForm:
    """The texts and files of a form by name; of several with the same name, the first."""

    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field's text, empty where it was not sent."""
        return self.texts.get(name, "")


FORM = web.RequestKey("form", PostedForm)


def form_of(request: web.Request) -> PostedForm:
    """Return the request's form, which was checked to come from a page of this browser."""
    return request[FORM]


async def read_form(request: web.Request, max_bytes: int) -> PostedForm:
    """Read and parse a form.

    Raises:
        web.HTTPBadRequest: it is not a form, malformed, compressed, not in UTF-8, or contains NUL.
        web.HTTPRequestEntityTooLarge: it has more than `max_bytes` bytes or `MAX_FORM_FIELDS` fields.
    """
    body = await _read(request, max_bytes)
    if not body.strip():
        return PostedForm()
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    try:
        if len(body) <= _MAX_INLINE_BYTES:
            return _parse(body, content_type)
        return await asyncio.to_thread(_parse, body, content_type)
    except forms.FormLimitError as error:
        raise _too_large(f"The form {error}. Nothing was done.") from None
    except forms.FormError as error:
        raise _unreadable(f"The form {error}. Nothing was done.") from None


async def _read(request: web.Request, max_bytes: int) -> bytes:
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if encoding not in {"", "identity"}:
        raise _unreadable("The form is compressed, which is not accepted here. Nothing was done.")
    detail = f"The form is larger than {max_bytes // 1024} KiB, the limit here. Nothing was done."
    if (request.content_length or 0) > max_bytes:
        raise _too_large(detail)
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                raise _too_large(detail)
    except web.RequestPayloadError:
        raise _unreadable("The form is incomplete. Nothing was done.") from None
    return bytes(body)


def _parse(body: bytes, content_type: str) -> PostedForm:
    kind, options = parse_options_header(content_type)
    charset = str(options.get("charset", "")).lower()
    if charset not in _CHARSETS:
        raise forms.FormError(f"has the charset {charset[:40]!r}; only UTF-8 is accepted")
    if kind in {_URLENCODED, ""}:
        fields = forms.parse_urlencoded(body.decode(errors="replace"), max_fields=MAX_FORM_FIELDS)
        parts = [forms.FormPart(name, text.encode()) for name, text in fields]
    elif kind == _MULTIPART:
        boundary = str(options.get("boundary", "")).encode(errors="replace")
        if not 1 <= len(boundary) <= forms.MAX_BOUNDARY_BYTES:
            raise forms.FormError("has no valid boundary")
        parts = forms.parse_multipart(body, boundary, max_parts=MAX_FORM_FIELDS)
    else:
        raise forms.FormError(f"has the content type {kind[:80]!r}, which is not that of a form")
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in parts:
        if part.filename is not None:
            # a browser sends a file that was not chosen without a name
            if part.filename:
                files.setdefault(part.name, part.content)
        elif b"\0" in part.content:
            raise forms.FormError("contains a NUL character")
        else:
            texts.setdefault(part.name, part.content.decode(errors="replace"))
    return PostedForm(texts, files)


def _unreadable(detail: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=detail)


def _too_large(detail: str) -> web.HTTPRequestEntityTooLarge:
    return web.HTTPRequestEntityTooLarge(0, 0, text=detail)
