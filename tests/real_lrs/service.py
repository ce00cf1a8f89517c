"""Running an LRS that others made: a process of its own, ready when it answers, gone when it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlencode

import aiohttp

from tests.support.server import free_port

if TYPE_CHECKING:
    from types import TracebackType

HOST = "127.0.0.1"
USERNAME, PASSWORD = "tester", "secret"
HEADERS = {
    "Authorization": aiohttp.encode_basic_auth(USERNAME, PASSWORD),
    "X-Experience-API-Version": "1.0.3",
}


class RealLrs(ABC):
    """A running LRS, which lets `USERNAME` in.

    Use it as a context manager: the service runs from entering to leaving. `endpoint` is what a target is
    configured with.
    """

    name: ClassVar[str]
    """What messages call it."""
    heartbeat: ClassVar[str]
    """The path that is answered 200 when it is ready."""
    in_order: ClassVar[Mapping[str, str]]
    """The query that gives statements in the order stored."""

    def __init__(self, *, start_timeout: float = 60, stop_timeout: float = 5) -> None:
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._cleanup = ExitStack()

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what starts it.

        Raises:
            RuntimeError: it is not installed; the message says how to install it.
        """

    @abstractmethod
    def environment(self, directory: Path, port: int) -> Mapping[str, str]:
        """Return the settings under which it listens at the port and keeps what it stores in the directory, if it does.

        The directory exists, is empty, and goes when the service is left.
        """

    @property
    def endpoint(self) -> str:
        """The xAPI base address, with a slash at its end."""
        return f"http://{HOST}:{self._port}/xAPI/"

    def __enter__(self) -> Self:
        command = self.command()
        with ExitStack() as cleanup:
            self._start(command, Path(cleanup.enter_context(tempfile.TemporaryDirectory())), cleanup)
            self._wait_until_ready()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        died = self._death()
        self._cleanup.close()
        if died is None:
            return
        if error is None:
            raise RuntimeError(died)
        error.add_note(died)

    def statements(self, **query: str) -> list[dict[str, Any]]:
        """All statements that match an xAPI query, over as many pages as there are, in the order stored."""
        return list(self._statements(f"/xAPI/statements?{urlencode({**self.in_order, **query})}"))

    def post(self, statements: Any) -> int:
        """Post one statement or a batch, as somebody else would, and tell the status of the answer."""
        return self._ask("POST", "/xAPI/statements", json.dumps(statements).encode())[0]

    def _statements(self, path: str) -> Iterator[dict[str, Any]]:
        while path:
            page = self._get(path)
            yield from page["statements"]
            path = page.get("more", "")

    def _start(self, command: Sequence[str], directory: Path, cleanup: ExitStack) -> None:
        self._port = free_port()
        self._output = directory / "output.txt"
        storage = directory / "kept"
        storage.mkdir()
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, **self.environment(storage, self._port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        cleanup.callback(self._stop)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        while True:
            if died := self._death():
                raise RuntimeError(died)
            try:
                self._get(self.heartbeat)
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{self.name} was not ready after {self._start_timeout:g} s.\n{self._said()}"
                    ) from None
                time.sleep(0.05)
            else:
                return

    def _stop(self) -> None:
        # The group is signalled even when its leader has ended: what the leader started may have outlived it.
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, signal_number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(self._stop_timeout)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()

    def _death(self) -> str | None:
        status = self._process.poll()
        return None if status is None else f"{self.name} ended with status {status}.\n{self._said()}"

    def _said(self) -> str:
        return f"It said:\n{self._output.read_text(errors='replace')}"

    def _get(self, path: str) -> Any:
        status, body = self._ask("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path} was answered {status}: {body.decode(errors='replace')}")
        return json.loads(body)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        headers = HEADERS if body is None else {**HEADERS, "Content-Type": "application/json"}
        with closing(HTTPConnection(HOST, self._port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
