"""Finds a mapping document by what people call it: a file, a stored version, or a shipped document."""

from __future__ import annotations

from sqlalchemy import Connection

from bridge.mapping_documents import SHIPPED, load_mapping
from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError, compile_stored
from mappings.definition import CompiledMapping
from storage import mapping_versions


def find_document(connection: Connection, name: str, lms_id: int | None = None) -> CompiledMapping:
    """Return a document by its name.

    That is a file (`….toml`), `active` for the active version of an LMS or of all, the beginning of a version's hash,
    the name of a shipped document, or that of a version, whose newest is meant.

    Raises:
        DefinitionError: it is not there, or has faults.
        LibraryError: nothing is active.
    """
    if name == "active":
        version_id = mapping_versions.active_for(connection, lms_id)
        if version_id is None:
            raise LibraryError("No version is active yet: the first start of the bridge activates one.")
        return compile_stored(connection, version_id)
    if name.endswith(".toml"):
        return load_mapping(name)
    try:
        version = activation.find_version(connection, name)
    except LibraryError:
        return load_mapping(name)
    if version.name == name and (SHIPPED / f"{name}.toml").exists():
        return load_mapping(name)
    return compile_stored(connection, version.id)
