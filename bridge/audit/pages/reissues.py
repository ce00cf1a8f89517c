"""Telling the past anew by a version: chosen and looked at first, then done, with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components import jobs
from bridge.audit.components.flash import redirect
from bridge.audit.components.jobs import JOBS, Job, Progress, Work
from bridge.audit.components.render import page
from bridge.audit.components.request_params import day_of, midnight
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.mapping_preview import DAY, counted
from bridge.audit.pages.mappings import known, whom_it_holds_for
from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.impact import DEFAULT_DAYS
from bridge.mapping_library.reissue import Reissue, validate_span
from bridge.operations.audit_context import AuditContext
from mappings.analysis.impact import Impact
from storage import mapping_versions
from storage.journal_replay import JournalSpan
from storage.mapping_versions import WholeVersion

MAX_ID_LENGTH = 1000
_FIELDS = ("lms", "learner", "activity", "course", "since", "until")


@dataclass
class Reissued:
    """What is told anew, and by which version.

    `reason` is None where it is only looked at; `run` is the id of the job that did it then.
    """

    version_id: int
    name: str
    content_hash: str
    span: JournalSpan
    reason: str | None = None
    run: str | None = None


async def _choose(request: web.Request) -> web.StreamResponse:
    now = request.app[DEPENDENCIES].now()
    return await _form(request, {"since": day_of(now - DEFAULT_DAYS * DAY)} | dict(request.query))


async def _form(
    request: web.Request, told: Mapping[str, str], *, status: int = 200, fault: str = ""
) -> web.StreamResponse:
    def look(connection: Connection) -> tuple[WholeVersion, list[str], list[str]]:
        version = known(connection, request.match_info["hash"])
        lms = list(mapping_versions.lms_names(connection).values())
        return version, whom_it_holds_for(connection, version.id), lms

    version, holds_for, lms = await request.app[DEPENDENCIES].database.read(look)
    return page(
        request,
        "mapping_reissue.html",
        status=status,
        version=version._replace(definition=""),
        holds_for=holds_for,
        lms=lms,
        told={name: told.get(name, "") for name in _FIELDS},
        fault=fault,
    )


async def _preview(request: web.Request) -> web.StreamResponse:
    parts, form = request.app[DEPENDENCIES], form_of(request)
    told = {name: form.text(name).strip() for name in _FIELDS}

    def look(connection: Connection) -> WholeVersion:
        if told["lms"]:
            activation.find_lms(connection, told["lms"])
        return known(connection, request.match_info["hash"])

    now = parts.now()
    try:
        span = _span(told)
        version = await parts.database.read(look)
    except (LibraryError, web.HTTPBadRequest) as error:
        words = error.text if isinstance(error, web.HTTPBadRequest) else str(error)
        return await _form(request, told, status=400, fault=words or "")
    if span.until is None:
        # what comes between the preview and the act was in nobody's preview
        span = span._replace(until=now + 1)
    job = Job(Reissued(version.id, version.name, version.content_hash, span), current_account(request).name, now)
    jobs.start(request, job, _work(request, job))
    return redirect(f"/audit/mappings/reissues/{job.id}")


async def _look(request: web.Request) -> web.StreamResponse:
    return _shown(request, _job(request))


async def _run(request: web.Request) -> web.StreamResponse:
    looked, form = _job(request), form_of(request)
    asked = looked.what
    if asked.run is not None:
        # the button was pressed twice
        return redirect(f"/audit/mappings/reissues/{asked.run}")
    if asked.reason is not None or looked.found is None:
        raise web.HTTPConflict(text="Only what was previewed to its end can be told anew. Nothing was done.")
    reason = form.text("reason").strip()
    if not reason:
        return _shown(request, looked, status=400, fault="A reason is required. Nothing was done.")
    what = Reissued(asked.version_id, asked.name, asked.content_hash, asked.span, reason)
    job = Job(what, current_account(request).name, request.app[DEPENDENCIES].now())
    jobs.start(request, job, _work(request, job))
    asked.run = job.id
    return redirect(f"/audit/mappings/reissues/{job.id}")


def _work(request: web.Request, job: Job[Reissued]) -> Work:
    parts, what = request.app[DEPENDENCIES], job.what

    def work(progress: Progress) -> Impact:
        lane = parts.database
        reissue = Reissue(lane.engine, what.version_id, what.span, parts.settings.targets, lane.transact)
        if what.reason is None:
            return reissue.preview(progress)
        return reissue.run(AuditContext(job.by, what.reason, parts.now()), parts.now, progress)

    return work


def _shown(request: web.Request, job: Job[Reissued], *, status: int = 200, fault: str = "") -> web.Response:
    response = page(
        request,
        "reissue.html",
        status=status,
        job=job,
        of=job.what,
        fault=fault,
        id_of=_id_of,
        **counted(job.found),
    )
    return jobs.look_again(response, job)


def _job(request: web.Request) -> Job[Reissued]:
    found = request.app[JOBS].find(request.match_info["id"], Reissued)
    if found is None:
        raise web.HTTPNotFound(
            text="This is not kept any more. What was re-issued is in the trail; look at a preview anew from the"
            " version's page."
        )
    return found


def _span(told: Mapping[str, str]) -> JournalSpan:
    for name in ("learner", "activity", "course", "lms"):
        if "\0" in told[name] or len(told[name]) > MAX_ID_LENGTH:
            raise web.HTTPBadRequest(text=f"No {name} has an id or a name like this.")
    span = JournalSpan(
        midnight(told["since"]) or 0,
        midnight(told["until"], after=True),
        *(told[name] or None for name in ("lms", "learner", "activity", "course")),
    )
    validate_span(span)
    return span


def _id_of(body: str) -> str:
    """Return the id of a statement."""
    return str(msgspec.json.decode(body)["id"])


ROUTES = (
    Route("GET", "/mappings/reissues/{id}", _look, Role.ADMIN),
    Route("POST", "/mappings/reissues/{id}/run", _run, Role.ADMIN),
    Route("GET", "/mappings/{hash}/reissue", _choose, Role.ADMIN),
    Route("POST", "/mappings/{hash}/reissue", _preview, Role.ADMIN),
)
