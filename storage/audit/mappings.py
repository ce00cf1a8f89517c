"""Versions of mapping documents, as people look at them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from storage.tables import lms, mapping_version


class Version(NamedTuple):
    """A version; `created_at` is when the bridge met it first, `document` its text."""

    id: int
    name: str
    content_hash: str
    created_at: int
    document: str


_VERSIONS = select(*(mapping_version.c[name] for name in Version._fields)).order_by(mapping_version.c.id.desc())


def versions(connection: Connection, most: int = 500) -> list[Version]:
    """Give the newest versions, the newest first."""
    return [Version._make(row) for row in connection.execute(_VERSIONS.limit(most))]


def find(connection: Connection, content_hash: str) -> Version | None:
    """Give the version with this hash, None where there is none."""
    row = connection.execute(_VERSIONS.where(mapping_version.c.content_hash == content_hash).limit(1)).one_or_none()
    return None if row is None else Version._make(row)


def lms_names(connection: Connection) -> list[str]:
    """Give the names of the LMSs."""
    return list(connection.execute(select(lms.c.name).order_by(lms.c.name)).scalars())
