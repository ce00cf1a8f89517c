"""What admins do with mapping versions: save a draft, activate a version, roll back."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.posted_forms import MAX_DOCUMENT_BYTES, form_of
from bridge.audit.access.roles import Role, current_account
from bridge.audit.components.flash import OTHERS_FOLLOW, redirect_with_message
from bridge.audit.components.render import render_page
from bridge.audit.dependencies import DEPENDENCIES
from bridge.audit.pages.mappings import find_version
from bridge.mapping_library import activation
from bridge.mapping_library.activation import ActivationResult, LibraryError
from bridge.mapping_library.documents import compile_text
from bridge.operations.audit_context import AuditAction, AuditContext, record
from mappings.definition import CompiledMapping, DefinitionError, Fault
from storage import mapping_versions


class _Draft(NamedTuple):
    text: str
    faults: tuple[Fault, ...] = ()


async def _draft(request: web.Request) -> web.StreamResponse:
    content_hash, text = request.query.get("from", ""), ""
    if content_hash:
        text = (await request.app[DEPENDENCIES].database.read(find_version, content_hash)).definition
    return _form(request, _Draft(text))


async def _save(request: web.Request) -> web.StreamResponse:
    dependencies, by = request.app[DEPENDENCIES], current_account(request).name
    draft = _posted_draft(request)
    if not draft.faults and not draft.text.strip():
        draft = draft._replace(faults=(Fault("file", 0, "is empty: paste a document or choose a file"),))
    if draft.faults:
        return _form(request, draft, status=400)
    try:
        mapping = compile_text(draft.text, "the draft")
    except DefinitionError as error:
        return _form(request, draft._replace(faults=error.faults), status=400)
    context = AuditContext(by, "", dependencies.now())

    def save(connection: Connection, mapping: CompiledMapping) -> bool:
        document = mapping.definition
        if mapping_versions.find(connection, document.content_hash) is not None:
            return False
        activation.store_version(connection, mapping, context.at)
        record(connection, context, AuditAction.SAVE_DRAFT, f"{document.name} {document.content_hash}")
        return True

    is_new = await dependencies.database.write(save, mapping)
    message = "Valid, and saved as a draft." if is_new else "Valid, and already stored."
    return redirect_with_message(request, f"/audit/mappings/{mapping.definition.content_hash}", message)


async def _activate(request: web.Request) -> web.StreamResponse:
    content_hash = request.match_info["hash"]

    def activate(connection: Connection, lms: str, context: AuditContext) -> ActivationResult:
        version = find_version(connection, content_hash)
        lms_id = _lms(connection, lms)
        targets = request.app[DEPENDENCIES].settings.targets
        return activation.activate_version(connection, version.id, lms_id, targets=targets, context=context)

    path = f"/audit/mappings/{content_hash}"
    return await _apply(request, path, activate, f"Activated for {{whom}}. {OTHERS_FOLLOW}")


async def _roll_back(request: web.Request) -> web.StreamResponse:
    def roll_back(connection: Connection, lms: str, context: AuditContext) -> ActivationResult:
        targets = request.app[DEPENDENCIES].settings.targets
        return activation.roll_back(connection, _lms(connection, lms), targets=targets, context=context)

    return await _apply(
        request, "/audit/mappings", roll_back, f"Rolled back to the previous version for {{whom}}. {OTHERS_FOLLOW}"
    )


async def _apply(request: web.Request, path: str, operation: object, message: str) -> web.StreamResponse:
    dependencies, form = request.app[DEPENDENCIES], form_of(request)
    lms, reason = (form.text(name).strip() for name in ("lms", "reason"))
    if not reason:
        raise web.HTTPBadRequest(text="A reason is required. Nothing was changed.")
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


def _form(request: web.Request, draft: _Draft, *, status: int = 200) -> web.Response:
    by_line: dict[int, list[str]] = {}
    for fault in draft.faults:
        by_line.setdefault(fault.line, []).append(f"{fault.place}: {fault.message}")
    return render_page(
        request,
        "mapping_draft.html",
        status=status,
        text=draft.text,
        faults=draft.faults,
        by_line=by_line,
        lines=draft.text.splitlines() if draft.faults else [],
    )


def _lms(connection: Connection, name: str) -> int | None:
    return activation.find_lms(connection, name) if name else None


ROUTES = (
    Route("GET", "/mappings/draft", _draft, Role.ADMIN),
    Route("POST", "/mappings/draft", _save, Role.ADMIN, MAX_DOCUMENT_BYTES),
    Route("POST", "/mappings/rollback", _roll_back, Role.ADMIN),
    Route("POST", "/mappings/{hash}/activate", _activate, Role.ADMIN),
)
