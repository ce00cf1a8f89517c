"""The Authorization header of each target: fixed, or a token of OAuth 2 that is fetched when it is needed."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec

from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Basic, Bearer, ClientCredentials, Credentials

EARLY = 30
"""Seconds before it runs out that a token is not used any more."""
LASTS = 300
"""Seconds that a token is used whose server does not tell how long it lasts."""
LONGEST_ANSWER = 16_384
"""Bytes read of a token endpoint's answer."""


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
        async with self._session.post(
            credentials.token_url,
            data=form,
            # the one way every server must take (RFC 6749, 2.3.1)
            headers={
                "Authorization": aiohttp.encode_basic_auth(credentials.client_id, credentials.client_secret, "utf-8"),
                "Accept": "application/json",
            },
            allow_redirects=False,
        ) as response:
            content = await response.content.read(LONGEST_ANSWER)
            status, headers = response.status, dict(response.headers)
        if status == 200:
            try:
                return msgspec.json.decode(content, type=_Token, strict=False)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return Reply(None, "the token endpoint's answer holds no access_token", headers)
        said = f"the token endpoint answered {status}: {content[:500].decode(errors='replace')}"
        return Reply(401 if status in {400, 401, 403} else None, said, headers)
