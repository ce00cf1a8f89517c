"""What admins do with mapping versions: save a draft, activate a version, roll back."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import MAX_DOCUMENT_BYTES, form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.background_jobs import JOB_RUNNER, BackgroundJob
from bridge.audit.components.flash import OTHERS_FOLLOW, redirect_with_message
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import text_param
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.mapping_preview import ImpactRequest, impact_totals
from bridge.audit.pages.mappings import find_version
from bridge.mapping_library import activation
from bridge.mapping_library.activation import ActivationResult, LibraryError
from bridge.mapping_library.documents import compile_text
from bridge.operations.audit_context import MAX_REASON_LENGTH, AuditAction, AuditContext, record
from mappings.definition import CompiledMapping, DefinitionError, Fault
from mappings.xapi.timestamps import rfc3339
from storage import mapping_drafts, mapping_versions
from storage.mapping_drafts import MappingDraft
from storage.mapping_versions import WholeVersion


class _Draft(NamedTuple):
    text: str
    faults: tuple[Fault, ...] = ()


class _DraftView(NamedTuple):
    """The text that a draft begins with: what the account kept, a version, or the active one."""

    text: str
    saved_at: int | None = None
    begins_with: str = ""


async def _draft(request: web.Request) -> web.StreamResponse:
    content_hash, by = request.query.get("from", ""), current_account(request).name

    def query(connection: Connection) -> _DraftView:
        own_draft = mapping_drafts.find(connection, by)
        if content_hash:
            version = find_version(connection, content_hash)
            return _DraftView(version.definition, None if own_draft is None else own_draft.saved_at, _label(version))
        if own_draft is not None:
            return _DraftView(own_draft.definition, own_draft.saved_at)
        active = mapping_versions.active_for(connection, None)
        for version in mapping_versions.newest(connection):
            if version.id == active:
                return _DraftView(version.definition, None, _label(version))
        return _DraftView("")

    return _form(request, _Draft(""), view=await request.app[DEPENDENCIES].database.read(query))


async def _save(request: web.Request) -> web.StreamResponse:
    dependencies, by = request.app[DEPENDENCIES], current_account(request).name
    draft, action = _posted_draft(request), form_of(request).text("action")
    if action == "discard":
        await dependencies.database.write(mapping_drafts.discard, by)
        return redirect_with_message(request, "/audit/mappings", "Discarded your draft.")
    if not draft.faults and not draft.text.strip():
        draft = draft._replace(faults=(Fault("file", 0, "is empty: paste a document or choose a file"),))
    elif not draft.faults:
        own_draft = MappingDraft(draft.text.replace("\0", "\N{REPLACEMENT CHARACTER}"), dependencies.now())
        await dependencies.database.write(mapping_drafts.save, by, own_draft)
        if action == "keep":
            return redirect_with_message(request, "/audit/mappings/draft", "Kept your draft. Only you see it.")
    if draft.faults:
        return _form(request, draft, status=400)
    try:
        mapping = compile_text(draft.text, "the draft")
    except DefinitionError as error:
        return _form(request, draft._replace(faults=error.faults), status=400)
    context = AuditContext(by, "", dependencies.now())

    def save(connection: Connection, mapping: CompiledMapping) -> bool:
        document = mapping.definition
        mapping_drafts.discard(connection, by)
        if mapping_versions.find(connection, document.content_hash) is not None:
            return False
        activation.store_version(connection, mapping, context.at)
        record(connection, context, AuditAction.SAVE_DRAFT, f"{document.name} {document.content_hash}")
        return True

    is_new = await dependencies.database.write(save, mapping)
    message = "Valid, and saved as a draft." if is_new else "Valid, and already stored."
    return redirect_with_message(request, f"/audit/mappings/{mapping.definition.content_hash}", message)


async def _confirm(request: web.Request) -> web.StreamResponse:
    dependencies, content_hash = request.app[DEPENDENCIES], request.match_info["hash"]
    lms = text_param(request, "lms") or ""

    def query(connection: Connection) -> tuple[WholeVersion, WholeVersion | None]:
        version, active = find_version(connection, content_hash), None
        number = mapping_versions.active_for(connection, _lms(connection, lms))
        for other in mapping_versions.newest(connection):
            active = other if other.id == number else active
        return version, active

    try:
        version, active = await dependencies.database.read(query)
    except LibraryError as error:
        raise web.HTTPNotFound(text=str(error)) from None
    return render_page(
        request,
        "mapping_activate.html",
        version=version,
        active=active,
        lms=lms,
        reports=_reports(request, content_hash),
        chosen=request.query.get("impact", ""),
    )


def _reports(request: web.Request, content_hash: str) -> list[BackgroundJob[ImpactRequest]]:
    """Return the finished impact reports of a version, the newest first."""
    jobs = request.app[JOB_RUNNER].of_kind(ImpactRequest)
    return [job for job in reversed(jobs) if job.result is not None and job.request.after == content_hash]


def _basis(request: web.Request, content_hash: str, job_id: str) -> str:
    """Return what the audit log says of the impact report that an activation is based on, empty for none.

    Raises:
        web.HTTPConflict: it is no longer kept.
    """
    if not job_id:
        return ""
    report = next((job for job in _reports(request, content_hash) if job.id == job_id), None)
    if report is None or report.result is None:
        raise web.HTTPConflict(text="This impact report is no longer kept. Make a new one. Nothing was changed.")
    totals = impact_totals(report.result)
    return (
        f"based on the impact report of {rfc3339(report.started_at)} over {report.request.days} days"
        f" (commits: {report.result.commits}, added: {totals['added']}, dropped: {totals['dropped']},"
        f" changed: {totals['changed']})"
    )


async def _activate(request: web.Request) -> web.StreamResponse:
    content_hash = request.match_info["hash"]
    basis = _basis(request, content_hash, form_of(request).text("impact"))

    def activate(connection: Connection, lms: str, context: AuditContext) -> ActivationResult:
        version = find_version(connection, content_hash)
        lms_id = _lms(connection, lms)
        targets = request.app[DEPENDENCIES].settings.targets
        return activation.activate_version(connection, version.id, lms_id, targets=targets, context=context)

    path = f"/audit/mappings/{content_hash}"
    return await _apply(request, path, activate, f"Activated for {{whom}}. {OTHERS_FOLLOW}", basis)


async def _roll_back(request: web.Request) -> web.StreamResponse:
    def roll_back(connection: Connection, lms: str, context: AuditContext) -> ActivationResult:
        targets = request.app[DEPENDENCIES].settings.targets
        return activation.roll_back(connection, _lms(connection, lms), targets=targets, context=context)

    return await _apply(
        request, "/audit/mappings", roll_back, f"Rolled back to the previous version for {{whom}}. {OTHERS_FOLLOW}"
    )


async def _apply(
    request: web.Request, path: str, operation: object, message: str, basis: str = ""
) -> web.StreamResponse:
    dependencies, form = request.app[DEPENDENCIES], form_of(request)
    lms, reason = (form.text(name).strip() for name in ("lms", "reason"))
    if not reason:
        raise web.HTTPBadRequest(text="A reason is required. Nothing was changed.")
    # what it is based on is not cut off, however long the reason is
    room = MAX_REASON_LENGTH - len(basis) - 2
    reason = f"{reason[:room]}; {basis}" if basis else reason
    context = AuditContext(current_account(request).name, reason, dependencies.now())
    try:
        result: ActivationResult = await dependencies.database.write(operation, lms, context)  # type: ignore[arg-type]  # one of the two above
    except LibraryError as error:
        raise web.HTTPConflict(text=str(error)) from None
    except DefinitionError as error:
        raise web.HTTPConflict(text=f"The mapping has faults: {error.faults[0]}") from None
    await dependencies.mapping_reloader.reload_now()
    text = message.format(whom=lms or "all LMSs without a version of their own")
    return redirect_with_message(request, path, " ".join((text, *result.warnings)))


def _posted_draft(request: web.Request) -> _Draft:
    form = form_of(request)
    if "file" in form.files:
        try:
            return _Draft(form.files["file"].decode())
        except UnicodeDecodeError as error:
            return _Draft("", (Fault("file", 0, f"is not text in UTF-8: {error.reason} at byte {error.start}"),))
    # browsers end the lines of a form with CR LF, which would change the hash
    return _Draft(form.text("text").replace("\r\n", "\n"))


def _form(request: web.Request, draft: _Draft, *, status: int = 200, view: _DraftView | None = None) -> web.Response:
    by_line: dict[int, list[str]] = {}
    for fault in draft.faults:
        by_line.setdefault(fault.line, []).append(f"{fault.place}: {fault.message}")
    shown = view or _DraftView(draft.text)
    return render_page(
        request,
        "mapping_draft.html",
        status=status,
        text=shown.text,
        view=shown,
        faults=draft.faults,
        by_line=by_line,
        number_of_lines=shown.text.count("\n") + 1,
        lines=draft.text.splitlines() if draft.faults else [],
    )


def _label(version: WholeVersion) -> str:
    return f"{version.name} {version.content_hash[:12]}"


def _lms(connection: Connection, name: str) -> int | None:
    return activation.find_lms(connection, name) if name else None


ROUTES = (
    Route("GET", "/mappings/draft", _draft, Role.ADMIN),
    Route("POST", "/mappings/draft", _save, Role.ADMIN, MAX_DOCUMENT_BYTES),
    Route("POST", "/mappings/rollback", _roll_back, Role.ADMIN),
    Route("GET", "/mappings/{hash}/activate", _confirm, Role.ADMIN),
    Route("POST", "/mappings/{hash}/activate", _activate, Role.ADMIN),
)
