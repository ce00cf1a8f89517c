"""Whether commits can be stored: what the writer lately did, and a write to see where it did nothing."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge.clock import Monotonic
from bridge.database import Database, describe
from bridge.periodic_task import PeriodicTask
from bridge.single_flight import SingleFlight
from bridge.system_alarms import AlarmCode, SystemAlarms
from storage import integrity, write_probe
from storage.database_files import DatabaseFileLostError
from storage.migrations import is_current

RECENT = 5.0
"""Seconds for which a transaction that was stored shows that the next one will be."""
FAILURE_HOLD = 3.0
"""Seconds after a commit that was not stored in which nothing shows that the next one will be."""
PROBE_TIMEOUT = 3.0
"""Seconds within which the database must have taken a write."""
INTEGRITY_TIMEOUT = 20.0
RECOVERY_INTERVAL = 5.0
"""Seconds between looks whether the database takes writes again, also where nobody asks `/readyz`."""
PROBE_SIZE = 8 * 1024
MAX_PROBE_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Failure:
    """A transaction that the database did not take; `at` is monotonic, `size` in bytes of commits' bodies."""

    at: float
    reason: str
    size: int
    is_damage: bool


class WriteHealth(PeriodicTask):
    """Knows whether commits are stored. `stored` and `not_stored` are called by whoever writes, on any thread."""

    def __init__(self, database: Database, alarms: SystemAlarms, monotonic: Monotonic) -> None:
        super().__init__(RECOVERY_INTERVAL)
        self._database = database
        self._alarms = alarms
        self._monotonic = monotonic
        self._stored_at: float | None = None
        self._failure: _Failure | None = None
        self._probing = SingleFlight(self._probe)
        self._looking = SingleFlight(self._look_for_damage)

    def stored(self) -> None:
        """Note that a transaction was stored."""
        self._stored_at = now = self._monotonic()
        failure = self._failure
        if failure is not None and not failure.is_damage and now - failure.at >= FAILURE_HOLD:
            self._recovered()

    def not_stored(self, error: Exception, size: int = 0) -> None:
        """Note that the database did not take a transaction, with commits whose bodies have so many bytes."""
        is_damage = integrity.is_damage(error) or (self._failure is not None and self._failure.is_damage)
        if isinstance(error, DatabaseFileLostError):
            # anybody may ask for this: the path is in the log
            reason = "a file of the database was deleted, moved or replaced; the log says which, and what to do"
        else:
            reason = f"the database does not take writes: {describe(error)}"
        self._failure = _Failure(self._monotonic(), reason, size, is_damage)
        self._alarms.raise_alarm(AlarmCode.NOT_STORED, reason)

    async def problem(self) -> str | None:
        """Return why commits cannot be stored now, or None if they can.

        Where the writer has been idle, or has failed and not stored anything since, it is asked to write something, as
        large as what it could not store. A database that has shown damage is read again before it is trusted.
        """
        failure = self._failure
        if failure is not None and self._monotonic() - failure.at < FAILURE_HOLD:
            return failure.reason
        if failure is None and self._stored_at is not None and self._monotonic() - self._stored_at < RECENT:
            return None
        try:
            if failure is not None and failure.is_damage and not await self._looking.result(PROBE_TIMEOUT):
                return failure.reason
            return await self._probing.result(PROBE_TIMEOUT)
        except TimeoutError:
            reason = f"the database has not answered for {PROBE_TIMEOUT:.0f} seconds"
            return reason if failure is None else failure.reason

    async def run_once(self) -> bool:
        """Check whether a database that was in trouble takes writes again."""
        if self._failure is not None:
            await self.problem()
        return False

    async def _look_for_damage(self) -> bool:
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
                writer.queue(lambda: writer.transaction(_write_and_look, os.urandom(size)))
            )
        except (SQLAlchemyError, DatabaseFileLostError) as error:
            self.not_stored(error, 0 if failure is None else failure.size)
            return None if self._failure is None else self._failure.reason
        if not current:
            return "the schema is old; run `scorm-bridge migrate`"
        self.stored()
        if failure is not None and self._failure is failure:  # nothing has failed meanwhile
            self._recovered()
        return None

    def _recovered(self) -> None:
        self._failure = None
        self._alarms.clear(AlarmCode.NOT_STORED)


def _write_and_look(connection: Connection, content: bytes) -> bool:
    """Write, unless the schema is another release's; return whether it is this one's."""
    if not is_current(connection):
        return False
    write_probe.write(connection, content)
    return True
