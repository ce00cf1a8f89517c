"""Speaking to an LRS over HTTP: the one place where statements leave the house."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import msgspec

from bridge.forwarding.outcomes import Reply
from bridge.forwarding.targets import Target

CONNECT_TIMEOUT = 10
ANSWER_TIMEOUT = 120
"""Seconds: slow LRSs take eight for five hundred statements, and a batch has fifty."""
LONGEST_ANSWER = 16_384
"""Bytes read of an answer other than the one list of ids."""

DEFAULT_VERSION = "1.0.3"


class Transport:
    """Posts statements to one LRS. Never raises for what the LRS or the network does: a `Reply` tells it."""

    def __init__(self, session: aiohttp.ClientSession, target: Target) -> None:
        self._session = session
        self._target = target
        self._auth = aiohttp.encode_basic_auth(target.username, target.password, "utf-8")
        self._version: str | None = None if target.version == "auto" else target.version

    async def post(self, statements: Sequence[str]) -> Reply:
        """Send statements, in their order and byte for byte, in one request."""
        body = ("[" + ",".join(statements) + "]").encode()
        return await self._request("POST", "statements", body=body)

    async def get(self, statement_id: str) -> Reply:
        """Ask for one statement."""
        return await self._request("GET", "statements", params={"statementId": statement_id})

    async def _request(
        self, method: str, resource: str, *, body: bytes | None = None, params: dict[str, str] | None = None
    ) -> Reply:
        try:
            headers = {
                "Authorization": self._auth,
                "X-Experience-API-Version": self._version or await self._ask_version(),
            }
            if body is not None:
                headers["Content-Type"] = "application/json"
            async with self._session.request(
                method,
                self._target.endpoint + resource,
                data=body,
                params=params,
                headers=headers,
                allow_redirects=False,
            ) as response:
                return Reply(response.status, await _text(response), dict(response.headers))
        except TimeoutError:
            return Reply(None, f"no answer within {ANSWER_TIMEOUT} s")
        except (aiohttp.ClientError, OSError) as error:
            return Reply(None, f"{type(error).__name__}: {error}")

    async def _ask_version(self) -> str:
        """Ask `about` which versions the LRS speaks, and remember; an LRS that does not say gets 1.0.3."""
        async with self._session.get(self._target.endpoint + "about", allow_redirects=False) as response:
            if response.status >= 500:
                response.raise_for_status()
            text = await _text(response)
        try:
            versions = msgspec.json.decode(text, type=dict[str, object]).get("version")
        except msgspec.MsgspecError:
            versions = None
        spoken = [one for one in versions if isinstance(one, str)] if isinstance(versions, list) else []
        older = any(one.startswith("1.0") for one in spoken)
        newer = next((one for one in spoken if one.startswith("2.0")), None)
        self._version = DEFAULT_VERSION if older or newer is None else "2.0.0"
        return self._version


def open_session() -> aiohttp.ClientSession:
    """Open the client session that all targets share. Cookies are not kept: LRSs have no use for them."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT, sock_connect=CONNECT_TIMEOUT),
    )


async def _text(response: aiohttp.ClientResponse) -> str:
    content = await response.content.read(LONGEST_ANSWER)
    return content.decode(errors="replace").replace("\x00", "�")
