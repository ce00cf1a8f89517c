"""People at the audit pages of a bridge that runs as a process: with accounts, browsers, and bad intentions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, CookieJar, TCPConnector

from tests.support.server import Server

PASSWORD = "correct horse battery"


@dataclass
class Visitor:
    """Somebody with a browser that keeps cookies, and comes to the bridge through a proxy that tells where from."""

    session: ClientSession
    address: str

    async def sign_in(self, name: str, password: str = PASSWORD, **headers: str) -> int:
        """Return the status of a try to sign in."""
        async with self.session.get("/audit/sign-in") as response:
            found = re.search(r'name="csrf" value="([^"]+)"', await response.text())
        data = {"csrf": found[1] if found else "", "name": name, "password": password}
        headers = headers or {"X-Forwarded-For": self.address}
        async with self.session.post("/audit/sign-in", data=data, headers=headers, allow_redirects=False) as response:
            await response.read()
            return response.status

    async def sign_out(self) -> None:
        """Sign out."""
        async with self.session.get("/audit/targets") as response:
            found = re.search(r'name="csrf" value="([^"]+)"', await response.text())
        data = {"csrf": found[1] if found else ""}
        async with self.session.post("/audit/sign-out", data=data, allow_redirects=False) as response:
            assert response.status == 303

    async def text(self, path: str) -> str:
        """Return a page that must be there."""
        async with self.session.get(path, headers={"Accept": "text/html"}, allow_redirects=False) as response:
            text = await response.text()
            assert response.status == 200, text
            return text


@asynccontextmanager
async def visitor(server: Server, address: str = "192.0.2.1") -> AsyncIterator[Visitor]:
    """Give somebody new."""
    session = ClientSession(server.url, cookie_jar=CookieJar(unsafe=True), connector=TCPConnector(limit=0))
    async with session:
        yield Visitor(session, address)


async def add_account(server: Server, directory: Path, name: str, role: str = "admin") -> None:
    """Make an account whose password is `PASSWORD`."""
    file = directory / "password.txt"
    file.write_text(PASSWORD, encoding="utf-8")
    await server.run("accounts", "create", name, "--role", role, "--password-file", str(file))
