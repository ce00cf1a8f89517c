"""Forms as browsers send them (`application/x-www-form-urlencoded`, `multipart/form-data`), parsed within limits.

Parsing takes time in proportion to the bytes. Parts are never looked into, whatever content type they claim, and their
charsets are not asked: text is UTF-8, and bytes that are not become U+FFFD. Source: RFC 7578, WHATWG URL.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

MAX_FIELDS = 5_000
"""Fields or parts of a form: as many as Moodle asks PHP to take (`max_input_vars`)."""
MAX_PART_HEADERS = 8
"""Header lines of a part; RFC 7578 knows three."""
MAX_PART_HEADER_BYTES = 1_024
"""Bytes of a header line of a part, its parameters among them."""

MAX_BOUNDARY_BYTES = 70
"""Bytes of what stands between parts (RFC 2046, 5.1.1)."""

_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,./:=?-]{1,70})[ \t]*\r\n")
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2}){1,64}")  # in short runs: between them other threads may run
_PLAIN_TRANSFER = frozenset({"", "7bit", "8bit", "binary"})


class FormError(ValueError):
    """A form that cannot be parsed; the message ends the sentence «The form …»."""


class FormLimitError(FormError):
    """A form that has more of something than is accepted."""


class FormPart(NamedTuple):
    """One part of a multipart form. `filename` is None where it is a field and no file."""

    name: str
    content: bytes
    filename: str | None = None


def parse_urlencoded(text: str, *, max_fields: int = MAX_FIELDS) -> list[tuple[str, str]]:
    """Parse names and values, empty values among them.

    Raises:
        FormLimitError: it has more than `max_fields` fields.
    """
    if text.count("&") >= max_fields:
        raise FormLimitError(f"has more than {max_fields} fields")
    return [_pair(field) for field in text.split("&") if field]


def percent_decode(text: str) -> str:
    """Decode percent escapes, as `urllib.parse.unquote` does.

    That one takes a text of escapes apart in single calls which let no other thread run for tens of milliseconds.
    """
    if "%" not in text:
        return text
    return _ESCAPES.sub(_unescape, text.encode(errors="replace")).decode(errors="replace")


def _pair(field: str) -> tuple[str, str]:
    name, _, value = field.replace("+", " ").partition("=")
    return percent_decode(name), percent_decode(value)


def _unescape(escapes: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escapes[0].replace(b"%", b"").decode())


def leading_boundary(body: bytes) -> bytes | None:
    """Return the boundary in the first line of a multipart form, None where that is no such line."""
    match = _BOUNDARY.match(body)
    return None if match is None else match.group(1)


def parse_multipart(body: bytes, boundary: bytes, *, max_parts: int = MAX_FIELDS) -> list[FormPart]:
    """Parse the parts of a multipart form.

    Raises:
        FormLimitError: it has more than `max_parts` parts, or a part has more or longer headers than are accepted.
        FormError: it is broken, cut short, or has a part that is encoded for mail.
    """
    parts: list[FormPart] = []
    segment: MultipartSegment | None = None
    chunks: list[bytes] = []
    try:
        with PushMultipartParser(
            boundary,
            max_header_size=MAX_PART_HEADER_BYTES,
            max_header_count=MAX_PART_HEADERS,
            max_segment_count=max_parts,
            strict=True,
        ) as parser:
            for item in parser.parse(body):
                if isinstance(item, MultipartSegment):
                    segment, chunks = item, []
                    _check_transfer_encoding(item)
                elif item is not None:
                    chunks.append(bytes(item))
                elif segment is not None:
                    parts.append(FormPart(segment.name or "", b"".join(chunks), segment.filename))
    except ParserLimitReached as error:
        raise FormLimitError(_limit_words(str(error), max_parts)) from None
    except MultipartError as error:
        raise FormError(f"cannot be parsed: {error}") from None
    return parts


def _check_transfer_encoding(segment: MultipartSegment) -> None:
    encoding = str(segment.header("Content-Transfer-Encoding", "")).strip().lower()
    if encoding not in _PLAIN_TRANSFER:
        raise FormError(f"has a part with Content-Transfer-Encoding {encoding[:40]!r}; send parts as they are")


def _limit_words(words: str, max_parts: int) -> str:
    if "segment count" in words:
        return f"has more than {max_parts} parts"
    if "header count" in words:
        return f"has a part with more than {MAX_PART_HEADERS} header lines"
    return f"has a part with a header line of more than {MAX_PART_HEADER_BYTES} bytes"
