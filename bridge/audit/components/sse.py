"""Server-sent events: open pages are notified when something was stored, by whichever process."""

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
from bridge.database import log_failure
from bridge.errors import BridgeError
from storage.queries import overview

log = structlog.get_logger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between looks at the database while anybody listens; it is left alone while nobody does."""
HEARTBEAT_INTERVAL = 15.0
"""Seconds of silence after which a comment is sent: proxies close silent connections."""
CONNECTION_TTL = 300.0
"""Seconds that one connection lasts. Browsers reconnect by themselves, if their sign-in still holds."""
MAX_AUTHORIZATION_CHECKS = 4
"""Listeners whose sign-in is checked at a time."""


class ChangeNotifier:
    """Notifies listeners when something was stored. One for each process."""

    def __init__(self, dependencies: AuditDependencies) -> None:
        self._dependencies = dependencies
        self._condition = asyncio.Condition()
        self._version = 0
        self._listeners = 0
        self._poller: asyncio.Task[None] | None = None
        self._is_stopped = False
        # all listeners are notified at once, and each then checks its authorization
        self.authorization_checks = asyncio.Semaphore(MAX_AUTHORIZATION_CHECKS)

    async def listen(self) -> AsyncGenerator[bool, None]:
        """Yield True whenever something was stored, False as a heartbeat; end when the bridge stops."""
        self._listeners += 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        version = self._version
        try:
            while not self._is_stopped:
                await self._wait_for_change(version)
                has_changed, version = self._version != version, self._version
                if not self._is_stopped:
                    yield has_changed
        finally:
            self._listeners -= 1

    async def _wait_for_change(self, version: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_INTERVAL), self._condition:
                while self._version == version and not self._is_stopped:
                    await self._condition.wait()

    async def stop(self) -> None:
        """End all listeners."""
        self._is_stopped = True
        if self._poller is not None:
            self._poller.cancel()
        async with self._condition:
            self._condition.notify_all()

    async def _poll(self) -> None:
        marker: tuple[int, int, int] | None = None
        while self._listeners:
            try:
                mark = await self._dependencies.database.read(overview.change_marker)
            except DBAPIError as error:
                log_failure(log, "news_not_read", error)
            else:
                if marker not in {None, mark}:
                    async with self._condition:
                        self._version += 1
                        self._condition.notify_all()
                marker = mark
            await asyncio.sleep(POLL_INTERVAL)


NOTIFIER = web.AppKey("notifier", ChangeNotifier)


def set_up(app: web.Application) -> None:
    """Set up an application for `/live`."""
    notifier = app[NOTIFIER] = ChangeNotifier(app[DEPENDENCIES])

    async def stop(_app: web.Application) -> None:
        await notifier.stop()

    app.on_shutdown.append(stop)


async def _live(request: web.Request) -> web.StreamResponse:
    notifier = request.app[NOTIFIER]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    await response.write(b": here\n\n")
    # browsers reconnect by themselves after anything that ends this, if they may
    with contextlib.suppress(TimeoutError, ConnectionResetError, DBAPIError, BridgeError):
        async with asyncio.timeout(CONNECTION_TTL), contextlib.aclosing(notifier.listen()) as changes:
            async for has_changed in changes:
                async with notifier.authorization_checks:
                    if not await is_still_authorized(request):
                        break
                await response.write(b"event: stored\ndata: new\n\n" if has_changed else b": still here\n\n")
    return response


ROUTES = (Route("GET", "/live", _live, Role.READER, kind=WorkKind.STREAM),)
