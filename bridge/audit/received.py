"""The body of a commit as it was received, for people to read."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from bridge.audit.components.json_view import TEXT
from bridge.audit.statement_words import pretty


class Body(NamedTuple):
    """A body. `text` is JSON over several lines, or what came; `size` is in bytes; `is_cut` where it is long."""

    text: str
    size: int
    is_json: bool
    is_cut: bool


def body_of(body: bytes) -> Body:
    """Give a body as text; bytes that are none become replacement characters."""
    told = pretty(body)
    text = body.decode(errors="replace") if told is None else told
    return Body(text[:TEXT], len(body), told is not None, len(text) > TEXT)


def text_file(name: str, body: bytes) -> web.Response:
    """Give all of a body as a file: as text, whatever it said it was, as what is in it is not the bridge's."""
    return web.Response(
        body=body,
        content_type="text/plain",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
