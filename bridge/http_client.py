"""Outgoing HTTP requests: the one place that opens connections to other servers and reads what they answer.

Every address is checked as its connection is opened (`bridge/outgoing.py`), and redirects are not followed. An answer
is read to its end or to a limit, and the whole exchange, from the connection to the last byte, has one deadline:
neither an endless answer nor a slow one blocks a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.tracing import Trace

from bridge.outgoing import OutgoingGuard

CONNECT_TIMEOUT = 10
"""Seconds within which a connection must be established."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer of a server.

    Attributes:
        status: the HTTP status.
        headers: of the answer; names compare without regard to case.
        body: the content, decoded as Content-Encoding says.
        is_truncated: the content is longer than was allowed, and `body` only its beginning.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_truncated: bool = False

    @property
    def text(self) -> str:
        """Return the body as text that every database can store."""
        return self.body.decode(errors="replace").replace("\x00", "\ufffd")


class _GuardedConnector(aiohttp.TCPConnector):
    """Connects to what the guard permits alone, be it a target, a token endpoint or a proxy."""

    allowed_protocol_schema_set = frozenset({"http", "https"})

    def __init__(self, guard: OutgoingGuard, resolver: AbstractResolver | None) -> None:
        super().__init__(resolver=resolver)
        self._guard = guard

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        results = await super()._resolve_host(host, port, traces=traces)
        # one address that must not be used is reason enough: the connection could be made to it
        for result in results:
            self._guard.check(host, port, result["host"])
        return results


def open_session(
    guard: OutgoingGuard, *, timeout_seconds: float, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """Open a client session without cookies; `timeout_seconds` bounds each exchange, to the answer's last byte.

    `resolver` resolves names instead of the system.
    """
    return aiohttp.ClientSession(
        connector=_GuardedConnector(guard, resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_TIMEOUT),
    )


async def send_request(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    max_bytes: int,
    **options: Any,
) -> HttpResponse:
    """Send a request and read the answer to its end, or to `max_bytes` bytes of decoded content.

    Redirects are not followed: they would send credentials and learners' data elsewhere. The session's deadline bounds
    the whole exchange. `options` are those of `aiohttp.ClientSession.request`.

    Raises:
        aiohttp.ClientError, OSError, ValueError: no answer came (ValueError: of a URL or header that cannot be sent);
            an `aiohttp.ClientConnectorError` with the reason where the guard does not permit the address.
        TimeoutError: the answer was not whole in time.
    """
    if options.get("proxy_headers") and url.startswith("http://"):
        # aiohttp sends these headers only when it opens a tunnel; without one the request itself must have them
        options["headers"] = {**options.get("headers", {}), **options["proxy_headers"]}
    async with session.request(method, url, allow_redirects=False, **options) as response:
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > max_bytes:
                # leaving now closes the connection: the rest is not waited for
                return HttpResponse(response.status, response.headers, bytes(body[:max_bytes]), is_truncated=True)
        return HttpResponse(response.status, response.headers, bytes(body))


def describe_failure(error: Exception, timeout_seconds: float) -> str:
    """Return why no answer came, by an error that `send_request` raised."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_seconds:g} s"
    return f"{type(error).__name__}: {error}"


def too_large(max_bytes: int) -> str:
    """Return the message for an answer that is longer than is read."""
    return f"the answer is longer than {max_bytes:,} bytes"
