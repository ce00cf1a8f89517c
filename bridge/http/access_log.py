"""The access log: one line for each request, where the settings ask for it.

It has no address of the client and no query: both can be a person's, and queries hold the tokens of commit URLs.
"""

from __future__ import annotations

import logging

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from bridge.http.refusals import LMS_ID

log = structlog.get_logger(__name__)

ACCESS_LOGGER = logging.getLogger("bridge.access")
"""What aiohttp asks for; nothing is written to it."""
MAX_PATH_LENGTH = 500


class AccessLog(AbstractAccessLogger):
    """Writes to the bridge's log, in its format and with the request's id."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line of a request that took so many seconds."""
        body = response.body if isinstance(response, web.Response) else None
        log.info(
            "request",
            method=request.method,
            path=request.path[:MAX_PATH_LENGTH],
            status=response.status,
            bytes=len(body) if isinstance(body, bytes) else response.body_length,
            ms=round(time * 1000, 1),
            lms=request.get(LMS_ID),
        )
