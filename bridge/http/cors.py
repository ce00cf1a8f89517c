"""Cross-origin posts: players run on the LMS's pages, and their last commit may be a beacon.

A commit URL carries its own permission, so this protects nobody's data; it lets browsers deliver. A beacon labelled as
JSON is sent with credentials, whence the exact origin and `Access-Control-Allow-Credentials`.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now
from bridge.database import Database, log_failure
from bridge.tap.script import PATH
from storage import lms

log = structlog.get_logger(__name__)

ORIGINS_TTL = 30_000
"""Milliseconds for which the LMSs' origins are not read again, where no change is noticed."""


class Origins:
    """The origins that LMSs' pages have."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now
        self._read_at: int | None = None
        self._known: frozenset[str] = frozenset()

    async def allows(self, origin: str) -> bool:
        """Return whether pages of an origin may post commits."""
        if self._read_at is None or self._now() - self._read_at >= ORIGINS_TTL:
            try:
                self._known = await self._database.read(lms.origins)
                self._read_at = self._now()
            except DBAPIError as error:
                # the request itself will tell if it needs the database; what was known still holds
                log_failure(log, "origins_not_read", error)
        return origin in self._known or "*" in self._known

    def forget(self) -> None:
        """Read the origins anew when they are asked for next."""
        self._read_at = None


def cors(origins: Origins) -> Middleware:
    """Return the middleware that answers preflights and labels responses for the origins of LMSs."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # the audit pages are no LMS's business: a course there would read them with its viewer's cookies; the tap is
        # for everybody's pages, and says so itself
        if origin is None or request.path in {"/audit", PATH} or request.path.startswith("/audit/"):
            return await handler(request)
        allowed = await origins.allows(origin)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: web.StreamResponse = web.Response(status=204)
            if allowed:
                response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT"
                response.headers["Access-Control-Allow-Headers"] = (
                    "authorization, content-type, idempotency-key, x-session-id"
                )
                response.headers["Access-Control-Max-Age"] = "600"
        else:
            response = await handler(request)
        if allowed and not response.prepared:
            _label(response.headers, origin)
        return response

    return middleware


def _label(headers: CIMultiDict[str], origin: str) -> None:
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = "Retry-After"
    headers["Vary"] = "Origin"
