"""Opening a database: what is committed is on disk, and no concurrent write is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, create_engine, func, make_url, select
from sqlalchemy.exc import IntegrityError, OperationalError

from storage import attempts
from storage.database_url import DatabaseUrlError
from storage.engine import BUSY_TIMEOUT, MAX_LOG_SIZE, PAGE_SIZE, open_engine, reading, writing
from storage.prepared import execute
from storage.tables import lms, token
from tests.storage.builders import NOW, add_lms, launched, save
from tests.storage.threads import at_once

THREADS, EACH = 8, 25


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


def _add_one(connection: Connection, session_id: str) -> None:
    """Read an attempt, change what was read and write it back, as the service does for a commit."""
    attempts.lock(connection, (), [session_id])
    session = attempts.load_sessions(connection, [session_id])[session_id]
    session.attempt.total_time += 1
    session.attempt.changed = True
    save(connection, session.attempt)


def _total_time(engine: Engine, session_id: str) -> int:
    with reading(engine) as connection:
        return attempts.load_sessions(connection, [session_id])[session_id].attempt.total_time


def _lmss(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(lms)).scalar_one()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", BUSY_TIMEOUT)],
)
def test_every_sqlite_connection_is_set_up_to_lose_nothing(sqlite_engine: Engine, pragma: str, value: object) -> None:
    """`synchronous` 2 is FULL: with NORMAL a power cut takes the last commits, which had been answered 200."""
    with reading(sqlite_engine) as first, reading(sqlite_engine) as second:
        for connection in (first, second):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


@pytest.mark.parametrize(("existing", "expected"), [(None, PAGE_SIZE), (4096, 4096)])
def test_a_new_file_has_small_pages_and_the_log_of_one_with_others_is_as_long(
    existing: int | None, expected: int, tmp_path: Path
) -> None:
    path = tmp_path / "bridge.db"
    if existing:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(f"PRAGMA page_size = {existing}; CREATE TABLE old (id)")
    engine = open_engine(f"sqlite:///{path}")
    with reading(engine) as opened:
        size, pages = (
            opened.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_size", "wal_autocheckpoint")
        )
    engine.dispose()

    assert (size, size * pages) == (expected, MAX_LOG_SIZE)


def test_sqlite_refuses_a_row_whose_owner_does_not_exist(sqlite_engine: Engine) -> None:
    """The pragma reads 1 also where SQLite was built without foreign keys."""
    with pytest.raises(IntegrityError), writing(sqlite_engine) as connection:
        connection.execute(token.insert().values(lms_id=99, digest="d", created_at=NOW))


def test_a_writing_transaction_has_the_write_lock_before_it_reads(sqlite_engine: Engine, sqlite_url: str) -> None:
    """Without BEGIN IMMEDIATE two transactions may read the same row before either writes."""
    other = create_engine(sqlite_url, connect_args={"timeout": 0})
    with writing(sqlite_engine), other.connect() as impatient, pytest.raises(OperationalError, match="locked"):
        impatient.exec_driver_sql("BEGIN IMMEDIATE")
    other.dispose()


def test_a_file_that_another_process_writes_is_waited_for_even_before_it_has_a_wal(tmp_path: Path) -> None:
    """SQLite's own busy timeout does not cover the switch to WAL, and two bridges may start on a new file at once."""
    holder = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN IMMEDIATE")
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")

    def write() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(write)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.05)
        holder.execute("COMMIT")
        waiting.result(timeout=10)
    holder.close()
    engine.dispose()


def test_postgresql_syncs_commits_whatever_the_database_is_set_to(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {make_url(postgresql_url).database} SET synchronous_commit TO off")
    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    engine = open_engine(postgresql_url)
    with suppress(ZeroDivisionError), writing(engine):
        raise ZeroDivisionError  # a setting that belonged to the transaction would be gone now
    with writing(engine) as first, writing(engine) as second:
        for one in (first, second):
            assert one.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    engine.dispose()


def test_a_server_that_takes_no_writes_is_not_connected_to_unless_the_url_says_so(postgresql_url: str) -> None:
    """A standby refuses the same: libpq asks both whether a session is read-only."""
    name = make_url(postgresql_url).database
    engine = open_engine(postgresql_url)
    with writing(engine) as connection:
        add_lms(connection)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only TO on")
    engine.dispose()
    with pytest.raises(OperationalError, match="session is read-only"), reading(engine):
        pass
    engine.dispose()
    anywhere = open_engine(f"{postgresql_url}&target_session_attrs=any")
    with reading(anywhere) as connection:
        assert _lmss(connection) == 1
    anywhere.dispose()


@pytest.mark.parametrize(
    "write",
    [add_lms, lambda connection: execute(connection, "DELETE FROM lms")],
    ids=["by SQLAlchemy", "by the driver"],
)
def test_a_connection_whose_server_takes_no_more_writes_is_replaced(
    postgresql_url: str, write: Callable[[Connection], object]
) -> None:
    """Behind a proxy a connection outlives the server that it led to."""
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")  # as a standby is
        connection.commit()
        with pytest.raises(OperationalError, match="read-only transaction") as raised:
            write(connection)
        assert raised.value.connection_invalidated
    with writing(engine) as connection:
        write(connection)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is not a database URL"),
        ("scorm-bridge.db", "is not a database URL"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///file::memory:?uri=true", "must name a file"),
        ("sqlite:///file:kept?mode=memory&uri=true", "must name a file"),
        ("mysql://bridge@db/bridge", "names mysql"),
        ("mssql+pyodbc://bridge@db", "names mssql"),
        ("oracle://bridge@db", "names oracle"),
        ("postgresql://db:port/bridge", "is not a database URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_words(url: str, words: str) -> None:
    with pytest.raises(DatabaseUrlError, match=words):
        open_engine(url)


@pytest.mark.parametrize(
    "url", ["postgresql://bridge:canary/bridge", "mysql://bridge:canary@db/bridge", "//bridge:canary@db"]
)
def test_the_words_of_a_refusal_never_hold_the_password(url: str) -> None:
    """With the host forgotten, the password stands where a port would."""
    with pytest.raises(ValueError, match="a") as raised:
        open_engine(url)

    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"])
def test_the_driver_is_ours_whatever_the_url_says(driver: str, tmp_path: Path) -> None:
    engine = open_engine(f"{driver}:///{tmp_path / 'bridge.db'}")

    assert engine.url.drivername == "sqlite+pysqlite"
    assert not (tmp_path / "bridge.db").exists()


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_nothing_is_connected_to_before_it_is_needed(driver: str) -> None:
    assert open_engine(f"{driver}://nobody@no-such-host.invalid/none").url.drivername == "postgresql+psycopg"


def test_what_a_block_wrote_is_there_when_it_ends_and_gone_when_it_raises(engine: Engine) -> None:
    with writing(engine) as connection:
        add_lms(connection, "kept")
    with suppress(ZeroDivisionError), writing(engine) as connection:
        add_lms(connection, "lost")
        raise ZeroDivisionError
    with reading(engine) as connection:
        assert connection.execute(select(lms.c.name)).scalars().all() == ["kept"]


def test_readers_and_an_open_writer_do_not_wait_for_each_other(engine: Engine) -> None:
    with reading(engine) as early:
        assert _lmss(early) == 0
        with writing(engine) as writer:
            add_lms(writer, "new")
            with reading(engine) as late:
                assert _lmss(late) == 0
    with reading(engine) as connection:
        assert _lmss(connection) == 1


def test_a_reader_sees_one_state_of_the_database_to_its_end(engine: Engine) -> None:
    """A report asks several questions: what was stored between two of them must not tear it."""
    with reading(engine) as connection:
        assert _lmss(connection) == 0
        with writing(engine) as writer:
            add_lms(writer, "new")
        assert _lmss(connection) == 0


def test_concurrent_changes_of_one_attempt_lose_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        session_id = launched(connection).session_id

    def change(_number: int) -> None:
        for _ in range(EACH):
            with writing(engine) as connection:
                _add_one(connection, session_id)

    at_once(THREADS, change)

    assert _total_time(engine, session_id) == THREADS * EACH


def test_the_same_changes_are_lost_with_the_defaults_of_sqlalchemy(sqlite_engine: Engine, sqlite_url: str) -> None:
    """Proves that the test above can fail, and why `storage.engine` begins its transactions itself."""
    with writing(sqlite_engine) as connection:
        session_id = launched(connection).session_id
    plain = create_engine(sqlite_url)

    def change(_number: int) -> None:
        for _ in range(EACH):
            with suppress(OperationalError), plain.begin() as connection:
                _add_one(connection, session_id)

    at_once(THREADS, change)
    plain.dispose()

    assert 0 < _total_time(sqlite_engine, session_id) < THREADS * EACH
