"""Finding the document that people mean: a file, a version that is stored, or one that is shipped."""

from __future__ import annotations

from sqlalchemy import Connection

from bridge.mapping_documents import SHIPPED, load_mapping
from bridge.mapping_library import activation
from bridge.mapping_library.activation import LibraryError, compile_stored
from mappings.definition import CompiledMapping
from storage import mapping_versions


def find_document(connection: Connection, told: str, lms_id: int | None = None) -> CompiledMapping:
    """Give a document by what people call it.

    That is a file (`….toml`), `active` for what holds for an LMS or for all, the beginning of a version's hash, the
    name of a shipped document, or that of a version, whose newest is meant.

    Raises:
        DocumentError: it is not there, or has faults.
        LibraryError: nothing is active.
    """
    if told == "active":
        version_id = mapping_versions.active_for(connection, lms_id)
        if version_id is None:
            raise LibraryError("No version is active yet: the first start of the bridge activates one.")
        return compile_stored(connection, version_id)
    if told.endswith(".toml"):
        return load_mapping(told)
    try:
        found = activation.find_version(connection, told)
    except LibraryError:
        return load_mapping(told)
    if found.name == told and (SHIPPED / f"{told}.toml").exists():
        return load_mapping(told)
    return compile_stored(connection, found.id)
