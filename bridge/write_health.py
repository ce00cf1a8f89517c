"""Whether commits can be stored: by the latest transactions, or by a probe where there were none."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge.clock import Monotonic
from bridge.database import Database, describe_error
from bridge.periodic_task import PeriodicTask
from bridge.single_flight import SingleFlight
from bridge.system_alarms import AlarmCode, SystemAlarms
from storage import integrity
from storage.database_files import DatabaseFileLostError
from storage.migrations import fits

STORED_TTL = 5.0
"""Seconds for which a stored transaction shows that the next one will be stored."""
FAILURE_HOLD = 3.0
"""Seconds after a failure in which nothing shows that the next transaction will be stored."""
PROBE_TIMEOUT = 3.0
"""Seconds within which the database must have stored a probe."""
INTEGRITY_TIMEOUT = 20.0
RECOVERY_INTERVAL = 5.0
"""Seconds between probes after a failure, also where nobody requests `/readyz`."""
PROBE_SIZE = 8 * 1024
MAX_PROBE_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Failure:
    """A transaction that was not stored; `at` is monotonic, `size` in bytes of commits' bodies."""

    at: float
    reason: str
    size: int
    is_damage: bool


class WriteHealth(PeriodicTask):
    """Knows whether commits are stored. Writers call `record_stored` and `record_not_stored`, on any thread."""

    def __init__(self, database: Database, alarms: SystemAlarms, monotonic: Monotonic) -> None:
        super().__init__(RECOVERY_INTERVAL)
        self._database = database
        self._alarms = alarms
        self._monotonic = monotonic
        self._stored_at: float | None = None
        self._failure: _Failure | None = None
        self._probing = SingleFlight(self._probe)
        self._checking = SingleFlight(self._check_integrity)

    @property
    def is_storing(self) -> bool:
        """Return whether no transaction has failed, or one was stored since."""
        return self._failure is None

    def record_stored(self) -> None:
        """Record that a transaction was stored."""
        self._stored_at = now = self._monotonic()
        failure = self._failure
        if failure is not None and not failure.is_damage and now - failure.at >= FAILURE_HOLD:
            self._recovered()

    def record_not_stored(self, error: Exception, size: int = 0) -> None:
        """Record that a transaction was not stored, with commits whose bodies have so many bytes."""
        is_damage = integrity.is_damage(error) or (self._failure is not None and self._failure.is_damage)
        if isinstance(error, DatabaseFileLostError):
            # anybody may read this: the path is in the log
            reason = "a file of the database was deleted, moved or replaced; the log says which, and what to do"
        else:
            reason = f"the database does not take writes: {describe_error(error)}"
        self._failure = _Failure(self._monotonic(), reason, size, is_damage)
        self._alarms.raise_alarm(AlarmCode.NOT_STORED, reason)

    async def problem(self) -> str | None:
        """Return why commits cannot be stored now, or None if they can.

        Where the writer has been idle, or has failed and not stored anything since, it writes a probe, as large as what
        it could not store. A database that was damaged is checked before it is written.
        """
        failure = self._failure
        if failure is not None and self._monotonic() - failure.at < FAILURE_HOLD:
            return failure.reason
        if failure is None and self._stored_at is not None and self._monotonic() - self._stored_at < STORED_TTL:
            return None
        try:
            if failure is not None and failure.is_damage and not await self._checking.result(PROBE_TIMEOUT):
                return failure.reason
            return await self._probing.result(PROBE_TIMEOUT)
        except TimeoutError:
            reason = f"the database has not answered for {PROBE_TIMEOUT:.0f} seconds"
            return reason if failure is None else failure.reason

    async def run_once(self) -> bool:
        """Probe a database that has failed."""
        if self._failure is not None:
            await self.problem()
        return False

    async def _check_integrity(self) -> bool:
        whole = await asyncio.to_thread(integrity.finds_no_damage, self._database.engine, INTEGRITY_TIMEOUT)
        failure = self._failure
        if not whole and failure is not None:
            self._failure = _Failure(self._monotonic(), failure.reason, failure.size, is_damage=True)
        return whole

    async def _probe(self) -> str | None:
        failure = self._failure
        size = PROBE_SIZE if failure is None else min(failure.size + PROBE_SIZE, MAX_PROBE_SIZE)
        writer = self._database.commits
        try:
            current = await asyncio.wrap_future(
                writer.queue(lambda: writer.transaction(_write_probe, os.urandom(size)))
            )
        except (SQLAlchemyError, DatabaseFileLostError) as error:
            self.record_not_stored(error, 0 if failure is None else failure.size)
            return None if self._failure is None else self._failure.reason
        if not current:
            return "the schema is another release's; run `scorm-bridge migrate`"
        self.record_stored()
        if failure is not None and self._failure is failure:  # nothing has failed meanwhile
            self._recovered()
        return None

    def _recovered(self) -> None:
        self._failure = None
        self._alarms.clear(AlarmCode.NOT_STORED)


def _write_probe(connection: Connection, content: bytes) -> bool:
    """Write, unless this release cannot work with the schema; return whether it can."""
    if not fits(connection):
        return False
    integrity.write_test_row(connection, content)
    return True
