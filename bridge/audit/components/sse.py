"""Server-sent events: pages that are open hear when something was stored, by whichever process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog
from aiohttp import web
from sqlalchemy.exc import DBAPIError

from bridge.audit.access.auth_middleware import Route, is_still_authorized
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.roles import Role
from bridge.audit.dependencies import DEPENDENCIES, AuditDependencies
from bridge.database import describe_error
from bridge.errors import BridgeError
from storage.queries import overview

log = structlog.get_logger(__name__)

LOOK = 1.0
"""Seconds between looks while somebody listens; the database is left alone while nobody does."""
BEAT = 15.0
"""Seconds of silence after which a line goes out all the same: proxies close what is silent."""
LASTS = 300.0
"""Seconds that one connection lasts. Browsers connect again by themselves, if their sign-in still holds."""


CHECKS = 4
"""Listeners whose sign-in is looked up at a time."""


class News:
    """Tells listeners when something was stored. One for each process."""

    def __init__(self, parts: AuditDependencies) -> None:
        self._parts = parts
        self._changed = asyncio.Condition()
        self._number = 0
        self._listeners = 0
        self._watching: asyncio.Task[None] | None = None
        self._stopped = False
        # all listeners hear of the same thing at once, and each asks whether it still may
        self.checks = asyncio.Semaphore(CHECKS)

    async def listen(self) -> AsyncGenerator[bool, None]:
        """Return True whenever something was stored, False after each beat of silence; ends when the bridge stops."""
        self._listeners += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        seen = self._number
        try:
            while not self._stopped:
                await self._news(seen)
                is_new, seen = self._number != seen, self._number
                if not self._stopped:
                    yield is_new
        finally:
            self._listeners -= 1

    async def _news(self, seen: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT), self._changed:
                while self._number == seen and not self._stopped:
                    await self._changed.wait()

    async def stop(self) -> None:
        """Let all listeners go."""
        self._stopped = True
        if self._watching is not None:
            self._watching.cancel()
        async with self._changed:
            self._changed.notify_all()

    async def _watch(self) -> None:
        known: tuple[int, int, int] | None = None
        while self._listeners:
            try:
                mark = await self._parts.database.read(overview.change_marker)
            except DBAPIError as error:
                log.error("news_not_read", error=describe_error(error))  # noqa: TRY400 -- its own words hold rows' values
            else:
                if known not in {None, mark}:
                    async with self._changed:
                        self._number += 1
                        self._changed.notify_all()
                known = mark
            await asyncio.sleep(LOOK)


NEWS = web.AppKey("news", News)


def set_up(app: web.Application) -> None:
    """Prepare an application for `/live`."""
    made = app[NEWS] = News(app[DEPENDENCIES])

    async def stop(_app: web.Application) -> None:
        await made.stop()

    app.on_shutdown.append(stop)


async def _live(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    await response.write(b": here\n\n")
    # browsers connect again by themselves after what is not told here, if they may
    with contextlib.suppress(TimeoutError, ConnectionResetError, DBAPIError, BridgeError):
        async with asyncio.timeout(LASTS), contextlib.aclosing(request.app[NEWS].listen()) as told:
            async for is_new in told:
                async with request.app[NEWS].checks:
                    if not await is_still_authorized(request):
                        break
                await response.write(b"event: stored\ndata: new\n\n" if is_new else b": still here\n\n")
    return response


ROUTES = (Route("GET", "/live", _live, Role.READER, kind=WorkKind.STREAM),)
