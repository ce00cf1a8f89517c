"""Speaking to an LRS over HTTP: the one place where statements leave the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from bridge.forwarding.auth import Authorization
from bridge.forwarding.outcomes import Reply
from bridge.forwarding.rate import Rate
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


class _About(msgspec.Struct):
    version: Any


class HeldBackError(Exception):
    """The target was paused before the request was begun."""


def _never() -> bool:
    return False


class Transport:
    """Sends to one LRS. Never raises for what the LRS or the network does: a `Reply` tells it.

    `is_held` is asked before each request, at the last moment: where it says so, the request is not begun and
    `HeldBackError` raised.
    """

    def __init__(self, session: aiohttp.ClientSession, target: Target, is_held: Callable[[], bool] = _never) -> None:
        self._is_held = is_held
        self._session = session
        self._target = target
        self._authorization = Authorization(session, target.credentials)
        self._rate = Rate(target.rate)
        self._version: str | None = None if target.version == "auto" else target.version

    async def post(self, body: bytes) -> Reply:
        """Send statements, a JSON list of them, in one request."""
        return await self._request("POST", "statements", body=body)

    async def get(self, statement_id: str, *, voided: bool = False) -> Reply:
        """Ask for one statement; a voided one is found only as such (xAPI Communication 2.1.3)."""
        parameter = "voidedStatementId" if voided else "statementId"
        return await self._request("GET", "statements", params={parameter: statement_id})

    async def read_document(self, resource: str, parameters: dict[str, str]) -> Reply:
        """Ask for a state or profile document."""
        return await self._request("GET", resource, params=parameters)

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
        try:
            if self._version is None:
                about = await self._exchange("GET", "about", {}, MAX_ABOUT_BYTES)
                self._version = _spoken(about)
                if self._version is None:
                    return about if about.status in {401, 403} else _unheard(about)
            headers = {"X-Experience-API-Version": self._version}
            if body is not None:
                headers["Content-Type"] = "application/json"
            headers |= extra or {}
            most = MAX_CONTENT_BYTES if method == "GET" else MAX_ANSWER_BYTES
            return await self._exchange(method, resource, headers, most, body=body, params=params)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Reply(None, describe_failure(error, ANSWER_TIMEOUT))

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
        await self._rate.turn()
        # nothing is waited for from here on to where the request is on its way
        if self._is_held():
            raise HeldBackError
        response = await send_request(
            self._session,
            method,
            self._target.endpoint + resource,
            max_bytes=most,
            data=body,
            params=params,
            headers=headers,
        )
        return _reply(response, most)


def _spoken(about: Reply) -> str | None:
    """Give the version to speak: 1.0.3 where the LRS speaks it or has no `about`, None where it cannot be told yet.

    Guessing would be costly: an LRS refuses statements in a version it does not speak, and what is refused is dead.
    """
    if about.status == 404:
        return "1.0.3"
    try:
        told = msgspec.json.decode(about.text, type=_About).version
    except (msgspec.MsgspecError, RecursionError):
        return None
    versions = [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str)]
    if about.status != 200 or not any(one.startswith(("1.0", "2.0")) for one in versions):
        return None
    return "1.0.3" if any(one.startswith("1.0") for one in versions) else "2.0.0"


def _unheard(about: Reply) -> Reply:
    said = "no answer" if about.status is None else f"{about.status}: {about.text[:200]}"
    words = f"the LRS did not tell which versions it speaks ({said}); set `version` of the target if it never does"
    return Reply(None, words, about.headers)


def open_session() -> aiohttp.ClientSession:
    """Open the client session that all targets share. Cookies are not kept: LRSs have no use for them."""
    return open_http_session(timeout_seconds=ANSWER_TIMEOUT)


def _reply(response: HttpResponse, max_bytes: int) -> Reply:
    """Return a reply; of a success that is too large to be read whole, one that says so instead."""
    if response.is_truncated and 200 <= response.status < 300:
        return Reply(None, too_large(max_bytes), response.headers, is_truncated=True)
    return Reply(response.status, response.text, response.headers)
