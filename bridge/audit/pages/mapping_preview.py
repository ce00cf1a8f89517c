"""What a mapping document would do: to one commit (preview), and to all of the last weeks (impact)."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import MAX_DOCUMENT_BYTES, form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components import jobs
from bridge.audit.components.filters import is_uuid
from bridge.audit.components.flash import redirect
from bridge.audit.components.jobs import JOBS, Job
from bridge.audit.components.render import page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.mappings import known
from bridge.errors import BridgeError
from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError
from bridge.mapping_library.documents import compile_text
from bridge.mapping_library.enrollment_history import UnreadableCommitError
from bridge.mapping_library.explain import explain_commit
from bridge.mapping_library.impact import ImpactRequest, measure_impact
from bridge.mapping_library.preview import parse_body, preview_commit
from mappings.analysis.explain import Explanation
from mappings.analysis.impact import KINDS, Impact
from mappings.definition import DefinitionError
from storage import mapping_versions
from storage.journal_replay import JournalSpan
from storage.mapping_versions import WholeVersion

DAY = 86_400_000
MAX_DAYS = 3_660


class Compared(NamedTuple):
    """What an impact report is of: two documents by their hashes, and which commits."""

    before: str
    after: str
    days: int
    lms: str | None


class _Tried(NamedTuple):
    version: WholeVersion
    told: Explanation | None = None
    fault: str = ""


async def _preview(request: web.Request) -> web.StreamResponse:
    session, number = (request.query.get(name, "").strip() for name in ("session", "number"))

    def look(connection: Connection) -> _Tried:
        version = known(connection, request.match_info["hash"])
        if not session and not number:
            return _Tried(version)
        if not is_uuid(session.lower()) or not (number.isascii() and number.isdigit() and len(number) < 10):
            return _Tried(version, fault="Tell the session's id and the number of the commit in it, such as 1.")
        try:
            mapping = compile_text(version.definition, version.name)
            found = explain_commit(connection, session.lower(), int(number), mapping=mapping)
        except (DefinitionError, UnreadableCommitError) as error:
            return _Tried(version, fault=str(error))
        if found is None:
            return _Tried(version, fault="There is no such commit.")
        return _Tried(version, found.explanation)

    tried = await request.app[DEPENDENCIES].database.read(look)
    return _shown(request, tried, "", session=session, number=number)


async def _pasted(request: web.Request) -> web.StreamResponse:
    parts, form = request.app[DEPENDENCIES], form_of(request)
    body, session = (form.text(name) for name in ("body", "session"))
    session = session.strip().lower()

    def look(connection: Connection) -> _Tried:
        version = known(connection, request.match_info["hash"])
        if session and not is_uuid(session):
            return _Tried(version, fault="A session's id looks like 1b4e28ba-2fa1-41d2-883f-0016d3cca427.")
        try:
            mapping = compile_text(version.definition, version.name)
            arrival = parse_body(body.encode(errors="replace"), parts.now())
            told = preview_commit(mapping, arrival, connection=connection, session_id=session or None)
        except BridgeError as error:
            return _Tried(version, fault=error.detail)
        except (DefinitionError, LibraryError) as error:
            return _Tried(version, fault=str(error))
        return _Tried(version, told.explanation)

    return _shown(request, await parts.database.read(look), body, session=session)


def _shown(request: web.Request, tried: _Tried, body: str, *, session: str = "", number: str = "") -> web.Response:
    told = tried.told
    return page(
        request,
        "mapping_preview.html",
        status=400 if tried.fault else 200,
        version=tried.version._replace(definition=""),
        told=told,
        fault=tried.fault,
        body=body,
        session=session,
        number=number,
    )


async def _start(request: web.Request) -> web.StreamResponse:
    parts, form = request.app[DEPENDENCIES], form_of(request)
    days, lms = (form.text(name).strip() for name in ("days", "lms"))
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MAX_DAYS):
        raise web.HTTPBadRequest(text=f"Tell how many days, from 1 to {MAX_DAYS}.")

    def look(connection: Connection) -> tuple[WholeVersion, WholeVersion]:
        lms_id = activation.find_lms(connection, lms) if lms else None
        holding = mapping_versions.active_for(connection, lms_id)
        stored = {one.id: one.content_hash for one in mapping_versions.versions(connection)}
        if holding is None:
            raise LibraryError("No version is active yet.")
        return known(connection, stored[holding]), known(connection, request.match_info["hash"])

    try:
        before, after = await parts.database.read(look)
    except LibraryError as error:
        raise web.HTTPConflict(text=str(error)) from None
    now = parts.now()
    what = Compared(before.content_hash, after.content_hash, int(days), lms or None)
    span = JournalSpan(now - what.days * DAY, lms=what.lms)
    job = Job(what, current_account(request).name, now)
    compared = ImpactRequest(before.definition, after.definition, span)
    jobs.start(request, job, lambda progress: measure_impact(parts.database.engine, compared, progress=progress))
    return redirect(f"/audit/mappings/impacts/{job.id}")


async def _impact(request: web.Request) -> web.StreamResponse:
    job = request.app[JOBS].find(request.match_info["id"], Compared)
    if job is None:
        raise web.HTTPNotFound(text="This report is not kept any more. Start it anew from the version's page.")
    response = page(request, "mapping_impact.html", job=job, of=job.what, **counted(job.found))
    return jobs.look_again(response, job)


def counted(found: Impact | None) -> dict[str, Any]:
    """Return what templates show of differences: `found`, its `rules` by name, `totals` of them, and `examples`."""
    rules = [] if found is None else sorted(found.rules.items())
    return {
        "found": found,
        "rules": rules,
        "totals": {name: sum(getattr(one, name) for _, one in rules) for name in (*KINDS, "same")},
        "examples": [] if found is None else sorted(found.examples, key=lambda one: (KINDS.index(one.kind), one.rule)),
    }


ROUTES = (
    Route("GET", "/mappings/impacts/{id}", _impact, Role.AUDITOR),
    Route("GET", "/mappings/{hash}/preview", _preview, Role.AUDITOR),
    Route("POST", "/mappings/{hash}/preview", _pasted, Role.AUDITOR, MAX_DOCUMENT_BYTES),
    Route("POST", "/mappings/{hash}/impact", _start, Role.AUDITOR),
)
