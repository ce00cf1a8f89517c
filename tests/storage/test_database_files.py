"""SQLite's files: whose they are, and whether they are still the ones that were opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext as does_not_raise
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.database_files import DatabaseFileLostError, OpenFiles, readable_by_others, sqlite_path
from storage.engine import open_engine, reading, writing
from storage.process_lock import CannotServeError, only_writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{path}")
    with writing(opened) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    yield opened
    opened.dispose()


@pytest.fixture
def files(engine: Engine) -> Iterator[OpenFiles]:
    opened = OpenFiles(engine)
    opened.verify()
    yield opened
    opened.close()


def _modes(directory: Path) -> dict[str, str]:
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in directory.iterdir() if file.is_file()}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_new_files_are_their_owner_s_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
        with writing(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE t (x)")
            assert _modes(tmp_path) == {"new.db": "600", "new.db-wal": "600", "new.db-shm": "600"}
    finally:
        os.umask(before)
    engine.dispose()


def test_a_file_that_is_there_keeps_its_mode_and_is_named_where_others_may_read_it(path: Path, engine: Engine) -> None:
    assert readable_by_others(f"sqlite:///{path}") == []
    engine.dispose()
    path.chmod(0o640)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert _modes(path.parent)["bridge.db"] == "640"
        named = readable_by_others(f"sqlite:///{path}")
    assert named[0] == f"{path} (0640)"
    assert len(named) == 3
    assert readable_by_others("postgresql://bridge@db/bridge") == []


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("deed", ["deleted", "replaced"])
def test_a_file_that_is_gone_or_another_one_is_noticed_and_the_same_one_is_welcome_again(
    files: OpenFiles, engine: Engine, path: Path, suffix: str, deed: str
) -> None:
    victim, away = Path(f"{path}{suffix}"), path.with_name("away")
    files.verify()
    victim.rename(away)
    if deed == "replaced":
        victim.write_bytes(away.read_bytes())
    for _ in range(2):
        with pytest.raises(DatabaseFileLostError, match=f"{victim} is (gone|another file now)"):
            files.verify()
    away.rename(victim)
    files.verify()
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")


def test_while_a_file_is_lost_no_connection_is_made_that_would_create_it_anew(
    files: OpenFiles, engine: Engine, path: Path
) -> None:
    path.unlink()
    engine.dispose()
    with pytest.raises(DatabaseFileLostError), reading(engine):
        pass

    assert not path.exists()


def test_the_log_stays_the_same_file_although_all_other_connections_close(
    files: OpenFiles, engine: Engine, path: Path
) -> None:
    for _ in range(3):
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        engine.dispose()
        other = sqlite3.connect(path)
        other.execute("SELECT * FROM t").fetchall()
        other.close()
        with does_not_raise():
            files.verify()


@pytest.mark.parametrize("kind", ["itself", "symbolic link", "hard link", "link of the directory"])
def test_one_bridge_at_a_time_serves_a_file_by_whatever_name(engine: Engine, path: Path, kind: str) -> None:
    other = path
    if kind == "symbolic link":
        other = path.with_name("link.db")
        other.symlink_to(path)
    elif kind == "hard link":
        other = path.with_name("link.db")
        other.hardlink_to(path)
    elif kind == "link of the directory":
        (path.parent.parent / f"{path.parent.name}-link").symlink_to(path.parent)
        other = path.parent.parent / f"{path.parent.name}-link" / path.name
    second = only_writer(f"sqlite:///{other}")
    with only_writer(f"sqlite:///{path}"), pytest.raises(CannotServeError, match="Another bridge serves"), second:
        pass
    with only_writer(f"sqlite:///{other}"):
        pass


def test_being_the_one_bridge_shuts_no_command_out(engine: Engine, path: Path) -> None:
    with only_writer(f"sqlite:///{path}"), writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        command = sqlite3.connect(path, timeout=0, isolation_level=None)
        assert command.execute("SELECT count(*) FROM t").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            command.execute("BEGIN IMMEDIATE")
        command.close()


def test_a_file_in_a_directory_that_does_not_exist_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(CannotServeError, match="cannot open"), only_writer(f"sqlite:///{tmp_path / 'no' / 'b.db'}"):
        pass


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///bridge.db", Path("bridge.db")),
        ("sqlite:////var/lib/bridge.db", Path("/var/lib/bridge.db")),
        ("sqlite:///file:/var/lib/a%20b.db?uri=true", Path("/var/lib/a b.db")),
        ("postgresql://bridge@db/bridge", None),
    ],
)
def test_the_path_is_the_one_that_sqlite_opens(url: str, path: Path | None) -> None:
    assert sqlite_path(url) == path
