"""Re-issuing history by a mapping version: selected and previewed first, then run, with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components import background_jobs
from bridge.audit.components.background_jobs import JOB_RUNNER, BackgroundJob, JobFunction, Progress
from bridge.audit.components.flash import redirect
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import format_day, parse_day
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.mapping_preview import DAY, load_owners, result_values
from bridge.audit.pages.mappings import active_for, find_version
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
class ReissueRequest:
    """What is re-issued, and by which version.

    `reason` is None for a preview; `run` is the id of the job that ran it afterwards.
    """

    version_id: int
    name: str
    content_hash: str
    span: JournalSpan
    reason: str | None = None
    run: str | None = None


async def _choose(request: web.Request) -> web.StreamResponse:
    now = request.app[DEPENDENCIES].now()
    return await _form(request, {"since": format_day(now - DEFAULT_DAYS * DAY)} | dict(request.query))


async def _form(
    request: web.Request, fields: Mapping[str, str], *, status: int = 200, fault: str = ""
) -> web.StreamResponse:
    def query(connection: Connection) -> tuple[WholeVersion, list[str], list[str]]:
        version = find_version(connection, request.match_info["hash"])
        lms = list(mapping_versions.lms_names(connection).values())
        return version, active_for(connection, version.id), lms

    version, active_lms, lms = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "mapping_reissue.html",
        status=status,
        version=version._replace(definition=""),
        active_for=active_lms,
        lms=lms,
        fields={name: fields.get(name, "") for name in _FIELDS},
        fault=fault,
    )


async def _preview(request: web.Request) -> web.StreamResponse:
    dependencies, form = request.app[DEPENDENCIES], form_of(request)
    fields = {name: form.text(name).strip() for name in _FIELDS}

    def query(connection: Connection) -> WholeVersion:
        if fields["lms"]:
            activation.find_lms(connection, fields["lms"])
        return find_version(connection, request.match_info["hash"])

    now = dependencies.now()
    try:
        span = _span(fields)
        version = await dependencies.database.read(query)
    except (LibraryError, web.HTTPBadRequest) as error:
        fault = error.text if isinstance(error, web.HTTPBadRequest) else str(error)
        return await _form(request, fields, status=400, fault=fault or "")
    if span.until is None:
        # commits that arrive between the preview and the run were in nobody's preview
        span = span._replace(until=now + 1)
    job = BackgroundJob(
        ReissueRequest(version.id, version.name, version.content_hash, span), current_account(request).name, now
    )
    background_jobs.start(request, job, _job_function(request, job))
    return redirect(f"/audit/mappings/reissues/{job.id}")


async def _show(request: web.Request) -> web.StreamResponse:
    return await _job_page(request, _job(request))


async def _run(request: web.Request) -> web.StreamResponse:
    preview, form = _job(request), form_of(request)
    previewed = preview.request
    if previewed.run is not None:
        # the button was pressed twice
        return redirect(f"/audit/mappings/reissues/{previewed.run}")
    if previewed.reason is not None or preview.result is None:
        raise web.HTTPConflict(text="Only a finished preview can be run. Nothing was done.")
    reason = form.text("reason").strip()
    if not reason:
        return await _job_page(request, preview, status=400, fault="A reason is required. Nothing was done.")
    reissue = ReissueRequest(previewed.version_id, previewed.name, previewed.content_hash, previewed.span, reason)
    job = BackgroundJob(reissue, current_account(request).name, request.app[DEPENDENCIES].now())
    background_jobs.start(request, job, _job_function(request, job))
    previewed.run = job.id
    return redirect(f"/audit/mappings/reissues/{job.id}")


def _job_function(request: web.Request, job: BackgroundJob[ReissueRequest]) -> JobFunction:
    dependencies, reissue_request = request.app[DEPENDENCIES], job.request

    def run(progress: Progress) -> Impact:
        lane = dependencies.database
        reissue = Reissue(
            lane.engine, reissue_request.version_id, reissue_request.span, dependencies.settings.targets, lane.transact
        )
        if reissue_request.reason is None:
            return reissue.preview(progress)
        return reissue.run(AuditContext(job.by, reissue_request.reason, dependencies.now()), dependencies.now, progress)

    return run


async def _job_page(
    request: web.Request, job: BackgroundJob[ReissueRequest], *, status: int = 200, fault: str = ""
) -> web.Response:
    response = render_page(
        request,
        "reissue.html",
        status=status,
        job=job,
        reissue=job.request,
        fault=fault,
        id_of=_id_of,
        owners=await load_owners(request, job.result),
        **result_values(job.result),
    )
    return background_jobs.refresh_while_running(response, job)


def _job(request: web.Request) -> BackgroundJob[ReissueRequest]:
    job = request.app[JOB_RUNNER].find(request.match_info["id"], ReissueRequest)
    if job is None:
        raise web.HTTPNotFound(
            text="This job is no longer kept. What was re-issued is in the audit log; a new preview starts on the"
            " version's page."
        )
    return job


def _span(fields: Mapping[str, str]) -> JournalSpan:
    for name in ("learner", "activity", "course", "lms"):
        if "\0" in fields[name] or len(fields[name]) > MAX_ID_LENGTH:
            raise web.HTTPBadRequest(text=f"Not a valid {name}.")
    span = JournalSpan(
        parse_day(fields["since"]) or 0,
        parse_day(fields["until"], after=True),
        *(fields[name] or None for name in ("lms", "learner", "activity", "course")),
    )
    validate_span(span)
    return span


def _id_of(body: str) -> str:
    """Return the id of a statement."""
    return str(msgspec.json.decode(body)["id"])


ROUTES = (
    Route("GET", "/mappings/reissues/{id}", _show, Role.ADMIN),
    Route("POST", "/mappings/reissues/{id}/run", _run, Role.ADMIN),
    Route("GET", "/mappings/{hash}/reissue", _choose, Role.ADMIN),
    Route("POST", "/mappings/{hash}/reissue", _preview, Role.ADMIN),
)
