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

from bridge.browser_keys import BrowserKeys
from bridge.clock import Now
from bridge.database import Database, log_failure
from bridge.tap.script import PATH
from storage import lms
from storage.browser_keys import BrowserKey

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


BROWSER_KEY = web.RequestKey("browser_key", BrowserKey)
"""The browser key that a request came with, or its commit URL's, valid or not."""
BROWSER_PATHS = "/v1/browser/"
"""What the addresses begin with that are for browser keys alone."""


def cors(origins: Origins, browser_keys: BrowserKeys) -> Middleware:
    """Return the middleware that answers preflights and labels responses for the origins of LMSs and of browser keys.

    Nothing that is done with a browser key needs credentials, and none are permitted there.
    """

    async def is_known(origin: str) -> bool:
        try:
            return await browser_keys.knows_origin(origin)
        except DBAPIError as error:
            log_failure(log, "browser_keys_not_read", error)
            return False

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # the audit pages are no LMS's business: a course there would read them with its viewer's cookies; the tap is
        # for everybody's pages, and says so itself
        if origin is None or request.path in {"/audit", PATH} or request.path.startswith("/audit/"):
            return await handler(request)
        for_browsers = request.path.startswith(BROWSER_PATHS)
        with_credentials = not for_browsers and await origins.allows(origin)
        allowed = with_credentials or (await is_known(origin))
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
            key = request.get(BROWSER_KEY)
            if key is not None:
                allowed, with_credentials = origin in key.origins, False
            elif not for_browsers:
                allowed = with_credentials
        if allowed and not response.prepared:
            _label(response.headers, origin, with_credentials=with_credentials)
        return response

    return middleware


def _label(headers: CIMultiDict[str], origin: str, *, with_credentials: bool) -> None:
    headers["Access-Control-Allow-Origin"] = origin
    if with_credentials:
        headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = "Retry-After"
    headers["Vary"] = "Origin"
