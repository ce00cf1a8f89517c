"""A running bridge to attack, what its honest users have, and a probe of how it does meanwhile."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.processes.server import Server

HOME_PAGE = "https://lms.example.org"
PASSWORD = "correct horse battery staple"
PROBE_INTERVAL = 0.02
"""Seconds between two requests of a probe."""
PROBE_TIMEOUT = 10.0
"""Seconds that a probe waits for an answer; one that does not come counts as so long."""


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
        return await self.server.run("tokens", "create", "--lms", name, "--home-page", f"https://{name}.example.org")

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


@dataclass
class Probe:
    """Asks for `/healthz` over and over, over a connection of its own, and keeps how long each answer took.

    Use it as an asynchronous context manager around an attack. `latencies` are in seconds.
    """

    url: str
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        answered = asyncio.Event()
        self._task = asyncio.create_task(self._ask(answered))
        await answered.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def latency(self, share: float) -> float:
        """Return the latency in seconds within which this share (0 to 1) of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def summary(self) -> str:
        """Return the figures in words."""
        return (
            f"/healthz asked {len(self.latencies)} times, {self.failures} failed,"
            f" p50 {self.latency(0.5) * 1000:.1f} ms, p99 {self.latency(0.99) * 1000:.1f} ms,"
            f" longest {max(self.latencies) * 1000:.1f} ms"
        )

    async def _ask(self, answered: asyncio.Event) -> None:
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                started = time.perf_counter()
                try:
                    async with http.get(f"{self.url}/healthz") as response:
                        self.failures += response.status != 200
                except (aiohttp.ClientError, TimeoutError):
                    self.failures += 1
                self.latencies.append(time.perf_counter() - started)
                answered.set()
                await asyncio.sleep(PROBE_INTERVAL)
