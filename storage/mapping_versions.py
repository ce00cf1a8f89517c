"""Versions of mapping documents, by the hash of their content, and which of them was active when.

What made a statement can always be read again: versions are never changed, activations only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, text

from storage.engine import insert_for
from storage.tables import lms, mapping_activation, mapping_version


class Version(NamedTuple):
    """A version without its text. `created_at` is when it was stored."""

    id: int
    name: str
    content_hash: str
    created_at: int


class WholeVersion(NamedTuple):
    """A version with its text."""

    id: int
    name: str
    content_hash: str
    created_at: int
    definition: str


class Activation(NamedTuple):
    """From `at` on, a version holds for one LMS, or for all that have none of their own (`lms_id` is None).

    Without a `mapping_version_id`, the LMS has none of its own any more.
    """

    lms_id: int | None
    mapping_version_id: int | None
    at: int
    by: str
    reason: str


_WHOLE = select(*(mapping_version.c[name] for name in WholeVersion._fields)).order_by(mapping_version.c.id.desc())


def ensure(connection: Connection, *, name: str, content_hash: str, definition: str, now: int) -> int:
    """Return the id of a version, stored if it is new."""
    connection.execute(
        insert_for(connection, mapping_version)
        .values(name=name, content_hash=content_hash, definition=definition, created_at=now)
        .on_conflict_do_nothing()
    )
    version_id: int = connection.execute(
        select(mapping_version.c.id).where(
            mapping_version.c.name == name, mapping_version.c.content_hash == content_hash
        )
    ).scalar_one()
    return version_id


def versions(connection: Connection) -> list[Version]:
    """Return all versions, the newest first."""
    columns = (mapping_version.c[name] for name in Version._fields)
    return [Version._make(row) for row in connection.execute(select(*columns).order_by(mapping_version.c.id.desc()))]


def newest(connection: Connection, limit: int = 500) -> list[WholeVersion]:
    """Return the newest versions with their texts, the newest first."""
    return [WholeVersion._make(row) for row in connection.execute(_WHOLE.limit(limit))]


def find(connection: Connection, content_hash: str) -> WholeVersion | None:
    """Return the version with this hash, None where there is none."""
    row = connection.execute(_WHOLE.where(mapping_version.c.content_hash == content_hash).limit(1)).one_or_none()
    return None if row is None else WholeVersion._make(row)


def definition(connection: Connection, version_id: int) -> str:
    """Return the text of a version."""
    result = connection.execute(select(mapping_version.c.definition).where(mapping_version.c.id == version_id))
    return str(result.scalar_one())


def lock(connection: Connection) -> None:
    """Lock activations until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {mapping_activation.name} IN SHARE ROW EXCLUSIVE MODE"))


def activate(connection: Connection, activation: Activation) -> None:
    """Add an activation. `lock` must have been called where it depends on earlier ones."""
    connection.execute(insert(mapping_activation).values(activation._asdict()))


def activations(connection: Connection) -> list[Activation]:
    """Return all activations in the order they were made."""
    columns = (mapping_activation.c[name] for name in Activation._fields)
    rows = connection.execute(select(*columns).order_by(mapping_activation.c.id))
    return [Activation._make(row) for row in rows]


def latest(connection: Connection) -> int:
    """Return a number that is another one as soon as anything was activated; 0 where nothing ever was."""
    return int(connection.execute(select(func.coalesce(func.max(mapping_activation.c.id), 0))).scalar_one())


def active(connection: Connection) -> dict[int | None, int]:
    """Return LMS id -> id of its own version, for those that have one; under None is the one for all others."""
    newest = select(func.max(mapping_activation.c.id)).group_by(mapping_activation.c.lms_id)
    rows = connection.execute(
        select(mapping_activation.c.lms_id, mapping_activation.c.mapping_version_id).where(
            mapping_activation.c.id.in_(newest), mapping_activation.c.mapping_version_id.is_not(None)
        )
    )
    return {row[0]: row[1] for row in rows}


def active_for(connection: Connection, lms_id: int | None) -> int | None:
    """Return the id of the version that is active for an LMS: its own, else that for all; None without either."""
    active_versions = active(connection)
    return active_versions.get(lms_id, active_versions.get(None))


def lms_names(connection: Connection) -> dict[int, str]:
    """Return id -> name of all LMSs, in the order of their names."""
    return {row[0]: row[1] for row in connection.execute(select(lms.c.id, lms.c.name).order_by(lms.c.name))}


def before_current(history: Sequence[Activation], lms_id: int | None) -> list[int | None]:
    """Return the versions that a rollback goes back through, the active one at the end.

    A return to the version below the active one takes that off again, so that rolling back twice goes back two
    versions. An LMS begins with None: the version for all.
    """
    stack: list[int | None] = [] if lms_id is None else [None]
    for activation in history:
        if activation.lms_id != lms_id or (stack and stack[-1] == activation.mapping_version_id):
            continue
        if len(stack) > 1 and stack[-2] == activation.mapping_version_id:
            stack.pop()
        else:
            stack.append(activation.mapping_version_id)
    return stack
