"""Three PostgreSQL servers, of which Patroni decides, by a lock in etcd, which one takes writes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import psycopg

from tests.support.replication import kill_server, server_folder, server_programs, server_user
from tests.support.server import free_port

DEADLINE = 180
"""Seconds that the cluster may take until it is what is waited for: the lock of a lost server is held for `ttl`."""
SCOPE = "bridge"
POLL_INTERVAL = 0.05
REFUSED_TIMEOUT = 3
"""Seconds in which a server must take a connection that is asked for its role."""
DYNAMIC: dict[str, Any] = {
    "ttl": 20,
    "loop_wait": 2,
    "retry_timeout": 5,
    "synchronous_mode": True,
    "postgresql": {
        "use_pg_rewind": True,
        "parameters": {"synchronous_commit": "on", "wal_log_hints": "on", "fsync": "on", "max_connections": 100},
    },
}
"""What all servers share, in etcd."""


@dataclass
class PatroniNode:
    """A Patroni and its server: the folder of both, and the ports that they keep."""

    name: str
    directory: Path
    port: int
    api_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Return the server's own folder."""
        return self.directory / "data"

    @property
    def settings(self) -> Path:
        """Return Patroni's settings."""
        return self.directory / "patroni.json"

    @property
    def takes_writes(self) -> bool:
        """Return whether its server is a primary."""
        address = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        try:
            with psycopg.connect(address, connect_timeout=REFUSED_TIMEOUT) as connection:
                return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
        except psycopg.OperationalError:
            return False


class _Member(msgspec.Struct):
    name: str
    role: str
    state: str


class _Members(msgspec.Struct):
    members: list[_Member]


class PatroniCluster:
    """An etcd and three nodes; `url` is that of a database of all, for a client that finds the primary by itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._user = server_user()
        self._etcd_port = free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self._handover: subprocess.Popen[bytes] | None = None
        self.nodes = [PatroniNode(name, directory / name, free_port(), free_port()) for name in ("one", "two", "three")]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self.url = f"postgresql://postgres@{hosts}/bridge"

    def start(self) -> None:
        """Start everything, and create the database."""
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, free_port()))
        options = {
            "name": "etcd",
            "data-dir": self._directory / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"etcd={peer}",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self._etcd = self._run(["etcd", *arguments], self._directory / "etcd.log")
        for node in self.nodes:
            node.directory.mkdir()
            node.settings.write_bytes(msgspec.json.encode(self._settings(node)))
            if self._user is not None:
                shutil.chown(node.directory, self._user)
            self.start_node(node)
        self.settle()
        with psycopg.connect(self.url.replace("/bridge", "/postgres?target_session_attrs=read-write")) as connection:
            connection.autocommit = True
            connection.execute("CREATE DATABASE bridge")

    @property
    def primary(self) -> PatroniNode:
        """Return the node whose server takes writes."""
        return next(node for node in self.nodes if node.takes_writes)

    def kill_primary(self) -> tuple[PatroniNode, float]:
        """Kill the primary and its Patroni; return it, and when another one took writes, by the monotonic clock."""
        lost = self.primary
        self._kill(lost)
        return lost, self._promotion_of([node for node in self.nodes if node is not lost])

    def switch_over(self) -> float:
        """Let the primary hand over to the synchronous standby, as for maintenance; return when that took writes."""
        primary = self.primary
        names = {member.name for member in self._members() if member.role == "sync_standby"}
        candidate = next(node for node in self.nodes if node.name in names)
        options = ("--master", primary.name, "--candidate", candidate.name, "--force")
        command = ["patronictl", "-c", str(primary.settings), "switchover", SCOPE, *options]
        self._handover = self._run(command, self._directory / "patronictl.log")
        return self._promotion_of([candidate])

    def start_node(self, node: PatroniNode) -> None:
        """Start a node's Patroni, which rewinds what its server had ahead of the others."""
        node.process = self._run(["patroni", str(node.settings)], node.directory / "patroni.log")

    def settle(self) -> None:
        """Wait until all nodes are there, one as the synchronous standby."""
        if self._handover is not None:
            if self._handover.wait(DEADLINE):
                raise RuntimeError((self._directory / "patronictl.log").read_text(encoding="utf-8"))
            self._handover = None
        self._wait(self._is_whole, "a node does not follow")

    def close(self) -> None:
        """End everything."""
        for node in self.nodes:
            self._kill(node)
        for process in (self._handover, self._etcd):
            if process is not None:
                process.kill()
                process.wait()

    def _kill(self, node: PatroniNode) -> None:
        # Patroni first: it would start its server again
        if node.process is None:
            return
        node.process.kill()
        node.process.wait()
        kill_server(node.data)
        with suppress(ProcessLookupError):
            os.killpg(node.process.pid, signal.SIGKILL)  # what it was just copying with
        node.process = None

    def _promotion_of(self, nodes: list[PatroniNode]) -> float:
        self._wait(lambda: any(node.takes_writes for node in nodes), "nobody takes over")
        return time.monotonic()

    def _is_whole(self) -> bool:
        """Return whether there is a primary, a synchronous standby, and another one that follows."""
        roles = [member.role for member in self._members() if member.state in {"running", "streaming"}]
        return sorted(roles) == ["leader", "replica", "sync_standby"]

    def _members(self) -> list[_Member]:
        """Return what any Patroni says of all nodes."""
        for node in self.nodes:
            address = f"http://127.0.0.1:{node.api_port}/cluster"
            with suppress(OSError, msgspec.DecodeError), urlopen(address, timeout=REFUSED_TIMEOUT) as response:
                return msgspec.json.decode(response.read(), type=_Members).members
        return []

    def _wait(self, condition: Callable[[], bool], problem: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                logs = [log.read_text(encoding="utf-8")[-3000:] for log in self._directory.glob("**/*.log")]
                raise TimeoutError(f"{problem}: {self._members()} {' '.join(logs)}")
            time.sleep(POLL_INTERVAL)  # Patroni sets no event

    def _settings(self, node: PatroniNode) -> dict[str, Any]:
        address, api_address = f"127.0.0.1:{node.port}", f"127.0.0.1:{node.api_port}"
        person = {"username": "postgres", "password": "unused"}
        return {
            "scope": SCOPE,
            "name": node.name,
            "restapi": {"listen": api_address, "connect_address": api_address},
            "etcd3": {"hosts": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {"dcs": DYNAMIC, "initdb": [{"encoding": "utf8"}, {"auth": "trust"}]},
            "postgresql": {
                "listen": address,
                "connect_address": address,
                "data_dir": str(node.data),
                "bin_dir": str(server_programs()),
                "pgpass": str(node.directory / "pgpass"),
                "authentication": {"superuser": person, "replication": person, "rewind": person},
                "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
                "parameters": {"unix_socket_directories": ""},
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }

    def _run(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._directory), "LC_ALL": "C.UTF-8"}
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                user=self._user,
                cwd=self._directory,
                env=environment,
                start_new_session=True,
            )


@contextmanager
def patroni_cluster(owner: Path) -> Iterator[PatroniCluster]:
    """Run a cluster in a folder that belongs to whom another server's folder belongs to."""
    for program in ("patroni", "patronictl", "etcd"):
        if shutil.which(program) is None:
            raise RuntimeError(f"The test needs {program}: run `make chaos-tools`.")
    with server_folder(owner) as directory:
        cluster = PatroniCluster(directory)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()
