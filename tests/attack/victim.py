"""A running bridge to attack, and what its honest users have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.server import Server

HOME_PAGE = "https://lms.example.org"
PASSWORD = "correct horse battery staple"


@dataclass
class Victim:
    """A bridge in a process of its own, an LMS's token, and an admin's name and password."""

    server: Server
    token: str
    admin: str
    password: str = PASSWORD

    @property
    def url(self) -> str:
        """Return the address of the bridge, without a slash at its end."""
        return self.server.url

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers by which the LMS is known."""
        return {"Authorization": f"Bearer {self.token}"}

    def resident_memory(self) -> int:
        """Return the process's resident memory in bytes (VmRSS of proc(5))."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """Return the largest resident memory of the process so far, in bytes (VmHWM of proc(5))."""
        return self._status("VmHWM")

    async def add_lms(self, name: str) -> str:
        """Add an LMS and return its token."""
        return await self.server.new_token(name, f"https://{name}.example.org")

    async def commit(
        self, http: aiohttp.ClientSession, cmi: dict[str, Any], *, learner: str = "honest", activity: str = "1"
    ) -> dict[str, Any]:
        """Post an honest all-in-one commit, which must be answered 200, and return the answer."""
        body = {"learner": {"id": learner}, "activity": {"id": activity}, "cmi": cmi}
        async with http.post(f"{self.url}/v1/commits", json=body, headers=self.headers) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            assert response.status == 200, answer
            return answer

    async def sign_in(self, http: aiohttp.ClientSession) -> None:
        """Sign the admin in: the client session, whose cookie jar must be unsafe, keeps the cookie."""
        async with http.get(f"{self.url}/audit/sign-in") as response:
            csrf = csrf_token(await response.text())
        form = {"csrf": csrf, "name": self.admin, "password": self.password}
        async with http.post(f"{self.url}/audit/sign-in", data=form, allow_redirects=False) as response:
            assert response.status == 303, await response.text()

    def _status(self, key: str) -> int:
        text = Path(f"/proc/{self.server.pid}/status").read_text(encoding="ascii")
        match = re.search(rf"^{key}:\s+(\d+) kB$", text, re.MULTILINE)
        assert match is not None, text
        return int(match[1]) * 1024


def csrf_token(page: str) -> str:
    """Return the token that the forms of a page hold."""
    match = re.search(r'name="csrf" value="([^"]+)"', page)
    assert match is not None, page
    return match[1]
