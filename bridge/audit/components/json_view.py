"""Texts and JSON that clients and LRSs sent, as pages show them: readable, and cut to a length; all of it is a file.

Nothing here is escaped: templates do that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from aiohttp import web

MAX_VALUE_CHARS = 300
"""Characters of one value among many."""
MAX_TEXT_CHARS = 100_000
"""Characters of a text that is what its page is about."""
MAX_PAGE_CHARS = 400_000
"""Characters of texts that a page shows many of, all of them together."""
MIN_TEXT_CHARS = 1_000
"""Characters of each of them, however many there are."""


class TextView(NamedTuple):
    """A text as a page shows it; `size` is that of what came, in bytes."""

    text: str
    size: int
    is_json: bool
    is_truncated: bool


def truncate_text(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """Return a text with an ellipsis in place of what is beyond `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def chars_per_text(number: int) -> int:
    """Return how many characters a page shows of each of so many texts."""
    return min(MAX_TEXT_CHARS, max(MIN_TEXT_CHARS, MAX_PAGE_CHARS // max(1, number)))


def view_of(content: bytes, limit: int | None = None) -> TextView:
    """Return up to `limit` characters of content, JSON with line breaks and indents; by default `MAX_TEXT_CHARS`.

    What is not UTF-8 becomes replacement characters, NUL becomes its visible symbol.
    """
    limit = MAX_TEXT_CHARS if limit is None else limit
    json = _indented(content)
    text = (content.decode(errors="replace") if json is None else json).replace("\0", "\u2400")
    return TextView(text[:limit], len(content), json is not None, len(text) > limit)


def pretty_json(text: str, limit: int | None = None) -> str:
    """Return what `view_of` shows of a text, with an ellipsis where it is cut."""
    view = view_of(text.encode(errors="replace"), limit)
    return f"{view.text}…" if view.is_truncated else view.text


def compact_json(value: Any, limit: int = MAX_VALUE_CHARS) -> str:
    """Return a value as JSON on one line, cut to `limit` characters; empty for None."""
    return "" if value is None else truncate_text(msgspec.json.encode(value).decode(), limit)


def text_file(name: str, content: bytes) -> web.Response:
    """Return all of some content as a file: as plain text, whatever type it claims, since others wrote it."""
    return web.Response(
        body=content,
        content_type="text/plain",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _indented(content: bytes) -> str | None:
    try:
        return msgspec.json.format(content, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
