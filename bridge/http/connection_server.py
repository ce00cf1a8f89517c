"""All connections of a process: their deadlines, how many may be open, and how much of responses may wait unread.

Where `max_connections` are open, the client that has kept the bridge waiting longest makes room for a new one, so that
no number of connections that send nothing shuts out those that do. See `docs/security.md`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bridge.http.access_log import ACCESS_LOGGER, AccessLog
from bridge.http.connections import Phase, WatchedConnection, reset
from bridge.http.services import SERVICES
from bridge.metrics import Sample
from bridge.metrics.catalog import CONNECTIONS
from bridge.settings import ServerSettings

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT = 5.0
"""Seconds that a connection has to end after it was told to."""
MAX_CHECK_INTERVAL = 1.0
MIN_CHECK_INTERVAL = 0.05
REPORT_INTERVAL = 10.0
"""Seconds between two lines of the log about connections that were ended."""
BACKLOG = 1024
"""Connections that wait in the kernel to be accepted."""
OVERLOADED = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_WAITS_FOR_CLIENT = frozenset({Phase.HEADER, Phase.BODY, Phase.WRITE, Phase.IDLE, Phase.CLOSING})


class ConnectionServer(web.Server):
    """aiohttp's server with connections that are watched."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        settings: ServerSettings,
        **options: Any,
    ) -> None:
        # ours comes first; aiohttp's own would close a connection while a request arrives
        aiohttp_timeout = settings.keep_alive_timeout + settings.header_timeout + MAX_CHECK_INTERVAL
        super().__init__(handler, **options | {"keepalive_timeout": aiohttp_timeout})
        self._max_connections = settings.max_connections
        self._max_unread_bytes = settings.max_unread_bytes
        self._request_timeout = settings.request_timeout
        self._timeouts = {
            Phase.HEADER: settings.header_timeout,
            Phase.BODY: settings.body_timeout,
            Phase.WRITE: settings.write_timeout,
            Phase.IDLE: settings.keep_alive_timeout,
            Phase.CLOSING: CLOSE_TIMEOUT,
        }
        self._interval = min(
            MAX_CHECK_INTERVAL, max(MIN_CHECK_INTERVAL, min(self._request_timeout, *self._timeouts.values()) / 10)
        )
        self._open: dict[WatchedConnection, asyncio.Transport] = {}
        self._unread: dict[WatchedConnection, int] = {}
        self._unread_total = 0
        self._evictable: deque[WatchedConnection] = deque()
        self._nobody_waits = False
        self._ended: Counter[str] = Counter()

    @property
    def open_connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return WatchedConnection(self, self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Accept a connection; where too many are open, another one makes room or this one is refused."""
        super().connection_made(handler, transport)
        assert isinstance(handler, WatchedConnection)  # noqa: S101 -- `__call__` makes no other
        if len(self._open) >= self._max_connections and not self._evict():
            self._ended["refused"] += 1
            transport.write(OVERLOADED)
            transport.close()
        self._open[handler] = transport

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Remove a connection."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, WatchedConnection)  # noqa: S101 -- as above
        self._open.pop(handler, None)
        self.unread(handler, 0)

    def unread(self, connection: WatchedConnection, size: int) -> None:
        """Count the bytes that wait in a connection's buffer; beyond the limit the oldest is cut off."""
        self._unread_total += size - self._unread.pop(connection, 0)
        if size:
            self._unread[connection] = size
        while self._unread_total > self._max_unread_bytes and len(self._unread) > 1:
            oldest = next(iter(self._unread))
            self._unread_total -= self._unread.pop(oldest)
            transport = self._open.get(oldest)
            if transport is not None:
                self._ended["unread"] += 1
                # not from within the write that reports this
                self._loop.call_soon(reset, transport)

    async def watch(self) -> None:
        """End, again and again, what has lasted too long; runs until it is cancelled."""
        next_report = self._loop.time()
        while True:
            await asyncio.sleep(self._interval)
            now = self._loop.time()
            self.expire(now)
            if self._ended and now >= next_report:
                log.warning("connections_ended", **self._ended)
                self._ended.clear()
                next_report = now + REPORT_INTERVAL

    def expire(self, now: float) -> None:
        """End what has lasted too long."""
        self._nobody_waits = False
        self._evictable.clear()
        for connection, transport in list(self._open.items()):
            phase, since, request_since = connection.state(transport, now)
            timeout = self._timeouts.get(phase)
            if request_since is not None and now - request_since >= self._request_timeout:
                self._ended["request"] += 1
                reset(transport)
            elif timeout is not None and now - since >= timeout:
                if phase is not Phase.IDLE:
                    self._ended[phase] += 1
                connection.expire(phase, transport)

    def _evict(self) -> bool:
        """Cut off the client that has kept the bridge waiting longest; return whether there was one."""
        if not self._evictable and not self._nobody_waits:
            # all at once, for as many evictions as they are: a flood costs no look at all others for each connection
            now = self._loop.time()
            since = {
                connection: state.since
                for connection, transport in self._open.items()
                if (state := connection.state(transport, now)).phase in _WAITS_FOR_CLIENT
            }
            self._evictable.extend(sorted(since, key=since.__getitem__))
            self._nobody_waits = not since
        while self._evictable:
            connection = self._evictable.popleft()
            transport = self._open.get(connection)
            if transport is None or connection.state(transport, self._loop.time()).phase not in _WAITS_FOR_CLIENT:
                continue
            self._ended["evicted"] += 1
            # it counts no longer, although its end is told a little later
            del self._open[connection]
            reset(transport)
            return True
        return False


class ConnectionRunner(web.AppRunner):
    """Runs an application on connections that are watched. With `logs_access`, each request is a line of the log."""

    def __init__(
        self, app: web.Application, settings: ServerSettings, *, logs_access: bool = False, **options: Any
    ) -> None:
        access = {"access_log": ACCESS_LOGGER if logs_access else None, "access_log_class": AccessLog}
        super().__init__(app, **options | access)
        self._settings = settings
        self._watch: asyncio.Task[None] | None = None

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        server = ConnectionServer(
            plain.request_handler,
            self._settings,
            request_factory=plain.request_factory,
            **plain._kwargs,  # noqa: SLF001 -- what the application asks of its connections is kept nowhere else
        )
        self._watch = asyncio.create_task(server.watch())
        parts = self.app.get(SERVICES)
        if parts is not None:
            parts.metrics.add_source(lambda: (Sample(CONNECTIONS, (), server.open_connections),))
        return server

    async def _cleanup_server(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await super()._cleanup_server()
