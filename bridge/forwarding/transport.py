"""Speaking to an LRS over HTTP: the one place where statements leave the house."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp

from bridge.forwarding.about import VERSION_HEADER, request_about, select_version
from bridge.forwarding.auth import Authorization
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.rate_limiter import RateLimiter
from bridge.forwarding.targets import Target
from bridge.http_client import HttpResponse, describe_failure, send_request, too_large
from bridge.http_client import open_session as open_http_session

ANSWER_TIMEOUT = 120
"""Seconds that a whole exchange may take: slow LRSs take eight for five hundred statements, and a batch has fifty."""
MAX_ANSWER_BYTES = 64 * 1024
"""Read of what an LRS says to statements and documents that it gets: a batch's list of ids has 2 KB."""
MAX_ABOUT_BYTES = 1024 * 1024
"""Read of what an LRS says about itself: extensions can be long."""
MAX_CONTENT_BYTES = 4 * 1024 * 1024
"""Read of a statement or document that an LRS gives back: more than it would have taken."""
VERSION_TTL = 3600.0
"""Seconds that what an LRS said about its versions is good for: it may have been upgraded, or be another one."""
VERSION_RECHECK_AGE = 60.0
"""Seconds after which it is asked again because of a refusal that speaks of versions."""
_OF_VERSIONS = re.compile(r"version", re.IGNORECASE)


class TargetPausedError(Exception):
    """The target was paused before the request was begun."""


def _never() -> bool:
    return False


class Transport:
    """Sends to one LRS. Never raises for what the LRS or the network does: a `Reply` tells it.

    `is_paused` is asked before each request, at the last moment: where it says so, the request is not begun and
    `TargetPausedError` raised.
    """

    def __init__(self, session: aiohttp.ClientSession, target: Target, is_paused: Callable[[], bool] = _never) -> None:
        self._is_paused = is_paused
        self._session = session
        self._target = target
        self._options = connection_options(target)
        self._authorization = Authorization(session, target.credentials, self._options)
        self._rate_limiter = RateLimiter(target.rate)
        self._version: str | None = None if target.version == "auto" else target.version
        self._version_asked_at = 0.0

    async def post(self, body: bytes) -> Reply:
        """Send statements, a JSON list of them, in one request."""
        return await self._request("POST", "statements", body=body)

    async def get(self, statement_id: str, *, voided: bool = False) -> Reply:
        """Ask for one statement; a voided one is found only as such (xAPI Communication 2.1.3)."""
        parameter = "voidedStatementId" if voided else "statementId"
        return await self._request("GET", "statements", params={parameter: statement_id})

    async def read_document(self, resource: str, parameters: dict[str, str]) -> Reply:
        """Ask for a state or profile document."""
        # a proxy that compresses changes the ETag, by which the document is written
        return await self._request("GET", resource, params=parameters, extra={"Accept-Encoding": "identity"})

    async def write_document(
        self, resource: str, parameters: dict[str, str], content: bytes, headers: dict[str, str]
    ) -> Reply:
        """Write a document whole; `headers` tell its type and on what condition it may be written."""
        return await self._request("PUT", resource, body=content, params=parameters, extra=headers)

    async def _request(
        self,
        method: str,
        resource: str,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
        extra: dict[str, str] | None = None,
    ) -> Reply:
        begun = asyncio.get_running_loop().time()
        try:
            trouble = await self._learn_version()
            if trouble is not None:
                return trouble
            reply = await self._versioned(method, resource, body, params, extra)
            if self._is_mistrusted(reply):
                spoken, self._version = self._version, None
                await self._learn_version(spoken)
                if self._version != spoken:
                    reply = await self._versioned(method, resource, body, params, extra)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            took = asyncio.get_running_loop().time() - begun
            # without a version nothing was sent yet that could be what the other side cannot bear
            cut = self._version is not None and is_cut(error)
            return Reply(None, describe_failure(error, ANSWER_TIMEOUT), is_cut=cut, took=took)
        return reply

    async def _learn_version(self, otherwise: str | None = None) -> Reply | None:
        """Ask for the version to speak where it is to be asked for; return what came instead where it is not known."""
        if self._target.version != "auto":
            return None
        time = asyncio.get_running_loop().time()
        known = self._version or otherwise
        if self._version is not None and time - self._version_asked_at < VERSION_TTL:
            return None
        self._version_asked_at = time
        about = await request_about(lambda headers: self._exchange("GET", "about", headers, MAX_ABOUT_BYTES))
        self._version = select_version(about) or known
        if self._version is not None:
            return None
        trouble = about if about.status in {401, 403} or not about.is_from_lrs else _unheard(about)
        return replace(trouble, is_preliminary=True)

    def _is_mistrusted(self, reply: Reply) -> bool:
        """Tell whether an LRS refused the version that it was spoken to in, although it said that it speaks it."""
        asked = asyncio.get_running_loop().time() - self._version_asked_at
        is_old = self._target.version == "auto" and asked >= VERSION_RECHECK_AGE
        return is_old and reply.status == 400 and _OF_VERSIONS.search(reply.text) is not None

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
        most = MAX_CONTENT_BYTES if method == "GET" else MAX_ANSWER_BYTES
        return await self._exchange(method, resource, headers | (extra or {}), most, body=body, params=params)

    async def _exchange(
        self,
        method: str,
        resource: str,
        headers: dict[str, str],
        most: int,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
    ) -> Reply:
        reply = await self._authorized(method, resource, headers, most, body, params)
        if reply.status == 401 and self._authorization.may_be_renewed:
            # the token can have been withdrawn before its time: a new one tells
            self._authorization.forget()
            reply = await self._authorized(method, resource, headers, most, body, params)
        return reply

    async def _authorized(
        self,
        method: str,
        resource: str,
        headers: dict[str, str],
        most: int,
        body: bytes | None,
        params: dict[str, str] | None,
    ) -> Reply:
        told = await self._authorization.header()
        if isinstance(told, Reply):
            return told
        if told is not None:
            headers = headers | {"Authorization": told}
        await self._rate_limiter.acquire()
        # nothing is waited for from here on to where the request is on its way
        if self._is_paused():
            raise TargetPausedError
        response = await send_request(
            self._session,
            method,
            self._target.endpoint + resource,
            max_bytes=most,
            data=body,
            params=params,
            headers=headers,
            **self._options,
        )
        return reply_of(response, most)


def _unheard(about: Reply) -> Reply:
    said = "no answer" if about.status is None else f"{about.status}: {about.text[:200]}"
    words = f"the LRS did not tell which versions it speaks ({said}); set `version` of the target if it never does"
    return Reply(None, words, about.headers)


def open_session() -> aiohttp.ClientSession:
    """Open the client session that all targets share. Cookies are not kept: LRSs have no use for them."""
    return open_http_session(timeout_seconds=ANSWER_TIMEOUT)


def connection_options(target: Target) -> dict[str, Any]:
    """Return how a target, and its token endpoint, are connected to, as options of a request."""
    options: dict[str, Any] = {} if target.tls is None else {"ssl": target.tls}
    if target.proxy is not None:
        options |= {"proxy": target.proxy.url, "proxy_headers": target.proxy.headers}
    return options


def reply_of(response: HttpResponse, max_bytes: int) -> Reply:
    """Return a reply; of a success that is too large to be read whole, one that says so instead.

    Of a redirect, where it points to is said first: it is not followed.
    """
    if response.is_truncated and 200 <= response.status < 300:
        return Reply(None, too_large(max_bytes), response.headers, is_truncated=True)
    reply = Reply(response.status, response.text, response.headers)
    if reply.redirects_to:
        words = f"it redirects to {reply.redirects_to}, which is not followed; correct the address in the settings"
        return replace(reply, text=f"{words}\n{reply.text}".rstrip())
    return reply


def is_cut(error: Exception) -> bool:
    """Tell whether a request was on its way when it failed, so that it may be what the other side cannot bear."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return False
    return isinstance(error, aiohttp.ClientError | OSError | TimeoutError)
