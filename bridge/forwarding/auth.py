"""The Authorization header of each target: fixed, or a token of OAuth 2 that is fetched when it is needed."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import msgspec

from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials
from bridge.http_client import send_request, too_large

EARLY = 30
"""Seconds before it runs out that a token is not used any more."""
LASTS = 300
"""Seconds that a token is used whose server does not tell how long it lasts."""
MAX_TOKEN_BYTES = 64 * 1024
"""Read of a token endpoint's answer."""

_SENDABLE = re.compile(r"[\x20-\x7e]+")
"""What a token is made of (RFC 6749, A.12)."""


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class Authorization:
    """Gives the header. One for each target, as tokens are kept in it."""

    def __init__(self, session: aiohttp.ClientSession, credentials: Credentials) -> None:
        self._session = session
        self._credentials = credentials
        self._known: str | None = None
        self._until = 0.0
        self._fetching = asyncio.Lock()
        if isinstance(credentials, Basic):
            self._known = aiohttp.encode_basic_auth(credentials.username, credentials.password, "utf-8")
        elif isinstance(credentials, Bearer):
            self._known = f"Bearer {credentials.token}"

    async def header(self) -> str | Reply | None:
        """Give the header, None where there is none, or what came instead of a token.

        A token endpoint that refuses (400, 401, 403) counts as the LRS not letting the bridge in; all else that is no
        token is trouble with the way.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: the token endpoint cannot be reached.
        """
        credentials = self._credentials
        if not isinstance(credentials, ClientCredentials):
            return self._known
        async with self._fetching:
            if self._known is None or asyncio.get_running_loop().time() >= self._until:
                self._known = None
                told = await self._fetch(credentials)
                if isinstance(told, Reply):
                    return told
                self._known = f"Bearer {told.access_token}"
                lasts = LASTS if told.expires_in is None else told.expires_in
                self._until = asyncio.get_running_loop().time() + max(0.0, lasts - EARLY)
            return self._known

    @property
    def may_be_renewed(self) -> bool:
        """Tell whether there is a token that could be fetched anew."""
        return isinstance(self._credentials, ClientCredentials) and self._known is not None

    def forget(self) -> None:
        """Fetch a token anew when the next header is asked for."""
        self._known = None

    async def _fetch(self, credentials: ClientCredentials) -> _Token | Reply:
        form = {"grant_type": "client_credentials"}
        if credentials.scope:
            form["scope"] = credentials.scope
        response = await send_request(
            self._session,
            "POST",
            credentials.token_url,
            max_bytes=MAX_TOKEN_BYTES,
            data=form,
            # the one way every server must take (RFC 6749, 2.3.1)
            headers={
                "Authorization": aiohttp.encode_basic_auth(credentials.client_id, credentials.client_secret, "utf-8"),
                "Accept": "application/json",
            },
        )
        status = response.status
        if status == 200 and response.is_truncated:
            return Reply(None, f"the token endpoint: {too_large(MAX_TOKEN_BYTES)}", response.headers)
        if status == 200:
            try:
                token = msgspec.json.decode(response.body, type=_Token, strict=False)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return Reply(None, "the token endpoint's answer holds no access_token", response.headers)
            if not _SENDABLE.fullmatch(token.access_token):
                return Reply(None, "the token endpoint's access_token holds what no header can", response.headers)
            return token
        said = f"the token endpoint answered {status}: {response.text[:500]}"
        return Reply(401 if status in {400, 401, 403} else None, said, response.headers)
