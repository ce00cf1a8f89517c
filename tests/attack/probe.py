"""A probe of how a bridge does: `/healthz` over and over, from a process of its own, so that no attacker slows it down.

Run as a program it asks until its standard input ends, then prints what it measured as JSON.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

PROBE_INTERVAL = 0.02
"""Seconds between two requests."""
PROBE_TIMEOUT = 10.0
"""Seconds that an answer is waited for; one that does not come counts as a failure, and so long."""
ROOT = Path(__file__).parents[2]


@dataclass
class Probe:
    """Use it as an asynchronous context manager around an attack; `latencies` are in seconds, filled at its end."""

    url: str
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, self.url,
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"ready\n"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        output, _ = await self._process.communicate()
        measured = json.loads(output)
        self.latencies += measured["latencies"]
        self.failures += measured["failures"]

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


def _measure(url: str) -> None:
    """Ask over one connection, opened anew where it failed, until standard input ends."""
    host = url.removeprefix("http://")
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    latencies: list[float] = []
    failures = 0
    connection = http.client.HTTPConnection(host, timeout=PROBE_TIMEOUT)
    while not ended.wait(PROBE_INTERVAL):
        started = time.perf_counter()
        try:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            failures += response.status != 200
        except (OSError, http.client.HTTPException):
            failures += 1
            connection.close()
        latencies.append(time.perf_counter() - started)
        if len(latencies) == 1:
            print("ready", flush=True)
    print(json.dumps({"latencies": latencies, "failures": failures}))


if __name__ == "__main__":
    _measure(sys.argv[1])
