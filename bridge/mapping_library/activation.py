"""Which mapping version is active for which LMS, and the operations that change it, each recorded in the audit log."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from bridge.mapping_library.documents import SHIPPED, compile_text, load_mapping
from bridge.mapping_library.frame_dictionaries import ensure_dictionary
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.routing import form_conflicts, unknown_names
from bridge.settings import TargetSettings
from mappings.definition import CompiledMapping
from storage import mapping_versions
from storage.mapping_versions import Activation, Version

ACTIVE = "active"
"""The name of the version that is active."""
SETTINGS = "settings"
"""Who activates what the settings name."""
MIN_HASH_PREFIX = 4
"""Characters of a hash that may stand for it."""


class LibraryError(ValueError):
    """An operation on mapping versions that is refused; the text says why."""


class ActivationResult(msgspec.Struct, frozen=True):
    """The version that is active now, None where the LMS has none of its own any more.

    `warnings` are about what the settings of targets name and the version does not have.
    """

    version_id: int | None
    warnings: tuple[str, ...] = ()


def store_version(connection: Connection, mapping: CompiledMapping, now: int) -> int:
    """Store a version, a draft until it is activated, and return its id."""
    document = mapping.definition
    return mapping_versions.ensure(
        connection, name=document.name, content_hash=document.content_hash, definition=document.text, now=now
    )


def activate_configured(connection: Connection, mapping: CompiledMapping, now: int) -> None:
    """Activate the document of the settings for all LMSs, unless its content is what they activated last.

    So an activation by people stays until somebody edits the settings or the document they name, and the newest
    decision wins. It is not recorded in the audit log, which has what people do.
    """
    mapping_versions.lock(connection)
    version_id = store_version(connection, mapping, now)
    configured = [
        activation
        for activation in mapping_versions.activations(connection)
        if activation.by == SETTINGS and activation.lms_id is None
    ]
    ensure_dictionary(connection, version_id, mapping, now)
    if not configured or configured[-1].mapping_version_id != version_id:
        mapping_versions.activate(connection, Activation(None, version_id, now, SETTINGS, "the settings name it"))


def activate_version(
    connection: Connection,
    version_id: int,
    lms_id: int | None,
    *,
    targets: Sequence[TargetSettings],
    context: AuditContext,
) -> ActivationResult:
    """Activate a version for an LMS, or for all that have none of their own.

    A version that is active already is activated once more: every decision is recorded.

    Raises:
        DefinitionError: it has faults, all of which are listed.
        LibraryError: it tells of learners what a target must not get, or the operation claims to be by the settings.
    """
    _validate_person(context)
    mapping = compile_stored(connection, version_id)
    _validate_forms(mapping, targets)
    mapping_versions.lock(connection)
    ensure_dictionary(connection, version_id, mapping, context.at)
    _activate(connection, AuditAction.ACTIVATE, version_id, lms_id, context)
    return ActivationResult(version_id, tuple(unknown_names(mapping, targets)))


def roll_back(
    connection: Connection, lms_id: int | None, *, targets: Sequence[TargetSettings], context: AuditContext
) -> ActivationResult:
    """Activate the version before the active one, for an LMS or for all; twice goes back two versions.

    Raises:
        DefinitionError: it has faults by now: another release of the bridge stored it.
        LibraryError: there is none before it, it tells of learners what a target must not get, or the operation claims
            to be by the settings.
    """
    _validate_person(context)
    mapping_versions.lock(connection)
    stack = mapping_versions.before_current(mapping_versions.activations(connection), lms_id)
    if len(stack) < 2:
        raise LibraryError("There is no version before the active one to roll back to.")
    version_id = stack[-2]
    texts: tuple[str, ...] = ()
    if version_id is not None:
        mapping = compile_stored(connection, version_id)
        _validate_forms(mapping, targets)
        texts = tuple(unknown_names(mapping, targets))
        ensure_dictionary(connection, version_id, mapping, context.at)
    _activate(connection, AuditAction.ROLL_BACK, version_id, lms_id, context)
    return ActivationResult(version_id, texts)


def compile_stored(connection: Connection, version_id: int) -> CompiledMapping:
    """Compile a stored version.

    Raises:
        DefinitionError: it has faults.
    """
    return compile_text(mapping_versions.definition(connection, version_id), f"version {version_id}")


def find_version(connection: Connection, name_or_hash: str) -> Version:
    """Return the newest version with a name, or the one whose hash begins so.

    Raises:
        LibraryError: there is none, or more than one hash begins so.
    """
    versions = mapping_versions.versions(connection)
    named = [version for version in versions if version.name == name_or_hash]
    if named:
        return named[0]
    matching = [
        version
        for version in versions
        if len(name_or_hash) >= MIN_HASH_PREFIX and version.content_hash.startswith(name_or_hash)
    ]
    if len(matching) == 1:
        return matching[0]
    reason = "is the beginning of more than one version's hash" if matching else "is no version's name or hash"
    raise LibraryError(f"{name_or_hash!r} {reason}; `scorm-bridge mapping list` shows them.")


def find_document(connection: Connection, name: str, lms_id: int | None = None) -> CompiledMapping:
    """Return a document by its name.

    That is a file (`….toml`), `ACTIVE` for the active version of an LMS or of all, the beginning of a version's hash,
    the name of a shipped document, or that of a version, whose newest is meant.

    Raises:
        DefinitionError: it is not there, or has faults.
        LibraryError: nothing is active.
    """
    if name == ACTIVE:
        version_id = mapping_versions.active_for(connection, lms_id)
        if version_id is None:
            raise LibraryError("No version is active yet: the first start of the bridge activates one.")
        return compile_stored(connection, version_id)
    if name.endswith(".toml"):
        return load_mapping(name)
    try:
        version = find_version(connection, name)
    except LibraryError:
        return load_mapping(name)
    if version.name == name and (SHIPPED / f"{name}.toml").exists():
        return load_mapping(name)
    return compile_stored(connection, version.id)


def find_lms(connection: Connection, name: str) -> int:
    """Return the id of an LMS.

    Raises:
        LibraryError: there is none of that name.
    """
    ids = {lms_name: lms_id for lms_id, lms_name in mapping_versions.lms_names(connection).items()}
    if name not in ids:
        raise LibraryError(f"No LMS has the name {name!r}; there are: {', '.join(ids) or 'none'}.")
    return ids[name]


def _validate_person(context: AuditContext) -> None:
    if context.by == SETTINGS:
        raise LibraryError(f"{SETTINGS!r} is not the name of a person: it stands for what the settings name.")


def _validate_forms(mapping: CompiledMapping, targets: Sequence[TargetSettings]) -> None:
    if conflicts := form_conflicts(mapping, targets):
        raise LibraryError("\n".join(conflicts))


def _activate(
    connection: Connection, action: AuditAction, version_id: int | None, lms_id: int | None, context: AuditContext
) -> None:
    activation = Activation(lms_id, version_id, context.at, context.by, context.reason)
    mapping_versions.activate(connection, activation)
    lms = None if lms_id is None else mapping_versions.lms_names(connection)[lms_id]
    subject = msgspec.json.encode({"lms": lms, "mapping_version": version_id}).decode()
    record(connection, context, action, subject)
