"""The Authorization header of each target: fixed, or an OAuth 2 token that is fetched when it is needed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import msgspec

from bridge.forwarding.outcomes import MAX_LOCATION_LENGTH, Reply
from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials
from bridge.http_client import HttpResponse, send_request, too_large
from bridge.log_redaction import HIDDEN, redact

EXPIRY_MARGIN = 30
"""Seconds before it expires that a token is replaced."""
DEFAULT_TOKEN_TTL = 300
"""Seconds that a token is used whose server does not say when it expires."""
MIN_SECRET_LENGTH = 6
"""Characters of a secret that is looked for in answers: shorter ones stand in many words."""
MAX_TOKEN_BYTES = 64 * 1024
"""Bytes that are read of a token endpoint's answer."""

_SENDABLE = re.compile(r"[\x20-\x7e]+")
"""The characters of a token (RFC 6749, A.12)."""


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class Authorization:
    """The header of one target, which keeps its token. `options` are those of each request."""

    def __init__(
        self, session: aiohttp.ClientSession, credentials: Credentials, options: Mapping[str, Any] | None = None
    ) -> None:
        self._session = session
        self._options = dict(options or {})
        self._credentials = credentials
        self._header: str | None = None
        self._expires_at = 0.0
        self._fetching = asyncio.Lock()
        self._secrets = _secrets(credentials, self._options.get("proxy_headers", {}))
        if isinstance(credentials, Basic):
            self._header = aiohttp.encode_basic_auth(credentials.username, credentials.password, "utf-8")
        elif isinstance(credentials, Bearer):
            self._header = f"Bearer {credentials.token}"

    async def header(self) -> str | Reply | None:
        """Return the header, None where there is none, or what came instead of a token.

        A token endpoint that refuses (400, 401, 403) counts as the LRS denying access; anything else that is not a
        token counts as the LRS being unreachable.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: the token endpoint cannot be reached.
        """
        credentials = self._credentials
        if not isinstance(credentials, ClientCredentials):
            return self._header
        async with self._fetching:
            if self._header is None or asyncio.get_running_loop().time() >= self._expires_at:
                self._header = None
                token = await self._fetch(credentials)
                if isinstance(token, Reply):
                    return token
                self._header = f"Bearer {token.access_token}"
                ttl = DEFAULT_TOKEN_TTL if token.expires_in is None else token.expires_in
                self._expires_at = asyncio.get_running_loop().time() + max(0.0, ttl - EXPIRY_MARGIN)
            return self._header

    @property
    def may_be_renewed(self) -> bool:
        """Return whether there is a token that could be fetched again."""
        return isinstance(self._credentials, ClientCredentials) and self._header is not None

    def forget(self) -> None:
        """Fetch a new token for the next header."""
        self._header = None

    def redact(self, text: str) -> str:
        """Return an answer without the secrets of the target in it: servers repeat requests in their error pages."""
        for secret in (*self._secrets, (self._header or "").partition(" ")[2]):
            if len(secret) >= MIN_SECRET_LENGTH:
                text = text.replace(secret, HIDDEN)
        return redact(text)

    async def _fetch(self, credentials: ClientCredentials) -> _Token | Reply:
        form = {"grant_type": "client_credentials"}
        for name in ("scope", "audience"):
            if value := getattr(credentials, name):
                form[name] = value
        headers = {"Accept": "application/json"}
        if credentials.is_posted:
            form |= {"client_id": credentials.client_id, "client_secret": credentials.client_secret}
        else:
            headers["Authorization"] = client_basic(credentials.client_id, credentials.client_secret)
        response = await send_request(
            self._session,
            "POST",
            credentials.token_url,
            max_bytes=MAX_TOKEN_BYTES,
            data=form,
            headers=headers,
            **self._options,
        )
        status = response.status
        if status == 200:
            token, fault = _token(response)
            return token or Reply(
                None, f"the token endpoint: {fault}", response.headers, is_from_lrs=False, is_preliminary=True
            )
        where = response.headers.get("Location", "")[:MAX_LOCATION_LENGTH] if 300 <= status < 400 else ""
        points = f" and redirects to {where}, which is not followed" if where else ""
        answer = f"the token endpoint answered {status}{points}: {self.redact(response.text)[:500]}"
        answered = 401 if status in {400, 401, 403} else None
        return Reply(answered, answer, response.headers, is_from_lrs=False, is_preliminary=True)


def _secrets(credentials: Credentials, proxy_headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what must not be shown of a target's credentials, as it is sent and as people know it."""
    of_proxy = tuple(value.partition(" ")[2] for value in proxy_headers.values())
    if isinstance(credentials, Basic):
        return (credentials.password, *of_proxy)
    if isinstance(credentials, Bearer):
        return (credentials.token, *of_proxy)
    if isinstance(credentials, ClientCredentials):
        secret = credentials.client_secret
        basic = client_basic(credentials.client_id, secret).partition(" ")[2]
        return (basic, secret, quote_plus(secret), *of_proxy)
    return of_proxy


def client_basic(client_id: str, client_secret: str) -> str:
    """Return the Authorization header of an OAuth 2 client: each part is form-encoded first (RFC 6749, 2.3.1)."""
    return aiohttp.encode_basic_auth(quote_plus(client_id), quote_plus(client_secret), "utf-8")


def _token(response: HttpResponse) -> tuple[_Token | None, str]:
    """Return the token of an answer, or what is wrong with the answer."""
    if response.is_truncated:
        return None, too_large(MAX_TOKEN_BYTES)
    try:
        token = msgspec.json.decode(response.body, type=_Token, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, "its answer holds no access_token"
    if not _SENDABLE.fullmatch(token.access_token):
        return None, "its access_token holds what no header can"
    return token, ""
