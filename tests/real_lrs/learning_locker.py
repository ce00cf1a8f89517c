"""Learning Locker's own statements service, started as a real LRS that strictly follows xAPI 1.0.3."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urlsplit

import aiohttp

if TYPE_CHECKING:
    from types import TracebackType

HOST = "127.0.0.1"
SERVICE = Path(__file__).parent / "node_modules/@learninglocker/xapi-statements/dist/index.js"
HEADERS = {
    # The service takes any credentials, but it wants some.
    "Authorization": aiohttp.encode_basic_auth("tester", "secret"),
    "X-Experience-API-Version": "1.0.3",
}


class LearningLocker:
    """A running LRS that keeps its statements in memory, and takes any Basic credentials.

    Use it as a context manager: the service runs from entering to leaving. `endpoint` is what a target is
    configured with.
    """

    def __init__(self, *, start_timeout: float = 60, stop_timeout: float = 5) -> None:
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._cleanup = ExitStack()

    @property
    def endpoint(self) -> str:
        """The xAPI base address, with a slash at its end."""
        return f"http://{HOST}:{self._port}/xAPI/"

    def __enter__(self) -> Self:
        node = shutil.which("node")
        if node is None or not SERVICE.exists():
            raise RuntimeError(
                "Learning Locker's statements service cannot be started: "
                + ("node was not found. Install Node.js, then" if node is None else "its packages are missing:")
                + " run `make player test-tools`."
            )
        with ExitStack() as cleanup:
            self._start(node, Path(cleanup.enter_context(tempfile.TemporaryDirectory())), cleanup)
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
        found: list[dict[str, Any]] = []
        path = f"{urlsplit(self.endpoint).path}statements?" + urlencode({"ascending": "true", **query})
        while path:
            page = self._get(path)
            found += page["statements"]
            path = page.get("more", "")
        return found

    def _start(self, node: str, directory: Path, cleanup: ExitStack) -> None:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self._port: int = probe.getsockname()[1]
        environment = {
            **os.environ,
            "AUTH_REPO": "test",
            "EVENTS_REPO": "test",
            "EXPRESS_BODY_PARSER_LIMIT": "5mb",
            "EXPRESS_PORT": str(self._port),
            "FS_LOCAL_STORAGE_DIR": str(directory),
            "MODELS_REPO": "memory",
            "SERVICE_AWAIT_UPDATES": "false",
            "STORAGE_REPO": "local",
            "WINSTON_CONSOLE_LEVEL": "error",
        }
        self._output = directory / "output.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [node, "--no-deprecation", "--unhandled-rejections=warn", str(SERVICE)],
                cwd=directory,
                env=environment,
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
                self._get(f"{urlsplit(self.endpoint).path}about")
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"Learning Locker was not ready after {self._start_timeout:g} s.\n{self._said()}"
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
        return None if status is None else f"Learning Locker ended with status {status}.\n{self._said()}"

    def _said(self) -> str:
        return f"It said:\n{self._output.read_text(errors='replace')}"

    def _get(self, path: str) -> Any:
        with closing(HTTPConnection(HOST, self._port, timeout=60)) as connection:
            connection.request("GET", path, headers=HEADERS)
            reply = connection.getresponse()
            body = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"GET {path} was answered {reply.status}: {body.decode(errors='replace')}")
        return json.loads(body)
