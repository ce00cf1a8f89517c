"""Redirects after forms, with a message for the page that follows: signed, so that no link of others can write one."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from bridge.audit.access.cookies import signer

PARAM = "message"
"""Of the query of the page that shows a message."""
OTHERS_FOLLOW = "Other processes of the bridge follow within a second."
"""Added where the process that serves the page applies a change at once."""
_PURPOSE = "message"


def redirect(path: str) -> web.Response:
    """Return a redirect to another page, as after each form that did something."""
    return web.Response(status=303, headers={"Location": path})


def redirect_with_message(request: web.Request, path: str, message: str, *, fragment: str = "") -> web.Response:
    """Return a redirect to a page that shows this message, at the element with the id `fragment`."""
    query = urlencode({PARAM: signer(request).sign(_PURPOSE, message)})
    return redirect(f"{path}{'&' if '?' in path else '?'}{query}{'#' if fragment else ''}{fragment}")


def message_of(request: web.Request) -> str | None:
    """Return the message that the bridge put into a page's address, None where there is none."""
    return signer(request).verify(_PURPOSE, request.query.get(PARAM, ""))
