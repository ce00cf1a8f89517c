"""The body of a commit as it was received, for people to read."""

from __future__ import annotations

from typing import NamedTuple

from bridge.audit.statement_words import pretty

SHOWN = 200_000
"""Characters of a body that a page holds."""


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
    return Body(text[:SHOWN], len(body), told is not None, len(text) > SHOWN)
