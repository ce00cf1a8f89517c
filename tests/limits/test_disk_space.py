"""The free space of the database's disk: where it is measured, and when something is stored again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, text

from bridge.limits.budgets import MIB
from bridge.limits.disk_space import DiskSpace
from bridge.system_alarms import AlarmCode, SystemAlarms
from storage import disk_space
from storage.engine import open_engine, reading

LARGE = 1024 * 1024 * MIB


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


def _disk(engine: Engine, min_free_mib: int = 256) -> tuple[DiskSpace, SystemAlarms]:
    alarms = SystemAlarms(lambda: 1, lambda: 1.0)
    return DiskSpace(engine, min_free_mib, alarms), alarms


def test_the_disk_that_the_database_fills_is_measured(engine: Engine) -> None:
    """PostgreSQL tells its directories to who may see all settings, and is on this machine: it has a socket here."""
    places = disk_space.directories(engine)
    if engine.dialect.name == "sqlite":
        assert places == [Path(str(engine.url.database)).resolve().parent]
    else:
        with reading(engine) as connection:
            assert places == [Path(connection.execute(text("SHOW data_directory")).scalar_one())]
    measured = _disk(engine)[0].measure()

    assert measured is not None
    assert measured[1] == shutil.disk_usage(places[0]).total


def test_a_database_file_behind_a_symbolic_link_is_measured_where_it_is(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(sqlite_url.removeprefix("sqlite:///"))
    engine = open_engine(f"sqlite:///{link}")
    assert disk_space.directories(engine) == [tmp_path.resolve()]
    engine.dispose()


def test_of_several_disks_the_fullest_counts_and_one_that_is_gone_none(tmp_path: Path) -> None:
    here = disk_space.free_and_total([tmp_path])
    assert here is not None
    assert disk_space.free_and_total([tmp_path / "gone"]) is None
    measured = disk_space.free_and_total([tmp_path, tmp_path / "gone", tmp_path])
    assert measured is not None
    assert measured[1] == here[1]


def test_below_the_mark_it_is_low_until_a_quarter_more_is_free_and_each_change_is_logged_once(engine: Engine) -> None:
    disk, alarms = _disk(engine)
    judged = []
    with structlog.testing.capture_logs() as logged:
        for free in (300, 256, 255, 10, 256, 300, 319, 320, 300, 255):
            disk.evaluate(free * MIB, LARGE)
            judged.append(disk.is_low)
            assert (disk.problem is not None) == disk.is_low == bool(alarms.current()), free

    assert judged == [False, False, True, True, True, True, True, False, False, True]
    assert [entry["event"] for entry in logged] == ["alarm_raised", "alarm_cleared", "alarm_raised"]
    assert [alarm.code for alarm in alarms.current()] == [AlarmCode.LOW_DISK]


def test_on_a_small_disk_the_mark_is_a_tenth_of_it(engine: Engine) -> None:
    disk, _ = _disk(engine)
    disk.evaluate(101 * MIB, 1000 * MIB)
    assert not disk.is_low
    disk.evaluate(99 * MIB, 1000 * MIB)
    assert disk.is_low


async def test_without_a_mark_nothing_is_ever_low(engine: Engine) -> None:
    disk, _ = _disk(engine, min_free_mib=0)
    await disk.run_once()

    assert not disk.is_low


async def test_it_looks_at_the_real_disk(engine: Engine) -> None:
    """A mark above what the disk has is reached at once, if it were not for the tenth."""
    disk, _ = _disk(engine, min_free_mib=1)
    await disk.run_once()
    measured = disk.measure()

    assert measured is not None
    assert disk.is_low == (measured[0] < min(MIB, measured[1] * 0.1))
