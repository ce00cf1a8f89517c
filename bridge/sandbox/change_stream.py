"""Server-sent events for the sandbox's pages: each is notified when something changed, until the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aiohttp import web

from bridge.periodic_task import PeriodicTask

HEARTBEAT_INTERVAL: Final = 15.0
"""Seconds of silence after which a comment is sent, which finds out whether the page is still open."""
POLL_INTERVAL: Final = 1.0
"""Seconds between two looks at what is polled."""


class ChangeStream:
    """Notifies open pages of changes. One for each application; `add_stream` serves it."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._is_stopped = False

    def notify(self) -> None:
        """Notify every open page that something changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def stop(self, _app: web.Application) -> None:
        """End all streams, since a server that stops waits for what it still answers."""
        self._is_stopped = True
        self.notify()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer with an event `change` for each change, several in a short time as one."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        changed = self._changed
        await response.prepare(request)
        with suppress(ConnectionResetError):
            await response.write(b": connected\n\n")
            while not self._is_stopped:
                try:
                    async with asyncio.timeout(HEARTBEAT_INTERVAL):
                        await changed.wait()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                changed = self._changed
                if not self._is_stopped:
                    await response.write(b"event: change\ndata: new\n\n")
        return response


class ChangeWatcher(PeriodicTask):
    """Notifies the pages of a stream whenever a mark is another one than before."""

    def __init__(
        self,
        changes: ChangeStream,
        read_mark: Callable[[], Awaitable[object]],
        interval_seconds: float = POLL_INTERVAL,
    ) -> None:
        super().__init__(interval_seconds)
        self._changes = changes
        self._read_mark = read_mark
        self._last_mark: object = None

    async def run_once(self) -> bool:
        """Read the mark, and notify pages if it is another one."""
        mark = await self._read_mark()
        if self._last_mark not in {None, mark}:
            self._changes.notify()
        self._last_mark = mark
        return False


CHANGES: Final = web.AppKey("CHANGES", ChangeStream)


def add_stream(app: web.Application, path: str) -> ChangeStream:
    """Add a stream of changes to an application, served at a path."""
    changes = app[CHANGES] = ChangeStream()
    app.on_shutdown.append(changes.stop)
    app.router.add_get(path, changes.serve)
    return changes
