"""Drafts of mappings: what an account is writing, with its faults, until it becomes a version or is discarded."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from storage.account_tables import account, mapping_draft
from storage.engine import insert_for


class MappingDraft(NamedTuple):
    """A draft; `saved_at` is in milliseconds since the epoch."""

    definition: str
    saved_at: int


def find(connection: Connection, account_name: str) -> MappingDraft | None:
    """Return the draft of an account, None where it has none."""
    row = connection.execute(
        select(mapping_draft.c.definition, mapping_draft.c.saved_at)
        .join(account, account.c.id == mapping_draft.c.account_id)
        .where(account.c.name == account_name)
    ).one_or_none()
    return None if row is None else MappingDraft(*row)


def save(connection: Connection, account_name: str, draft: MappingDraft) -> bool:
    """Store the draft of an account in place of the one before; return whether there is such an account."""
    account_id = connection.execute(select(account.c.id).where(account.c.name == account_name)).scalar_one_or_none()
    if account_id is None:
        return False
    new = insert_for(connection, mapping_draft).values(account_id=account_id, **draft._asdict())
    connection.execute(new.on_conflict_do_update(index_elements=["account_id"], set_=draft._asdict()))
    return True


def discard(connection: Connection, account_name: str) -> bool:
    """Delete the draft of an account; return whether there was one."""
    its = select(account.c.id).where(account.c.name == account_name).scalar_subquery()
    result = connection.execute(delete(mapping_draft).where(mapping_draft.c.account_id == its))
    return result.rowcount > 0
