"""Outgoing HTTP requests: the one place that reads what another server answers.

An answer is read to its end or to a limit, and the whole exchange, from the connection to the last byte, has one
deadline: neither an endless answer nor a slow one blocks a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

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


def open_session(*, timeout_seconds: float) -> aiohttp.ClientSession:
    """Open a client session without cookies; `timeout_seconds` bounds each exchange, to the answer's last byte."""
    return aiohttp.ClientSession(
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
        aiohttp.ClientError, OSError, ValueError: no answer came (ValueError: of a URL or header that cannot be sent).
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
