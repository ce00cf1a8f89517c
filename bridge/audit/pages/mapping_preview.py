"""What a mapping version would do: with one commit (preview), and with all of the last weeks (impact report)."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import MAX_DOCUMENT_BYTES, form_of
from bridge.audit.access.redaction import redact_name
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components import background_jobs
from bridge.audit.components.background_jobs import JOB_RUNNER, BackgroundJob
from bridge.audit.components.flash import redirect
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.mappings import find_version
from bridge.errors import BridgeError
from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.documents import compile_text
from bridge.mapping_library.enrollment_history import UnreadableCommitError
from bridge.mapping_library.explain import explain_commit
from bridge.mapping_library.impact import ImpactInput, measure_impact
from bridge.mapping_library.preview import parse_body, preview_commit
from mappings.analysis.explain import Explanation
from mappings.analysis.impact import KINDS, Impact
from mappings.definition import DefinitionError
from mappings.definition.diff import DifferenceKind
from storage import mapping_versions
from storage.journal_replay import JournalSpan
from storage.mapping_versions import WholeVersion
from storage.queries import sessions
from storage.queries.keyset import is_stored_uuid
from storage.queries.sessions import SessionRow

DAY = 86_400_000
MAX_DAYS = 3_660


class ImpactRequest(NamedTuple):
    """What an impact report compares: two versions by their hashes, and for which commits."""

    before: str
    after: str
    days: int
    lms: str | None


class _PreviewView(NamedTuple):
    version: WholeVersion
    explanation: Explanation | None = None
    fault: str = ""


async def _preview(request: web.Request) -> web.StreamResponse:
    session, number = (request.query.get(name, "").strip() for name in ("session", "number"))

    def query(connection: Connection) -> _PreviewView:
        version = find_version(connection, request.match_info["hash"])
        if not session and not number:
            return _PreviewView(version)
        if not is_stored_uuid(session.lower()) or not (number.isascii() and number.isdigit() and len(number) < 10):
            return _PreviewView(version, fault="Enter the session id and the number of the commit in it, such as 1.")
        try:
            mapping = compile_text(version.definition, version.name)
            explained = explain_commit(connection, session.lower(), int(number), mapping=mapping)
        except (DefinitionError, UnreadableCommitError) as error:
            return _PreviewView(version, fault=str(error))
        if explained is None:
            return _PreviewView(version, fault="There is no such commit.")
        return _PreviewView(version, explained.explanation)

    view = await request.app[DEPENDENCIES].database.read(query)
    return _preview_page(request, view, "", session=session, number=number)


async def _pasted(request: web.Request) -> web.StreamResponse:
    dependencies, form = request.app[DEPENDENCIES], form_of(request)
    body, session = (form.text(name) for name in ("body", "session"))
    session = session.strip().lower()

    def query(connection: Connection) -> _PreviewView:
        version = find_version(connection, request.match_info["hash"])
        if session and not is_stored_uuid(session):
            return _PreviewView(version, fault="A session id must look like 1b4e28ba-2fa1-41d2-883f-0016d3cca427.")
        try:
            mapping = compile_text(version.definition, version.name)
            arrival = parse_body(body.encode(errors="replace"), dependencies.now())
            preview = preview_commit(mapping, arrival, connection=connection, session_id=session or None)
        except BridgeError as error:
            return _PreviewView(version, fault=error.detail)
        except (DefinitionError, LibraryError) as error:
            return _PreviewView(version, fault=str(error))
        return _PreviewView(version, preview.explanation)

    return _preview_page(request, await dependencies.database.read(query), body, session=session)


def _preview_page(
    request: web.Request, view: _PreviewView, body: str, *, session: str = "", number: str = ""
) -> web.Response:
    return render_page(
        request,
        "mapping_preview.html",
        status=400 if view.fault else 200,
        version=view.version._replace(definition=""),
        explanation=view.explanation,
        fault=view.fault,
        body=body,
        session=session,
        number=number,
    )


async def _start(request: web.Request) -> web.StreamResponse:
    dependencies, form = request.app[DEPENDENCIES], form_of(request)
    days, lms = (form.text(name).strip() for name in ("days", "lms"))
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MAX_DAYS):
        raise web.HTTPBadRequest(text=f"The number of days must be from 1 to {MAX_DAYS}.")

    def query(connection: Connection) -> tuple[WholeVersion, WholeVersion]:
        lms_id = activation.find_lms(connection, lms) if lms else None
        active = mapping_versions.active_for(connection, lms_id)
        hashes = {version.id: version.content_hash for version in mapping_versions.versions(connection)}
        if active is None:
            raise LibraryError("No version is active yet.")
        return find_version(connection, hashes[active]), find_version(connection, request.match_info["hash"])

    try:
        before, after = await dependencies.database.read(query)
    except LibraryError as error:
        raise web.HTTPConflict(text=str(error)) from None
    now = dependencies.now()
    comparison = ImpactRequest(before.content_hash, after.content_hash, int(days), lms or None)
    span = JournalSpan(now - comparison.days * DAY, lms=comparison.lms)
    job = BackgroundJob(comparison, current_account(request).name, now)
    compared = ImpactInput(before.definition, after.definition, span)
    background_jobs.start(
        request, job, lambda progress: measure_impact(dependencies.database.engine, compared, progress=progress)
    )
    return redirect(f"/audit/mappings/impacts/{job.id}")


async def _impact(request: web.Request) -> web.StreamResponse:
    job = request.app[JOB_RUNNER].find(request.match_info["id"], ImpactRequest)
    if job is None:
        raise web.HTTPNotFound(text="This report is no longer kept. Start a new one on the page of the version.")
    owners = await load_owners(request, job.result)
    response = render_page(
        request, "mapping_impact.html", job=job, comparison=job.request, owners=owners, **result_values(job.result)
    )
    return background_jobs.refresh_while_running(response, job)


async def load_owners(request: web.Request, result: Impact | None) -> dict[str, SessionRow]:
    """Return whose the sessions of a result's examples are, without names where they may not be seen."""
    ids = [] if result is None else [example.session_id for example in result.examples]
    rows = await request.app[DEPENDENCIES].database.read(sessions.of_ids, ids)
    return {session_id: redact_name(request, row) for session_id, row in rows.items()}


def impact_totals(result: Impact | None) -> dict[str, int]:
    """Return how many statements of all rules a result has, by what becomes of them."""
    rules = [] if result is None else result.rules.values()
    return {name: sum(getattr(counts, name) for counts in rules) for name in (*KINDS, DifferenceKind.SAME)}


def result_values(result: Impact | None) -> dict[str, Any]:
    """Return what templates show of a result: `result`, its `rules` by name, `totals` of them, and `examples`."""
    rules = [] if result is None else sorted(result.rules.items())
    return {
        "result": result,
        "rules": rules,
        "totals": impact_totals(result),
        "examples": []
        if result is None
        else sorted(result.examples, key=lambda example: (KINDS.index(example.kind), example.rule)),
    }


ROUTES = (
    Route("GET", "/mappings/impacts/{id}", _impact, Role.AUDITOR),
    Route("GET", "/mappings/{hash}/preview", _preview, Role.AUDITOR),
    Route("POST", "/mappings/{hash}/preview", _pasted, Role.AUDITOR, MAX_DOCUMENT_BYTES),
    Route("POST", "/mappings/{hash}/impact", _start, Role.AUDITOR),
)
