"""Requests to an LRS over HTTP: the one place where statements leave the bridge."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bridge.forwarding.about import VERSION_HEADER, request_about, select_version
from bridge.forwarding.auth import Authorization
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.rate_limiter import RateLimiter
from bridge.forwarding.targets import Target
from bridge.http_client import HttpResponse, describe_failure, send_request, too_large
from bridge.http_client import open_session as open_http_session
from bridge.outgoing import OutgoingGuard

REQUEST_TIMEOUT = 120
"""Seconds that a whole exchange may take: slow LRSs take eight for five hundred statements, and a batch has fifty."""
MAX_ANSWER_BYTES = 64 * 1024
"""Bytes that are read of the answer to statements and documents: a batch's list of ids has 2 KB."""
MAX_ABOUT_BYTES = 1024 * 1024
"""Bytes that are read of the About Resource: extensions can be long."""
MAX_CONTENT_BYTES = 4 * 1024 * 1024
"""Bytes that are read of a statement or document: more than an LRS accepts."""
VERSION_TTL = 3600.0
"""Seconds for which the version of an LRS is cached: it may be upgraded, or replaced."""
VERSION_RECHECK_AGE = 60.0
"""Seconds after which a refusal that mentions versions makes the bridge request it again."""
_MENTIONS_VERSION = re.compile(r"version", re.IGNORECASE)


class TargetPausedError(Exception):
    """The target was paused before the request was begun."""


def _never() -> bool:
    return False


class Transport:
    """Sends requests to one LRS. Whatever the LRS or the network does is returned as a `Reply`, never raised.

    `is_paused` is called right before each request: where it returns True, the request is not begun, and
    `TargetPausedError` is raised.
    """

    def __init__(self, session: aiohttp.ClientSession, target: Target, is_paused: Callable[[], bool] = _never) -> None:
        self._is_paused = is_paused
        self._session = session
        self._target = target
        self._options = connection_options(target)
        self._authorization = Authorization(session, target.credentials, self._options)
        self._rate_limiter = RateLimiter(target.rate)
        self._version: str | None = None if target.version == "auto" else target.version
        self._version_requested_at = 0.0

    async def post(self, body: bytes) -> Reply:
        """Send a JSON list of statements in one request."""
        return await self._request("POST", "statements", body=body)

    async def get(self, statement_id: str, *, voided: bool = False) -> Reply:
        """Request one statement; a voided one is found only as such (xAPI Communication 2.1.3)."""
        parameter = "voidedStatementId" if voided else "statementId"
        return await self._request("GET", "statements", params={parameter: statement_id})

    async def about(self) -> Reply:
        """Request the About Resource, by any version where the target's is `auto`."""
        try:
            if self._target.version == "auto":
                return await request_about(self._request_about)
            return await self._request_about({VERSION_HEADER: self._target.version})
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return self._no_answer(error)

    async def read_newest(self) -> Reply:
        """Request the newest statement: an LRS answers that only to those it lets in."""
        return await self._request("GET", "statements", params={"limit": "1"})

    async def query(self, parameters: Mapping[str, str]) -> Reply:
        """Request the first page of the statements that meet a query (xAPI Communication 2.1.3)."""
        return await self._request("GET", "statements", params={**parameters})

    async def continue_query(self, more: str) -> Reply:
        """Request the page of a query that an answer's `more` points to.

        Whatever server it names, the target's own is asked: others must not get its credentials, and an LRS behind a
        proxy often knows itself by another name.
        """
        parts = urlsplit(more)
        path = f"/{parts.path.lstrip('/')}" if parts.path.startswith("/") or parts.netloc else parts.path
        return await self._request("GET", f"{path}?{parts.query}" if parts.query else path)

    async def read_document(self, resource: str, parameters: dict[str, str]) -> Reply:
        """Request a state or profile document."""
        # a proxy that compresses changes the ETag, by which the document is written
        return await self._request("GET", resource, params=parameters, extra={"Accept-Encoding": "identity"})

    async def write_document(
        self, resource: str, parameters: dict[str, str], content: bytes, headers: dict[str, str]
    ) -> Reply:
        """Write a document whole; `headers` are its type and the condition (If-Match, If-None-Match)."""
        return await self._request("PUT", resource, body=content, params=parameters, extra=headers)

    async def delete_document(self, resource: str, parameters: dict[str, str], headers: dict[str, str]) -> Reply:
        """Delete a document; `headers` are the condition (If-Match)."""
        return await self._request("DELETE", resource, params=parameters, extra=headers)

    async def _request(
        self,
        method: str,
        resource: str,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
        extra: dict[str, str] | None = None,
    ) -> Reply:
        started = asyncio.get_running_loop().time()
        try:
            trouble = await self._ensure_version()
            if trouble is not None:
                return trouble
            reply = await self._versioned(method, resource, body, params, extra)
            if self._rejects_version(reply):
                rejected, self._version = self._version, None
                await self._ensure_version(rejected)
                if self._version != rejected:
                    reply = await self._versioned(method, resource, body, params, extra)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            took = asyncio.get_running_loop().time() - started
            # without a version no statement was sent yet, which could be what cuts the connection
            cut = self._version is not None and is_cut(error)
            return replace(self._no_answer(error), is_cut=cut, took=took)
        return reply

    def _no_answer(self, error: Exception) -> Reply:
        return Reply(None, describe_failure(error, self._session.timeout.total or REQUEST_TIMEOUT))

    async def _ensure_version(self, otherwise: str | None = None) -> Reply | None:
        """Request the version to use unless it is known; return what came instead where it is still unknown."""
        if self._target.version != "auto":
            return None
        time = asyncio.get_running_loop().time()
        version = self._version or otherwise
        if self._version is not None and time - self._version_requested_at < VERSION_TTL:
            return None
        self._version_requested_at = time
        about = await request_about(self._request_about)
        self._version = select_version(about) or version
        if self._version is not None:
            return None
        trouble = about if about.status in {401, 403} or not about.is_from_lrs else _no_version(about)
        return replace(trouble, is_preliminary=True)

    async def _request_about(self, headers: dict[str, str]) -> Reply:
        return await self._exchange("GET", "about", headers, MAX_ABOUT_BYTES)

    def _rejects_version(self, reply: Reply) -> bool:
        """Return whether an LRS refused the version of a request, although it said that it supports it."""
        age = asyncio.get_running_loop().time() - self._version_requested_at
        is_old = self._target.version == "auto" and age >= VERSION_RECHECK_AGE
        return is_old and reply.status == 400 and _MENTIONS_VERSION.search(reply.text) is not None

    async def _versioned(
        self,
        method: str,
        resource: str,
        body: bytes | None,
        params: dict[str, str] | None,
        extra: dict[str, str] | None,
    ) -> Reply:
        headers = {VERSION_HEADER: self._version or ""}
        if body is not None:
            headers["Content-Type"] = "application/json"
        max_bytes = MAX_CONTENT_BYTES if method == "GET" else MAX_ANSWER_BYTES
        return await self._exchange(method, resource, headers | (extra or {}), max_bytes, body=body, params=params)

    async def _exchange(
        self,
        method: str,
        resource: str,
        headers: dict[str, str],
        max_bytes: int,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
    ) -> Reply:
        reply = await self._authorized(method, resource, headers, max_bytes, body, params)
        if reply.status == 401 and self._authorization.may_be_renewed:
            # the token may have been revoked before it expired
            self._authorization.forget()
            reply = await self._authorized(method, resource, headers, max_bytes, body, params)
        return reply

    async def _authorized(
        self,
        method: str,
        resource: str,
        headers: dict[str, str],
        max_bytes: int,
        body: bytes | None,
        params: dict[str, str] | None,
    ) -> Reply:
        authorization = await self._authorization.header()
        if isinstance(authorization, Reply):
            return authorization
        if authorization is not None:
            headers = headers | {"Authorization": authorization}
        await self._rate_limiter.acquire()
        # nothing is awaited between this check and the request
        if self._is_paused():
            raise TargetPausedError
        response = await send_request(
            self._session,
            method,
            _address(self._target.endpoint, resource),
            max_bytes=max_bytes,
            data=body,
            params=params,
            headers=headers,
            **self._options,
        )
        reply = reply_of(response, max_bytes)
        is_success = 200 <= response.status < 300
        return reply if is_success else replace(reply, text=self._authorization.redact(reply.text))


def _address(endpoint: str, resource: str) -> str:
    """Return the address of a resource below the endpoint, or of an absolute path at its server."""
    if not resource.startswith("/"):
        return endpoint + resource
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}{resource}"


def _no_version(about: Reply) -> Reply:
    answer = "no answer" if about.status is None else f"{about.status}: {about.text[:200]}"
    words = (
        f"the LRS did not say which xAPI versions it supports ({answer}); set `version` of the target if it never does"
    )
    return Reply(None, words, about.headers)


def open_session(guard: OutgoingGuard) -> aiohttp.ClientSession:
    """Open the client session that all targets share, without cookies."""
    return open_http_session(guard, timeout_seconds=REQUEST_TIMEOUT)


def connection_options(target: Target) -> dict[str, Any]:
    """Return the connection options of requests to a target and its token endpoint."""
    options: dict[str, Any] = {} if target.tls is None else {"ssl": target.tls}
    if target.proxy is not None:
        options |= {"proxy": target.proxy.url, "proxy_headers": target.proxy.headers}
    return options


def reply_of(response: HttpResponse, max_bytes: int) -> Reply:
    """Return a reply; of a success that is too large to be read whole, one that says so instead.

    The text of a redirect begins with where it points to: it is not followed.
    """
    if response.is_truncated and 200 <= response.status < 300:
        return Reply(None, too_large(max_bytes), response.headers, is_truncated=True)
    reply = Reply(response.status, response.text, response.headers)
    if reply.redirects_to:
        words = f"it redirects to {reply.redirects_to}, which is not followed; correct the address in the settings"
        return replace(reply, text=f"{words}\n{reply.text}".rstrip())
    return reply


def is_cut(error: Exception) -> bool:
    """Return whether a request was on its way when it failed, so that its content may be the cause."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return False
    return isinstance(error, aiohttp.ClientError | OSError | TimeoutError)
