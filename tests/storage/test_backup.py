"""A backup is the database as it was when it began, is checked, and never takes another file's place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from storage import backup
from storage.backup import BackupError, copy_sqlite, postgresql_commands
from storage.database_files import sqlite_path
from storage.engine import open_engine, reading, writing
from storage.migrations import is_current
from storage.new_file import NewFileError
from storage.tables import lms
from tests.storage.builders import add_lms, launched
from tests.support.sql import closing_engine

Progress = Callable[[int, int], None]


def _ignore(_done: int, _total: int) -> None:
    pass


def _count(url: str) -> int:
    with closing_engine(url) as engine, reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(lms)).scalar_one())


@pytest.fixture
def engine(sqlite_url: str) -> Engine:
    """A SQLite database with a few rows, open as a bridge has it."""
    opened = open_engine(sqlite_url)
    with writing(opened) as connection:
        launched(connection)
    return opened


def test_it_is_the_database_as_it_was_when_it_began_whatever_is_written_at_each_step(
    engine: Engine, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one transaction for all steps, every write would start it again, and it would never end."""
    monkeypatch.setattr(backup, "STEP_PAGES", 1)
    steps: list[int] = []

    def write_something(done: int, _total: int) -> None:
        steps.append(done)
        with writing(engine) as connection:
            add_lms(connection, f"lms {len(steps)}")

    copy_sqlite(sqlite_url, tmp_path / "copy.db", write_something)

    assert len(steps) > 10
    assert steps == sorted(set(steps))
    assert _count(f"sqlite:///{tmp_path / 'copy.db'}") == 1
    assert _count(sqlite_url) == 1 + len(steps)


def test_it_is_one_file_for_its_owner_alone_that_a_bridge_can_open(
    engine: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    made = copy_sqlite(sqlite_url, tmp_path / "copies.db", _ignore)
    assert [path.name for path in tmp_path.glob("copies*")] == ["copies.db"]
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert made.size == made.file.stat().st_size > 0
    with closing_engine(f"sqlite:///{made.file}") as copy, reading(copy) as connection:
        assert is_current(connection)
    engine.dispose()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_no_file_is_overwritten(kind: str, engine: Engine, sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "there.db"
    file.symlink_to(tmp_path / "nowhere") if kind == "link" else file.write_bytes(b"mine")
    with pytest.raises(NewFileError, match="not overwritten"):
        copy_sqlite(sqlite_url, file, _ignore)
    assert file.is_symlink() or file.read_bytes() == b"mine"
    engine.dispose()


def test_a_file_that_appears_meanwhile_is_not_overwritten(engine: Engine, sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"

    def appear(_done: int, _total: int) -> None:
        file.write_bytes(b"mine")

    with pytest.raises(NewFileError, match="not overwritten"):
        copy_sqlite(sqlite_url, file, appear)
    assert file.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.partial"))
    engine.dispose()


def test_one_that_is_interrupted_leaves_no_file(engine: Engine, sqlite_url: str, tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_sqlite(sqlite_url, tmp_path / "copy.db", interrupt)
    assert not list(tmp_path.glob("copy*"))
    engine.dispose()


def test_a_damaged_database_is_said_and_leaves_no_backup_to_rely_on(
    engine: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    engine.dispose()
    path = sqlite_path(sqlite_url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'enrollment'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 200)
    with pytest.raises(BackupError, match=r"damaged|malformed"):
        copy_sqlite(sqlite_url, tmp_path / "copy.db", _ignore)

    assert not list(tmp_path.glob("copy*"))


def test_rows_that_refer_to_nothing_are_said(engine: Engine, sqlite_url: str, tmp_path: Path) -> None:
    engine.dispose()
    with closing(sqlite3.connect(str(sqlite_path(sqlite_url)))) as connection:
        connection.execute("DELETE FROM enrollment")
        connection.commit()
    with pytest.raises(BackupError, match="refer to others"):
        copy_sqlite(sqlite_url, tmp_path / "copy.db", _ignore)


def test_what_is_no_database_of_the_bridge_is_said(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")
    with pytest.raises(BackupError, match="no schema of the bridge"):
        copy_sqlite(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "copy.db", _ignore)


def test_a_directory_that_is_not_there_is_said(engine: Engine, sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(NewFileError, match="Create it first"):
        copy_sqlite(sqlite_url, tmp_path / "no" / "copy.db", _ignore)
    engine.dispose()


def test_the_commands_for_postgresql_hold_no_password() -> None:
    url = "postgresql://bridge:canary@db.example.org/scorm?password=canary&sslmode=require"
    dump, restore = postgresql_commands(url, Path("b c"))

    assert dump == ("pg_dump --format=custom '--file=b c' 'postgresql://bridge@db.example.org/scorm?sslmode=require'")
    assert "canary" not in dump + restore
