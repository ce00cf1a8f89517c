"""The forms of the audit pages, read and parsed within small limits before a page sees them.

Whatever is odd about a form (its charset, its parts, its text) is answered 400 in words, whatever is too large 413.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import hdrs, web
from multipart import parse_options_header

from bridge import forms

MAX_FORM_BYTES = 32 * 1024
"""Bytes of a form, unless its route says more: reasons and filters, each character of which can be sent as twelve."""
MAX_SIGN_IN_BYTES = 16 * 1024
"""Bytes of a form by which somebody signs in: nobody knows yet who it is."""
MAX_DOCUMENT_BYTES = 1024 * 1024
"""Bytes of a form that carries a mapping or a commit."""
MAX_FORM_FIELDS = 64
_BYTES_AT_ONCE = 32 * 1024
"""Bytes of a form that is parsed on the event loop."""
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Form:
    """A form's texts and files by name; of several with the same name, the first."""

    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field's text, empty where it was not sent."""
        return self.texts.get(name, "")


FORM = web.RequestKey("form", Form)


def form_of(request: web.Request) -> Form:
    """Return the form that came with a request, which was checked to be of this browser."""
    return request[FORM]


async def read_form(request: web.Request, max_bytes: int) -> Form:
    """Read and parse a form.

    Raises:
        web.HTTPBadRequest: it is no form, broken, compressed, not in UTF-8, or holds NUL.
        web.HTTPRequestEntityTooLarge: it has more than `max_bytes`, or more fields than any form here has.
    """
    body = await _read(request, max_bytes)
    if not body.strip():
        return Form()
    content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    try:
        if len(body) <= _BYTES_AT_ONCE:
            return _parse(body, content_type)
        return await asyncio.to_thread(_parse, body, content_type)
    except forms.FormLimitError as error:
        raise _too_large(f"The form {error}. Nothing was done.") from None
    except forms.FormError as error:
        raise _unreadable(f"The form {error}. Nothing was done.") from None


async def _read(request: web.Request, max_bytes: int) -> bytes:
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if encoding not in {"", "identity"}:
        raise _unreadable("The form is compressed; send it as it is. Nothing was done.")
    words = f"The form is larger than the {max_bytes // 1024} KiB that are accepted here. Nothing was done."
    if (request.content_length or 0) > max_bytes:
        raise _too_large(words)
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                raise _too_large(words)
    except web.RequestPayloadError:
        raise _unreadable("The form was cut short. Nothing was done.") from None
    return bytes(body)


def _parse(body: bytes, content_type: str) -> Form:
    kind, options = parse_options_header(content_type)
    charset = str(options.get("charset", "")).lower()
    if charset not in _CHARSETS:
        raise forms.FormError(f"is in {charset[:40]!r}, which is not accepted; send it in UTF-8")
    if kind in {_URLENCODED, ""}:
        fields = forms.parse_urlencoded(body.decode(errors="replace"), max_fields=MAX_FORM_FIELDS)
        parts = [forms.Part(name, text.encode()) for name, text in fields]
    elif kind == _MULTIPART:
        boundary = str(options.get("boundary", "")).encode(errors="replace")
        if not 1 <= len(boundary) <= forms.MAX_BOUNDARY_BYTES:
            raise forms.FormError("does not say what stands between its parts")
        parts = forms.parse_multipart(body, boundary, max_parts=MAX_FORM_FIELDS)
    else:
        raise forms.FormError(f"is none: its content type is {kind[:80]!r}")
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in parts:
        if part.filename is not None:
            # a browser sends a file that was not chosen without a name
            if part.filename:
                files.setdefault(part.name, part.content)
        elif b"\0" in part.content:
            raise forms.FormError("holds a NUL character, which nothing stored can have")
        else:
            texts.setdefault(part.name, part.content.decode(errors="replace"))
    return Form(texts, files)


def _unreadable(words: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=words)


def _too_large(words: str) -> web.HTTPRequestEntityTooLarge:
    return web.HTTPRequestEntityTooLarge(0, 0, text=words)
