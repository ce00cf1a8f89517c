"""Running `scorm-bridge serve` as a process."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridge import passwords
from tests.support.accounts import HOME_PAGE, add_account, register_lms
from tests.support.sql import closing_engine

SCRIPT = Path(sys.executable).with_name("scorm-bridge")
START_DEADLINE = 90


class Server:
    """One `scorm-bridge serve`. Kill it, stop it, start it again: it keeps its port and its database.

    `target` and `server` are more TOML for the settings of the target at `endpoint`, and of the server; `sections` is
    TOML that follows. `descriptors` is how many files and sockets the system lets it have open; `host` is where it
    listens, and `wrapper` a command that runs it there.
    """

    def __init__(
        self,
        directory: Path,
        database_url: str,
        *,
        endpoint: str | None = None,
        target: str = "",
        server: str = "",
        sections: str = "",
        descriptors: int | None = None,
        host: str = "127.0.0.1",
        wrapper: Sequence[str] = (),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        self._config = directory / "scorm-bridge.toml"
        self.log = ""
        target = f'[[targets]]\nname = "lrs"\nendpoint = "{endpoint}"\n{target}' if endpoint else ""
        address = "" if host == "127.0.0.1" else f'host = "{host}"\npublic_url = "{self.url}"\n'
        self._config.write_text(
            f'[server]\nport = {self.port}\n{address}{server}[database]\nurl = "{database_url}"\n{target}\n{sections}',
            encoding="utf-8",
        )
        limit = () if descriptors is None else ("sh", "-c", f'ulimit -n {descriptors}; exec "$0" "$@"')
        self._wrapper = (*wrapper, *limit)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._logged = asyncio.Event()

    async def spawn(self, *arguments: str, stderr: int | None = None) -> asyncio.subprocess.Process:
        """Start another command with the same settings, whose standard output can be read."""
        return await asyncio.create_subprocess_exec(
            SCRIPT, "--config", self._config, *arguments, stdout=asyncio.subprocess.PIPE, stderr=stderr
        )

    async def run(self, *arguments: str) -> str:
        """Run another command with the same settings and return its standard output."""
        process = await self.spawn(*arguments)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode().strip()

    def new_token(self, lms: str = "lms", home_page: str = HOME_PAGE) -> str:
        """Store an LMS and return its token."""
        with closing_engine(self.database_url) as engine:
            return register_lms(engine, lms, home_page).token

    def add_account(self, name: str, role: str = "admin") -> None:
        """Store an account whose password, hashed as the service does it, is `PASSWORD`."""
        with closing_engine(self.database_url) as engine:
            add_account(engine, name, role, hasher=passwords.HASHER)

    async def verify(self, learner: str, activity: str) -> list[dict[str, Any]]:
        """Return what `scorm-bridge verify --json` prints."""
        enrollments: list[dict[str, Any]] = json.loads(await self.run("verify", learner, activity, "--json"))["items"]
        return enrollments

    @property
    def pid(self) -> int:
        """Return the process's number."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *options: str) -> None:
        """Start and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *self._wrapper, SCRIPT, "--config", self._config, "serve", *options, stderr=asyncio.subprocess.PIPE
        )
        assert self._process.stderr is not None
        async with asyncio.timeout(START_DEADLINE):
            while line := await self._process.stderr.readline():
                self.log += line.decode()
                if b" listens on " in line:
                    self._reading = asyncio.create_task(self._read(self._process.stderr))
                    return
        await self._process.wait()
        raise AssertionError(f"the server did not start, status {self._process.returncode}: {self.log}")

    async def kill(self) -> None:
        """Kill it at once, as the kernel would; one that does not run stays as it is."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """Ask it to stop (SIGTERM) and return its exit status."""
        self.signal()
        return await self.ended()

    def signal(self) -> None:
        """Ask it to stop (SIGTERM)."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()

    async def ended(self) -> int:
        """Wait for its end and return its exit status."""
        assert self._process is not None
        return await self._process.wait()

    async def says(self, words: str) -> None:
        """Wait until it logs these words."""
        async with asyncio.timeout(START_DEADLINE):
            while words not in self.log:
                self._logged.clear()
                await self._logged.wait()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.log += line.decode()
            self._logged.set()


StartServer = Callable[..., Server]


def free_port() -> int:
    """Return a port that nothing listens on, and that the system gives to no connection until somebody does.

    What listens there may stop and start again: of the ports that the system gives away, it might not get it back.
    """
    for _ in range(100):
        port = random.randrange(11_000, _first_port_of_connections())
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("of a hundred ports, none is free")


def _first_port_of_connections() -> int:
    """Return where the ports begin that the system gives to connections."""
    with suppress(OSError):
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    return 32_768
