"""Telling what a form did on the page that it leads on to: signed, so that no link makes the bridge say something."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from bridge.audit.access.cookies import signer

NAME = "told"
"""Of the part of the query."""
OTHERS_FOLLOW = "Other processes of the bridge follow within a second."
"""What is added where the process that serves the page has done at once what it says."""


def with_words(request: web.Request, path: str, words: str) -> str:
    """Give the address of a page that tells these words."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode({NAME: signer(request).sign(NAME, words)})}"


def told(request: web.Request) -> str | None:
    """Give the words that the bridge itself put in a page's address, None where there are none."""
    return signer(request).read(NAME, request.query.get(NAME, ""))
