"""Browsers without scripts, that keep cookies, and the people at them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import ClientResponse, ClientSession, CookieJar, TCPConnector
from yarl import URL

from tests.support.accounts import PASSWORD


@dataclass
class Visitor:
    """Somebody with a browser of their own. `client` keeps the cookies; no redirect is followed by itself.

    Use it as an asynchronous context manager, or close it.
    """

    client: ClientSession

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the browser."""
        await self.client.close()

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """Request a page as a browser does."""
        return await self.client.get(path, headers={"Accept": "text/html"} | headers, allow_redirects=False)

    async def text(self, path: str) -> str:
        """Return a page that must be there."""
        response = await self.get(path)
        text = await response.text()
        assert response.status == 200, text
        return text

    async def post(self, path: str, *, page: str = "/audit/targets", **fields: Any) -> ClientResponse:
        """Send a form that stands on `page`, whose token is read there."""
        return await self._send(path, page, fields)

    async def sign_in(
        self, name: str, password: str = PASSWORD, *, headers: dict[str, str] | None = None, **fields: str
    ) -> ClientResponse:
        """Sign in by the form."""
        credentials = {"name": name, "password": password}
        return await self._send("/audit/sign-in", "/audit/sign-in", credentials | fields, headers)

    async def sign_out(self) -> None:
        """Sign out by the form."""
        assert (await self.post("/audit/sign-out")).status == 303

    async def _send(
        self, path: str, page: str, fields: dict[str, Any], headers: dict[str, str] | None = None
    ) -> ClientResponse:
        form = {"csrf": csrf_token(await self.text(page))} | fields
        response = await self.client.post(path, data=form, headers=headers, allow_redirects=False)
        await response.read()
        return response


def new_visitor(url: str | URL, **headers: str) -> Visitor:
    """Return somebody who has not signed in; `headers` go with every request."""
    # aiohttp keeps no cookies of hosts that are numbers unless it is told to
    jar = CookieJar(unsafe=True)
    return Visitor(ClientSession(url, cookie_jar=jar, connector=TCPConnector(limit=0), headers=headers))


def csrf_token(page: str) -> str:
    """Return the token that the forms of a page hold."""
    match = re.search(r'name="csrf" value="([^"]+)"', page)
    assert match is not None, page
    return match[1]
