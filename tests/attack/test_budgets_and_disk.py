"""Floods of commits, and disks and files that go wrong under a running bridge."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from storage import pauses
from storage.engine import open_engine, reading, writing
from storage.journal import BODY_SIZE
from storage.migrations import migrate
from storage.pauses import Pause
from storage.tables import delivery
from tests.attack.disks import fill, small_disk
from tests.attack.lms import Lms
from tests.support.server import SCRIPT, StartServer

MIB = 1024 * 1024
NO_MARK = "[limits]\nmin_free_mib = 0\n"


async def _lms(http: aiohttp.ClientSession, new_server: StartServer, url: str, more: str = "") -> Lms:
    server = new_server(url, sections=more)
    lms = Lms(http, server, server.new_token())
    await server.start()
    return lms


def _journalled(url: str) -> tuple[int, int]:
    """Return the commits in the journal, and the bytes of their bodies."""
    engine = open_engine(url)
    with reading(engine) as connection:
        counted = select(func.count(), func.coalesce(func.sum(BODY_SIZE), 0))
        number, size = connection.execute(counted).one()
    engine.dispose()
    return number, size


class TestFloods:
    """More than a client may send."""

    async def test_one_commit_url_stores_no_more_than_its_budget_and_delays_nobody_else(
        self, http: aiohttp.ClientSession, new_server: StartServer, database_url: str
    ) -> None:
        # SQLite's with the budget as it is by default
        mib = 64 if database_url.startswith("sqlite") else 8
        lms = await _lms(
            http, new_server, database_url, "" if mib == 64 else f"[limits.session]\ncommits = 3600\nmib = {mib}"
        )
        url, other = await lms.commit_url("mallory"), await lms.commit_url("ada")
        refused = []
        for number in range(mib + 16):
            body = {"cmi": {"suspend_data": f"{number:06}" + "x" * (MIB - 200)}}
            reply = await lms.post(url, body, token="")
            if reply.status != 200:
                refused.append(reply)
        honest = await lms.post(other, {"cmi": {"suspend_data": "mine"}}, token="")
        assert honest.status == 200
        assert {(refusal.status, refusal.body["code"]) for refusal in refused} == {(429, "session-over-limit")}
        assert all(int(refusal.headers["Retry-After"]) >= 1 for refusal in refused)
        assert refused[0].headers["Content-Type"] == "application/problem+json"
        number, size = _journalled(database_url)
        assert number == mib + 16 - len(refused) + 1
        assert (mib - 4) * MIB <= size <= (mib + 8) * MIB
        assert lms.server.log.count("client_over_limit") == 1
        assert lms.server.log.count("alarm_raised") == 1
        assert [alarm["code"] for alarm in (await lms.ready()).body["alarms"]] == ["over-limit"]

    @pytest.mark.parametrize("scope", ["session", "learner", "lms"])
    async def test_each_budget_counts_what_comes_by_any_way(
        self, http: aiohttp.ClientSession, new_server: StartServer, sqlite_url: str, scope: str
    ) -> None:
        """A commit URL's token says whose the session is, so that its commits count for the learner and the LMS."""
        more = f"[limits.{scope}]\ncommits = 12\ncommits_per_minute = 1\n"
        lms = await _lms(http, new_server, sqlite_url, more)
        urls = [await lms.commit_url("u1", f"{number}") for number in range(1 if scope == "session" else 3)]
        answers: Counter[tuple[int, str]] = Counter()
        for number in range(30):
            reply = await lms.post(urls[number % len(urls)], {"cmi": {"suspend_data": f"{number}"}}, token="")
            answers[reply.status, reply.body.get("code", "")] += 1

        openings = 0 if scope == "session" else len(urls)
        assert answers == {(200, ""): 12 - openings, (429, f"{scope}-over-limit"): 18 + openings}
        assert _journalled(sqlite_url)[0] == 12 - openings
        elsewhere = await lms.commit("u2")
        assert elsewhere.status == (429 if scope == "lms" else 200)

    async def test_readiness_is_asked_by_a_crowd_and_names_nobody(
        self, http: aiohttp.ClientSession, new_server: StartServer, database_url: str
    ) -> None:
        more = '[[targets]]\nname = "lrs"\nendpoint = "http://127.0.0.1:9/xapi/"\n'
        lms = await _lms(http, new_server, database_url, more)
        await lms.commit("learner-canary")
        engine = open_engine(database_url)
        with writing(engine) as connection:
            pauses.begin(connection, Pause("lrs", since=1, by="admin-canary", reason="reason-canary", automatic=False))
            waiting = connection.execute(select(func.count()).select_from(delivery)).scalar_one()
        engine.dispose()
        replies = await asyncio.gather(*(lms.ready() for _ in range(300)))

        assert {reply.status for reply in replies} == {200}
        assert "canary" not in "".join(str(reply.body) for reply in replies)
        assert replies[-1].body["waiting"] == {"lrs": waiting}
        assert replies[-1].body["paused"]["lrs"]["automatic"] is False


class TestDisks:
    """A disk that fills up."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk(tmp_path / "disk", "40m") as place:
            yield place

    async def test_a_full_disk_makes_it_unready_until_there_is_room(
        self, http: aiohttp.ClientSession, new_server: StartServer, disk: Path
    ) -> None:
        lms = await _lms(http, new_server, _migrated(disk), NO_MARK)
        assert (await lms.ready()).status == 200
        filled = fill(disk)
        assert (await lms.until_committed(503)).body["code"] == "database-unavailable"
        for _ in range(20):
            reply = await lms.ready()
            assert (reply.status, [alarm["code"] for alarm in reply.body["alarms"]]) == (503, ["commits-not-stored"])
            assert (await lms.commit()).status == 503
        filled.unlink()
        ready = await lms.until_ready(200)
        assert ready.body["alarms"] == []
        assert (await lms.commit()).status == 200
        assert lms.server.log.count("alarm_raised") == lms.server.log.count("alarm_cleared") == 1

    async def test_a_disk_that_is_nearly_full_is_left_room(
        self, http: aiohttp.ClientSession, new_server: StartServer, disk: Path
    ) -> None:
        """The mark is a tenth of so small a disk."""
        lms = await _lms(http, new_server, _migrated(disk))
        assert (await lms.commit()).status == 200
        filled = fill(disk, leave=3 * MIB)
        refused = await lms.until_committed(503)
        assert (refused.body["code"], refused.body["result"]) == ("disk-low", False)
        assert int(refused.headers["Retry-After"]) > 0
        unready = await lms.ready()
        assert (unready.status, [alarm["code"] for alarm in unready.body["alarms"]]) == (503, ["low-disk"])
        free = shutil.disk_usage(disk).free
        for _ in range(50):
            assert (await lms.commit(cmi={"suspend_data": "x" * 100_000})).status == 503
        assert shutil.disk_usage(disk).free >= free
        filled.unlink()
        await lms.until_ready(200)
        assert (await lms.commit()).status == 200
        assert lms.server.log.count("alarm_raised") == lms.server.log.count("alarm_cleared") == 1


def _migrated(disk: Path) -> str:
    """Make a database on a disk; return its URL."""
    url = f"sqlite:///{disk / 'bridge.db'}"
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    return url


class TestFiles:
    """SQLite's files under a running bridge."""

    async def test_a_damaged_file_makes_it_unready_until_it_is_mended(
        self, http: aiohttp.ClientSession, new_server: StartServer, sqlite_url: str
    ) -> None:
        path = _path(sqlite_url)
        server = new_server(sqlite_url)
        lms = Lms(http, server, server.new_token())
        offset, page = _spoil(path, "journal")
        await lms.server.start()
        for _ in range(10):
            assert (await lms.commit()).status == 503
            assert (await lms.ready()).status == 503
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(page)
        await lms.until_ready(200)

        assert (await lms.commit()).status == 200

    @pytest.mark.parametrize("deed", ["deleted", "replaced"])
    async def test_a_file_that_is_gone_is_noticed_at_once_and_nothing_is_answered_200_until_it_is_back(
        self, http: aiohttp.ClientSession, new_server: StartServer, sqlite_url: str, deed: str
    ) -> None:
        path = _path(sqlite_url)
        lms = await _lms(http, new_server, sqlite_url)
        assert (await lms.commit()).status == 200
        backup = path.rename(path.with_suffix(".kept"))
        if deed == "replaced":
            shutil.copy(backup, path)
        await lms.until_committed(503)
        for _ in range(3):
            refused = await lms.commit()
            assert (refused.status, refused.body["code"]) == (503, "database-unavailable")
        unready = await lms.ready()
        assert (unready.status, str(path) in unready.body["reason"]) == (503, False)
        assert f"{path} is {'gone' if deed == 'deleted' else 'another file now'}" in lms.server.log
        backup.rename(path)
        await lms.until_ready(200)
        assert (await lms.commit("u2")).status == 200

    async def test_a_log_that_is_deleted_costs_nothing_that_was_answered(
        self, http: aiohttp.ClientSession, new_server: StartServer, sqlite_url: str
    ) -> None:
        lms = await _lms(http, new_server, sqlite_url)
        for number in range(5):
            assert (await lms.commit(f"u{number}")).status == 200
        os.unlink(f"{_path(sqlite_url)}-wal")  # noqa: PTH108 -- blocks no longer than a Path would
        assert (await lms.until_committed(503)).body["code"] == "database-unavailable"
        assert (await lms.ready()).status == 503
        assert await lms.server.stop() == 0
        assert _journalled(sqlite_url)[0] >= 5
        whole = sqlite3.connect(_path(sqlite_url))
        assert whole.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        whole.close()

    @pytest.mark.parametrize("link", ["symbolic", "hard", "of the directory"])
    async def test_a_second_bridge_is_refused_by_whatever_name_it_opens_the_file(
        self, http: aiohttp.ClientSession, new_server: StartServer, sqlite_url: str, tmp_path: Path, link: str
    ) -> None:
        path = _path(sqlite_url)
        await _lms(http, new_server, sqlite_url)
        other = tmp_path / "elsewhere" / "other.db"
        if link == "of the directory":
            other.parent.symlink_to(path.parent)
            other = other.parent / path.name
        else:
            other.parent.mkdir()
            other.symlink_to(path) if link == "symbolic" else other.hardlink_to(path)
        second = await _run("serve", f"sqlite:///{other}")

        assert second[0] == 69
        assert "Another bridge serves" in second[1]

    async def test_files_are_their_owner_s_alone_and_it_says_where_they_are_not(
        self, http: aiohttp.ClientSession, new_server: StartServer, tmp_path: Path
    ) -> None:
        place = tmp_path / "database"
        place.mkdir()
        url = f"sqlite:///{place / 'bridge.db'}"
        before = os.umask(0)
        try:
            assert _migrated(place) == url
            lms = await _lms(http, new_server, url)
        finally:
            os.umask(before)
        assert (await lms.commit()).status == 200
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in place.iterdir()}
        assert modes == {"bridge.db": "0o600", "bridge.db-wal": "0o600", "bridge.db-shm": "0o600"}
        assert "readable_by_others" not in lms.server.log
        await lms.server.stop()
        (place / "bridge.db").chmod(0o644)
        await lms.server.start()
        assert "database_readable_by_others" in lms.server.log
        assert "bridge.db (0644)" in lms.server.log


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _spoil(path: Path, table: str) -> tuple[int, bytes]:
    """Overwrite the first page of a table; return where it is and what was there."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        (number,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    offset = (number - 1) * page_size
    with path.open("r+b") as file:
        file.seek(offset)
        before = file.read(page_size)
        file.seek(offset)
        file.write(b"\xff" * page_size)
    return offset, before


async def _run(command: str, url: str) -> tuple[Any, str]:
    """Run a command on a database; return its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        SCRIPT,
        command,
        env=os.environ | {"SCORM_BRIDGE_DATABASE__URL": url, "SCORM_BRIDGE_SERVER__PORT": "0"},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        _, output = await process.communicate()
    return process.returncode, output.decode()
