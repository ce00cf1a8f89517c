"""Which version holds for which LMS: the acts that change it. Each is kept, with who did it and why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from bridge.configured_targets import warnings
from bridge.mapping_documents import compile_text
from bridge.target_settings import TargetSettings
from mappings.definition import CompiledMapping
from storage import audit_log, mapping_versions
from storage.audit_log import AuditEntry
from storage.mapping_versions import Activation, Version

SETTINGS = "settings"
"""Who activates what the settings name."""


class LibraryError(ValueError):
    """An act on mapping versions that cannot be done; the text says why."""


class Activated(msgspec.Struct, frozen=True):
    """A version holds now, None where the LMS has none of its own any more.

    `warnings` tell what the settings of targets name that it has not.
    """

    version_id: int | None
    warnings: tuple[str, ...] = ()


def store(connection: Connection, mapping: CompiledMapping, now: int) -> int:
    """Keep a version, as a draft until it is activated, and give its id."""
    one = mapping.document
    return mapping_versions.ensure(
        connection, name=one.name, content_hash=one.content_hash, definition=one.text, now=now
    )


def follow_settings(connection: Connection, mapping: CompiledMapping, now: int) -> None:
    """Activate the document of the settings for all, where its content is not what they activated last.

    So an activation by people stays until somebody edits the settings or the document they name, and the newest
    decision wins. It is no act of people, and not in the trail of those.
    """
    mapping_versions.lock(connection)
    version_id = store(connection, mapping, now)
    own = [one for one in mapping_versions.activations(connection) if one.by == SETTINGS and one.lms_id is None]
    if not own or own[-1].mapping_version_id != version_id:
        mapping_versions.activate(connection, Activation(None, version_id, now, SETTINGS, "the settings name it"))


def activate(
    connection: Connection,
    version_id: int,
    lms_id: int | None,
    *,
    targets: Sequence[TargetSettings],
    how: tuple[str, str, int],
) -> Activated:
    """Let a version hold for an LMS, or for all that have none of their own, from now on.

    `how`: by whom, why, and when (milliseconds since the epoch). A version that holds already is activated once more:
    what people decided is kept.

    Raises:
        DocumentError: it has faults, all of which are told.
        LibraryError: it is said to be by the settings.
    """
    by, reason, now = how
    if by == SETTINGS:
        raise LibraryError(f"{SETTINGS!r} is not the name of a person: it stands for what the settings name.")
    mapping = compile_stored(connection, version_id)
    mapping_versions.lock(connection)
    _act(connection, "activate", Activation(lms_id, version_id, now, by, reason))
    return Activated(version_id, tuple(warnings(mapping, targets)))


def roll_back(
    connection: Connection, lms_id: int | None, *, targets: Sequence[TargetSettings], how: tuple[str, str, int]
) -> Activated:
    """Activate the version that held before the active one, for an LMS or for all; twice goes back two versions.

    Raises:
        DocumentError: it has faults by now: another release of the bridge made it.
        LibraryError: there is none before it, or the act is said to be by the settings.
    """
    by, reason, now = how
    if by == SETTINGS:
        raise LibraryError(f"{SETTINGS!r} is not the name of a person: it stands for what the settings name.")
    mapping_versions.lock(connection)
    stack = mapping_versions.before_current(mapping_versions.activations(connection), lms_id)
    if len(stack) < 2:
        raise LibraryError("There is no version before the active one to go back to.")
    version_id = stack[-2]
    told = () if version_id is None else tuple(warnings(compile_stored(connection, version_id), targets))
    _act(connection, "rollback", Activation(lms_id, version_id, now, by, reason))
    return Activated(version_id, told)


def compile_stored(connection: Connection, version_id: int) -> CompiledMapping:
    """Compile a version.

    Raises:
        DocumentError: it has faults.
    """
    return compile_text(mapping_versions.definition(connection, version_id), f"version {version_id}")


def find(connection: Connection, told: str) -> Version:
    """Give the version with a name, the newest of it, or with a hash that begins so.

    Raises:
        LibraryError: there is none, or more than one hash begins so.
    """
    stored = mapping_versions.versions(connection)
    named = [one for one in stored if one.name == told]
    if named:
        return named[0]
    found = [one for one in stored if len(told) >= 4 and one.content_hash.startswith(told)]
    if len(found) == 1:
        return found[0]
    why = "is the beginning of more than one version's hash" if found else "is no version's name or hash"
    raise LibraryError(f"{told!r} {why}; `scorm-bridge mapping list` shows them.")


def find_lms(connection: Connection, name: str) -> int:
    """Give the id of an LMS.

    Raises:
        LibraryError: there is none of that name.
    """
    names = {known: own for own, known in mapping_versions.lms_names(connection).items()}
    if name not in names:
        raise LibraryError(f"No LMS has the name {name!r}; there are: {', '.join(names) or 'none'}.")
    return names[name]


def _act(connection: Connection, verb: str, one: Activation) -> None:
    mapping_versions.activate(connection, one)
    subject = {
        "lms": None if one.lms_id is None else mapping_versions.lms_names(connection)[one.lms_id],
        "mapping_version": one.mapping_version_id,
    }
    audit_log.append(connection, AuditEntry(one.at, one.by, verb, msgspec.json.encode(subject).decode(), 1, one.reason))
