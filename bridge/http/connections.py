"""One connection: what it is doing and since when, so that no client keeps the bridge waiting for ever.

aiohttp closes a connection that is idle between requests, and has no other deadline. Here a connection is in one phase
at a time, and `connection_server` ends the phases that last too long. A usual request costs two assignments more than
with aiohttp alone.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bridge.http.problems import unreadable_request
from bridge.request_id import REQUEST_ID_HEADER, begin_request

SLOW_REQUEST = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_NO_LINGER = struct.pack("ii", 1, 0)
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Phase(StrEnum):
    """What a connection is doing."""

    HEADER = "header"
    """A request's headers have not arrived whole, or nothing has since it was opened."""
    BODY = "body"
    """A request's body has not arrived whole."""
    WRITE = "write"
    """More of a response than fits the buffer waits for the client to read."""
    IDLE = "idle"
    """Between two requests."""
    CLOSING = "closing"
    """It is closing, and the client has not read the rest."""
    WORKING = "working"
    """The bridge works on a response, or sends it piece by piece."""


class ConnectionState(NamedTuple):
    """A phase and when it began, by the loop's clock; `request_since` is None where no deadline is set for a request.

    None is set between requests, and for a response that is streamed.
    """

    phase: Phase
    since: float
    request_since: float | None


class UnreadBytes(Protocol):
    """Where connections report how much of their responses clients have not read."""

    def unread(self, connection: WatchedConnection, size: int) -> None:
        """Count the bytes that wait in a connection's buffer, 0 once they are read."""


class WatchedConnection(RequestHandler):
    """aiohttp's connection, with the times at which its phases began."""

    __slots__ = (
        "_buffered",
        "_buffered_since",
        "_closing_since",
        "_header_since",
        "_is_late",
        "_request_since",
        "_unread_bytes",
    )

    def __init__(
        self, manager: web.Server, unread_bytes: UnreadBytes, *, loop: asyncio.AbstractEventLoop, **options: Any
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self._unread_bytes = unread_bytes
        self._header_since: float | None = loop.time()
        self._request_since = 0.0
        self._buffered = 0
        self._buffered_since = 0.0
        self._closing_since: float | None = None
        self._is_late = False

    def data_received(self, data: bytes) -> None:  # noqa: D102 -- of asyncio
        count = self._request_count
        super().data_received(data)
        if self._request_count != count:
            self._header_since = None
        elif data and self._header_since is None and not self._request_in_progress:
            self._header_since = self._loop.time()

    def _handle_request(self, request: web.BaseRequest, start_time: float | None, request_handler: _Handler) -> Any:
        self._request_since = self._loop.time()
        begin_request(request.headers.get(REQUEST_ID_HEADER))
        self._header_since = None  # a body that arrived before its request's turn is no new request
        return super()._handle_request(request, start_time, request_handler)

    def pause_writing(self) -> None:
        """Start the time of the client, which does not read as fast as it is sent to."""
        super().pause_writing()
        if self.transport is not None:
            self._buffered, self._buffered_since = self.transport.get_write_buffer_size(), self._loop.time()
            self._unread_bytes.unread(self, self._buffered)

    def resume_writing(self) -> None:
        """End the time of the client, which has read."""
        super().resume_writing()
        self._unread_bytes.unread(self, 0)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- of aiohttp
    ) -> web.StreamResponse:
        """Return the response to what is no HTTP request, or to what failed outside of every handler.

        aiohttp's own repeats the offending line, in the response and in the log: it may hold a token.

        Raises:
            ConnectionError: part of a response was sent already.
        """
        response = unreadable_request(status, exc)
        if request.writer.output_size > 0:
            raise ConnectionError("Part of a response was sent already.")
        response.force_close()
        return response

    def state(self, transport: asyncio.Transport, now: float) -> ConnectionState:
        """Return what the connection is doing; what a client has read since the last call counts as progress."""
        request, request_since = self._current_request, None
        is_streaming = request is not None and request.writer.output_size > 0
        if self._request_in_progress and not is_streaming:
            request_since = self._request_since
        if transport.is_closing():
            self._closing_since = self._closing_since or now
            return ConnectionState(Phase.CLOSING, self._closing_since, request_since)
        if self._paused:
            size = transport.get_write_buffer_size()
            if size < self._buffered:
                self._buffered, self._buffered_since = size, now
            return ConnectionState(Phase.WRITE, self._buffered_since, request_since)
        if self._request_in_progress:
            # where reading is paused it is the bridge that keeps the rest of the body waiting
            is_incomplete = request is not None and not request.content.is_eof() and not self._reading_paused
            phase = Phase.BODY if is_incomplete and not is_streaming else Phase.WORKING
            return ConnectionState(phase, self._request_since, request_since)
        if self._header_since is not None:
            return ConnectionState(Phase.HEADER, self._header_since, None)
        last_response = self._next_keepalive_close_time - self._keepalive_timeout
        return ConnectionState(Phase.IDLE, max(last_response, self._request_since), None)

    def expire(self, phase: Phase, transport: asyncio.Transport) -> None:
        """End a phase that has lasted too long: with a response where the client may still read one, else at once.

        A handler that runs is not interrupted: its commit is stored although nobody reads the response.
        """
        request = self._current_request
        if phase is Phase.BODY and request is not None and not self._is_late:
            self._is_late = True
            self._lingering_time = 0.0
            request.content.set_exception(
                web.HTTPRequestTimeout(text="The body took too long to arrive; send the request again.")
            )
        elif phase is Phase.HEADER:
            if self._parser is not None and self._request_count == 0 and not transport.get_write_buffer_size():
                transport.write(SLOW_REQUEST)
            self.force_close()
        elif phase is Phase.IDLE:
            self.force_close()
        else:
            reset(transport)


def reset(transport: asyncio.Transport) -> None:
    """Abort a connection at once, and let the system forget what it has yet to send."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # otherwise the system holds megabytes for minutes, for a client that does not read
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
