"""Background jobs: work that pages start and that can take minutes; their pages refresh until it is done."""

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

MAX_KEPT_JOBS = 20
"""The newest jobs, whose pages can be opened again until the bridge stops."""

Progress = Callable[[int, int], None]
"""Called with the number of enrollments that are done, and of all."""
JobFunction = Callable[[Progress], Impact]
"""What a job does, on a thread. It is cancelled by an error that its progress callback raises."""
_Request = TypeVar("_Request")


class BusyError(RuntimeError):
    """Another job is running: one at a time, as each takes all that the machine has."""


class _CancelledJobError(Exception):
    """The bridge is stopping."""


def _new_id() -> str:
    """Return an id that cannot be guessed."""
    return secrets.token_urlsafe(12)


@dataclass
class BackgroundJob(Generic[_Request]):
    """A job: what was requested, by whom and when (milliseconds since the epoch), and its progress.

    It has a `result` once it is done, or a `failure` in words.
    """

    request: _Request
    by: str
    started_at: int
    id: str = field(default_factory=_new_id)
    done: int = 0
    total: int = 0
    result: Impact | None = None
    failure: str = ""

    @property
    def is_running(self) -> bool:
        """Return whether it is still running."""
        return self.result is None and not self.failure


class JobRunner:
    """Runs jobs, one at a time, each on a thread."""

    def __init__(self) -> None:
        self._jobs: dict[str, BackgroundJob[object]] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def find(self, job_id: str, kind: type[_Request]) -> BackgroundJob[_Request] | None:
        """Return the job with this id whose request is of this kind, None where none is kept."""
        job = self._jobs.get(job_id)
        return cast("BackgroundJob[_Request]", job) if job is not None and isinstance(job.request, kind) else None

    def of_kind(self, kind: type[_Request]) -> list[BackgroundJob[_Request]]:
        """Return the jobs that are kept whose request is of this kind, the oldest first."""
        return [cast("BackgroundJob[_Request]", job) for job in self._jobs.values() if isinstance(job.request, kind)]

    def start(self, job: BackgroundJob[_Request], function: JobFunction) -> None:
        """Start a job.

        Raises:
            BusyError: another one is running.
        """
        if self._task is not None and not self._task.done():
            raise BusyError
        while len(self._jobs) >= MAX_KEPT_JOBS:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[job.id] = cast("BackgroundJob[object]", job)
        self._task = asyncio.create_task(self._run(self._jobs[job.id], function))

    async def wait(self) -> None:
        """Wait until no job is running."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Cancel the running job."""
        self._is_stopped = True
        await self.wait()

    async def _run(self, job: BackgroundJob[object], function: JobFunction) -> None:
        def progress(done: int, total: int) -> None:
            if self._is_stopped:
                raise _CancelledJobError
            job.done, job.total = done, total

        try:
            job.result = await asyncio.to_thread(function, progress)
        except _CancelledJobError:
            job.failure = "The bridge was stopped in the meantime."
        except (DefinitionError, LibraryError, UnreadableCommitError) as error:
            job.failure = str(error)
        except DBAPIError as error:
            log.error("job_not_done", error=describe_error(error))  # noqa: TRY400 -- its own words hold rows' values
            job.failure = "The database does not answer. The log of the bridge says more."
        except Exception:
            log.exception("job_not_done")
            job.failure = "This is an error of the bridge. Its log says more."


JOB_RUNNER = web.AppKey("job_runner", JobRunner)


def set_up(app: web.Application) -> None:
    """Set up an application for background jobs."""
    runner = app[JOB_RUNNER] = JobRunner()

    async def stop(_app: web.Application) -> None:
        await runner.stop()

    app.on_shutdown.append(stop)


def start(request: web.Request, job: BackgroundJob[_Request], function: JobFunction) -> None:
    """Start a job for a page.

    Raises:
        web.HTTPConflict: another one is running.
    """
    try:
        request.app[JOB_RUNNER].start(job, function)
    except BusyError:
        raise web.HTTPConflict(
            text="Another report, preview or re-issue is running. Nothing was done. Try again when it has finished."
        ) from None


def refresh_while_running(response: web.Response, job: BackgroundJob[_Request]) -> web.Response:
    """Make browsers reload the page while the job is running, with scripts or without."""
    if job.is_running:
        response.headers["Refresh"] = "2"
    return response
