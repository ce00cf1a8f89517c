"""Accounts of people who look at the audit pages. Passwords are kept as hashes; who signs in elsewhere has none."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from storage import sign_ins
from storage.account_tables import account, mapping_draft
from storage.engine import insert_for


class StoredAccount(NamedTuple):
    """An account. `role` is reader, auditor or admin; `password` an Argon2 hash, None for who signs in elsewhere."""

    id: int
    name: str
    role: str
    sees_names: bool
    password: str | None
    issuer: str | None
    subject: str | None
    created_at: int


_COLUMNS = tuple(account.c[name] for name in StoredAccount._fields)


class NewAccount(NamedTuple):
    """An account to be stored: of somebody with a password, or of an issuer's person."""

    name: str
    role: str
    sees_names: bool
    password: str | None = None
    issuer: str | None = None
    subject: str | None = None


def add(connection: Connection, new: NewAccount, now: int) -> int | None:
    """Store an account and return its id; None where one of this name, or of this issuer's person, is there."""
    row = insert_for(connection, account).values(**new._asdict(), created_at=now)
    return connection.execute(row.on_conflict_do_nothing().returning(account.c.id)).scalar_one_or_none()


def all_of_them(connection: Connection) -> list[StoredAccount]:
    """Return all accounts by their names."""
    return [StoredAccount(*row) for row in connection.execute(select(*_COLUMNS).order_by(account.c.name))]


def by_name(connection: Connection, name: str) -> StoredAccount | None:
    """Return the account of a name."""
    return _load_account(connection, account.c.name == name)


def by_subject(connection: Connection, issuer: str, subject: str) -> StoredAccount | None:
    """Return the account of a person whom an OpenID Connect issuer signs in."""
    return _load_account(connection, and_(account.c.issuer == issuer, account.c.subject == subject))


def set_role(connection: Connection, account_id: int, role: str, *, sees_names: bool) -> None:
    """Update what an account may do, from its next request on."""
    connection.execute(update(account).where(account.c.id == account_id).values(role=role, sees_names=sees_names))


def set_password(connection: Connection, account_id: int, password: str) -> None:
    """Update an account's password and end all its sign-ins."""
    connection.execute(update(account).where(account.c.id == account_id).values(password=password))
    sign_ins.end_all(connection, account_id)


def remove(connection: Connection, account_id: int) -> None:
    """Delete an account, its sign-ins and its draft. What it did stays in the audit log, by its name."""
    sign_ins.end_all(connection, account_id)
    connection.execute(delete(mapping_draft).where(mapping_draft.c.account_id == account_id))
    connection.execute(delete(account).where(account.c.id == account_id))


def _load_account(connection: Connection, condition: ColumnElement[bool]) -> StoredAccount | None:
    row = connection.execute(select(*_COLUMNS).where(condition)).one_or_none()
    return None if row is None else StoredAccount(*row)
