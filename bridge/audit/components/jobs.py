"""Work that pages ask for and that can take minutes: whoever asked looks in now and then."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import structlog
from aiohttp import web
from sqlalchemy.exc import DBAPIError

from bridge.database import describe_error
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.enrollment_history import UnreadableCommitError
from mappings.analysis.impact import Impact
from mappings.definition import DefinitionError

log = structlog.get_logger(__name__)

KEPT = 20
"""Jobs that can be looked at again, the newest ones; a stop of the bridge forgets them."""

Progress = Callable[[int, int], None]
"""Told how many enrollments are done, and of how many."""
Work = Callable[[Progress], Impact]
"""What a job does, on a thread. It is broken off by an error out of the progress that it tells."""
_What = TypeVar("_What")


class BusyError(RuntimeError):
    """Another job is at work: one at a time, as each takes what the machine has."""


class _StoppedError(Exception):
    """The bridge is stopping."""


def _new_id() -> str:
    """Return an id that nobody guesses."""
    return secrets.token_urlsafe(12)


@dataclass
class Job(Generic[_What]):
    """A job: what was asked, by whom and when (milliseconds since the epoch), and how far it has come.

    `found` is there once it is done; `trouble` says in words why it will not be.
    """

    what: _What
    by: str
    started_at: int
    id: str = field(default_factory=_new_id)
    done: int = 0
    total: int = 0
    found: Impact | None = None
    trouble: str = ""

    @property
    def is_running(self) -> bool:
        """Return whether it is at work."""
        return self.found is None and not self.trouble


class Jobs:
    """Does jobs, one at a time, on a thread of their own."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job[object]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def find(self, job_id: str, kind: type[_What]) -> Job[_What] | None:
        """Return a job in which a thing of this kind was asked, None where there is none or it is not kept."""
        found = self._jobs.get(job_id)
        return cast("Job[_What]", found) if found is not None and isinstance(found.what, kind) else None

    def start(self, job: Job[_What], work: Work) -> None:
        """Start a job.

        Raises:
            BusyError: another one is at work.
        """
        if self._task is not None and not self._task.done():
            raise BusyError
        while len(self._jobs) >= KEPT:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[job.id] = cast("Job[object]", job)
        self._task = asyncio.create_task(self._do(self._jobs[job.id], work))

    async def wait(self) -> None:
        """Wait until none is at work."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Stop the job that runs."""
        self._stopped = True
        await self.wait()

    async def _do(self, job: Job[object], work: Work) -> None:
        def progress(done: int, total: int) -> None:
            if self._stopped:
                raise _StoppedError
            job.done, job.total = done, total

        try:
            job.found = await asyncio.to_thread(work, progress)
        except _StoppedError:
            job.trouble = "The bridge was stopped meanwhile."
        except (DefinitionError, LibraryError, UnreadableCommitError) as error:
            job.trouble = str(error)
        except DBAPIError as error:
            log.error("job_not_done", error=describe_error(error))  # noqa: TRY400 -- its own words hold rows' values
            job.trouble = "The database does not answer; the bridge's log says more."
        except Exception:
            log.exception("job_not_done")
            job.trouble = "This is an error of the bridge itself. It is in its log."


JOBS = web.AppKey("jobs", Jobs)


def set_up(app: web.Application) -> None:
    """Prepare an application."""
    jobs = app[JOBS] = Jobs()

    async def stop(_app: web.Application) -> None:
        await jobs.stop()

    app.on_shutdown.append(stop)


def start(request: web.Request, job: Job[_What], work: Work) -> None:
    """Start a job that a page asks for.

    Raises:
        web.HTTPConflict: another one is at work, in words.
    """
    try:
        request.app[JOBS].start(job, work)
    except BusyError:
        raise web.HTTPConflict(
            text="Another report, preview or re-issue is being worked out. Nothing was done; try again when it is done."
        ) from None


def look_again(response: web.Response, job: Job[_What]) -> web.Response:
    """Let browsers look again by themselves while a job is at work, with scripts or without."""
    if job.is_running:
        response.headers["Refresh"] = "2"
    return response
