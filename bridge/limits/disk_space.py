"""The free space on the database's disk, measured periodically: below a mark nothing new is stored.

A full disk also stops what the bridge has to finish: noting what LRSs have answered, and SQLite's own housekeeping.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from bridge.database import log_failure
from bridge.limits.budgets import MIB
from bridge.periodic_task import PeriodicTask
from bridge.system_alarms import AlarmCode, SystemAlarms
from storage import disk_space

log = structlog.get_logger(__name__)

DISK_INTERVAL = 1.0
"""Seconds between measurements."""
MAX_DISK_SHARE = 0.1
"""Share of the disk that the mark is at most: small disks are of use, too."""
RECOVERY_FACTOR = 1.25
"""Times the mark that must be free before anything is stored again."""


class DiskSpace(PeriodicTask):
    """Measures the disk of the database on a thread, as file systems can hang.

    `is_low` says what it came to, `problem` says it in words.
    `min_free_mib` is the mark in MiB, 0 for none. PostgreSQL is measured where it says its directories and they are on
    this machine.
    """

    def __init__(self, engine: Engine, min_free_mib: int, alarms: SystemAlarms) -> None:
        super().__init__(DISK_INTERVAL)
        self._engine = engine
        self._min_free = min_free_mib * MIB
        self._alarms = alarms
        self._places: list[Path] | None = None
        self.is_low = False
        self.problem: str | None = None
        self.free: int | None = None
        """Bytes that were free when the disk was last measured; None where that is not known."""
        self.mark = 0.0
        """Bytes below which nothing new is stored."""

    async def run_once(self) -> bool:
        """Measure once."""
        if self._min_free:
            measured = await asyncio.to_thread(self.measure)
            if measured is not None:
                self.evaluate(*measured)
        self._alarms.current()  # those whose time is over are cleared
        return False

    def measure(self) -> tuple[int, int] | None:
        """Return the bytes that are free and the size of the disk; None where that is not known."""
        if self._places is None:
            try:
                self._places = disk_space.directories(self._engine)
            except DBAPIError as error:
                log_failure(log, "disk_not_measured", error)
                return None
        return disk_space.free_and_total(self._places)

    def evaluate(self, free: int, total: int) -> None:
        """Evaluate a measurement."""
        mark = min(self._min_free, total * MAX_DISK_SHARE)
        self.free, self.mark = free, mark
        self.is_low = free < mark * (RECOVERY_FACTOR if self.is_low else 1)
        if self.is_low:
            self.problem = (
                f"the disk of the database has {free // MIB:,} MiB left, and nothing new is stored below"
                f" {mark / MIB:,.0f} MiB"
            )
            self._alarms.raise_alarm(AlarmCode.LOW_DISK, self.problem)
        else:
            self.problem = None
            self._alarms.clear(AlarmCode.LOW_DISK)
