"""Impact reports that are being made: they can take minutes, and whoever asked looks in now and then."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

import structlog
from aiohttp import web
from sqlalchemy import Engine

from bridge.audit.parts import AUDIT_PARTS
from bridge.mapping_library import impacts
from mappings.impact import Impact
from storage.histories import Span

log = structlog.get_logger(__name__)

KEPT = 20
"""Reports that can be looked at again, the newest ones; a stop of the bridge forgets them."""


class BusyError(RuntimeError):
    """Another report is being made: one at a time, as each takes what the machine has."""


class _StoppedError(Exception):
    """The bridge is stopping."""


@dataclass
class Job:
    """A report: of which documents, by their hashes, and how far it has come. `failed` says it will not come."""

    id: str
    before: str
    after: str
    days: int
    lms: str | None
    by: str
    started_at: int
    done: int = 0
    total: int = 0
    found: Impact | None = None
    failed: bool = False

    @property
    def is_running(self) -> bool:
        """Tell whether it is being made."""
        return self.found is None and not self.failed


class Jobs:
    """Makes reports, one at a time, on a thread and processes of their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: dict[str, Job] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def find(self, job_id: str) -> Job | None:
        """Give a report, None where it is not kept."""
        return self._jobs.get(job_id)

    def start(self, job: Job, documents: tuple[str, str], span: Span) -> None:
        """Begin one.

        Raises:
            BusyError: another one is being made.
        """
        if self._task is not None and not self._task.done():
            raise BusyError
        while len(self._jobs) >= KEPT:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[job.id] = job
        self._task = asyncio.create_task(self._make(job, documents, span))

    async def wait(self) -> None:
        """Wait until none is being made."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Break off what is being made."""
        self._stopped = True
        await self.wait()

    async def _make(self, job: Job, documents: tuple[str, str], span: Span) -> None:
        def progress(done: int, total: int) -> None:
            if self._stopped:
                raise _StoppedError
            job.done, job.total = done, total

        try:
            job.found = await asyncio.to_thread(impacts.impact, self._engine, documents, span, progress=progress)
        except _StoppedError:
            job.failed = True
        except Exception:
            log.exception("impact_not_made")
            job.failed = True


JOBS = web.AppKey("impact_jobs", Jobs)


def set_up(app: web.Application) -> None:
    """Prepare an application."""
    jobs = app[JOBS] = Jobs(app[AUDIT_PARTS].database.engine)

    async def stop(_app: web.Application) -> None:
        await jobs.stop()

    app.on_shutdown.append(stop)


def new_id() -> str:
    """Give an id that nobody guesses."""
    return secrets.token_urlsafe(12)
