"""Versions of mapping documents, by the hash of their content: what made a statement can always be read again."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.tables import mapping_version


def ensure(connection: Connection, *, name: str, content_hash: str, document: str, now: int) -> int:
    """Give the id of a version, stored if it is new."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(mapping_version)
        .values(name=name, content_hash=content_hash, document=document, created_at=now)
        .on_conflict_do_nothing()
    )
    version_id: int = connection.execute(
        select(mapping_version.c.id).where(
            mapping_version.c.name == name, mapping_version.c.content_hash == content_hash
        )
    ).scalar_one()
    return version_id
