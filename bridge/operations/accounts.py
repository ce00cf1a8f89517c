"""Accounts of people who look at the audit pages: for commands, and for sign-in with OpenID Connect."""

from __future__ import annotations

from sqlalchemy import Connection

from bridge.operations.audit_context import AuditAction, AuditContext, record
from storage import accounts, sign_ins
from storage.accounts import NewAccount, StoredAccount

MAX_NAME_LENGTH = 200


class AccountError(ValueError):
    """An operation on accounts that is refused; the text says why."""


def create_account(connection: Connection, new: NewAccount, context: AuditContext) -> StoredAccount:
    """Create an account.

    Raises:
        AccountError: the name is taken or not valid.
    """
    validate_name(new.name)
    if accounts.add(connection, new, context.at) is None:
        raise AccountError(f"There is an account {new.name} already.")
    permissions = _permissions(new.role, sees_names=new.sees_names)
    record(connection, context, AuditAction.CREATE_ACCOUNT, new.name, detail=permissions)
    return find_account(connection, new.name)


def set_role(connection: Connection, name: str, role: str, context: AuditContext, *, sees_names: bool) -> None:
    """Change an account's role, from its next request on.

    Raises:
        AccountError: there is no account of this name.
    """
    account = find_account(connection, name)
    before = _permissions(account.role, sees_names=account.sees_names)
    after = _permissions(role, sees_names=sees_names)
    accounts.set_role(connection, account.id, role, sees_names=sees_names)
    record(connection, context, AuditAction.CHANGE_ROLE, name, detail=f"{before} -> {after}")


def set_password(
    connection: Connection, name: str, password_hash: str, context: AuditContext, failure_subject: str
) -> None:
    """Change an account's password, end its sign-ins, and forget failures to sign in under `failure_subject`.

    Raises:
        AccountError: there is no account of this name, or its person signs in with OpenID Connect.
    """
    account = find_account(connection, name)
    if account.issuer is not None:
        raise AccountError(f"{name} signs in at {account.issuer} and has no password here.")
    accounts.set_password(connection, account.id, password_hash)
    sign_ins.forget_failures(connection, failure_subject)
    record(connection, context, AuditAction.CHANGE_PASSWORD, name)


def remove_account(connection: Connection, name: str, context: AuditContext) -> None:
    """Remove an account and end its sign-ins. Its entries stay in the audit log.

    Raises:
        AccountError: there is no account of this name.
    """
    accounts.remove(connection, find_account(connection, name).id)
    record(connection, context, AuditAction.REMOVE_ACCOUNT, name)


def sync_oidc_account(connection: Connection, claimed: NewAccount, now: int) -> StoredAccount:
    """Return the account of an issuer's person: created at the first sign-in, with the role that the issuer claims now.

    Raises:
        AccountError: the name is taken by another account, or not valid.
    """
    issuer, subject = claimed.issuer or "", claimed.subject or ""
    context = AuditContext(issuer, "", now)
    account = accounts.by_subject(connection, issuer, subject)
    if account is None:
        return create_account(connection, claimed, context)
    if (account.role, account.sees_names) != (claimed.role, claimed.sees_names):
        set_role(connection, account.name, claimed.role, context, sees_names=claimed.sees_names)
    return find_account(connection, account.name)


def find_account(connection: Connection, name: str) -> StoredAccount:
    """Return the account of a name.

    Raises:
        AccountError: there is none.
    """
    account = accounts.by_name(connection, name)
    if account is None:
        raise AccountError(f"There is no account {name}.")
    return account


def validate_name(name: str) -> None:
    """Validate the name of an account.

    Raises:
        AccountError: it is not valid.
    """
    if not name or name != name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise AccountError(
            f"A name has 1 to {MAX_NAME_LENGTH} printable characters, and no space at its beginning or end."
        )


def _permissions(role: str, *, sees_names: bool) -> str:
    return f"{role} who sees names" if role == "reader" and sees_names else role
