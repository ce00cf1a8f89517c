"""Accounts of people who look at the audit pages: for commands and for sign-in elsewhere. Each act is kept."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from storage import accounts, audit_log, sign_ins
from storage.accounts import NewAccount, StoredAccount
from storage.audit_log import AuditEntry

LONGEST_NAME = 200


class AccountError(ValueError):
    """It cannot be done; says why."""


class Who(NamedTuple):
    """Who does something to an account, when (milliseconds since the epoch) and why."""

    by: str
    at: int
    reason: str = ""


def make(connection: Connection, new: NewAccount, who: Who) -> StoredAccount:
    """Make an account.

    Raises:
        AccountError: there is one of this name, or the name will not do.
    """
    check_name(new.name)
    if accounts.add(connection, new, who.at) is None:
        raise AccountError(f"There is an account {new.name} already.")
    _keep(connection, who, "make-account", new.name, _may(new.role, sees_names=new.sees_names))
    return find(connection, new.name)


def set_role(connection: Connection, name: str, role: str, who: Who, *, sees_names: bool) -> None:
    """Change what an account may, from its next request on.

    Raises:
        AccountError: there is none of this name.
    """
    found = find(connection, name)
    before, after = _may(found.role, sees_names=found.sees_names), _may(role, sees_names=sees_names)
    accounts.set_role(connection, found.id, role, sees_names=sees_names)
    _keep(connection, who, "change-role", name, f"{before} -> {after}")


def set_password(connection: Connection, name: str, password_hash: str, who: Who, failures: str) -> None:
    """Change an account's password and end its sign-ins; `failures` to sign in are forgotten.

    Raises:
        AccountError: there is none of this name, or its person signs in elsewhere.
    """
    found = find(connection, name)
    if found.issuer is not None:
        raise AccountError(f"{name} signs in at {found.issuer} and has no password here.")
    accounts.set_password(connection, found.id, password_hash)
    sign_ins.forget_failures(connection, failures)
    _keep(connection, who, "change-password", name)


def remove(connection: Connection, name: str, who: Who) -> None:
    """End an account and its sign-ins. What it did stays in the trail.

    Raises:
        AccountError: there is none of this name.
    """
    accounts.remove(connection, find(connection, name).id)
    _keep(connection, who, "remove-account", name)


def from_elsewhere(connection: Connection, told: NewAccount, now: int) -> StoredAccount:
    """Give the account of an issuer's person, made at the first sign-in, with the role that the issuer tells now.

    Raises:
        AccountError: the name is somebody else's here, or will not do.
    """
    issuer, subject = told.issuer or "", told.subject or ""
    who = Who(issuer, now)
    found = accounts.by_subject(connection, issuer, subject)
    if found is None:
        return make(connection, told, who)
    if (found.role, found.sees_names) != (told.role, told.sees_names):
        set_role(connection, found.name, told.role, who, sees_names=told.sees_names)
    return find(connection, found.name)


def find(connection: Connection, name: str) -> StoredAccount:
    """Give the account of a name.

    Raises:
        AccountError: there is none.
    """
    found = accounts.by_name(connection, name)
    if found is None:
        raise AccountError(f"There is no account {name}.")
    return found


def check_name(name: str) -> None:
    """Check what somebody is to be called.

    Raises:
        AccountError: it will not do.
    """
    if not name or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise AccountError(f"A name has 1 to {LONGEST_NAME} letters, digits and signs, and no space at its ends.")


def _may(role: str, *, sees_names: bool) -> str:
    return f"{role} who sees names" if role == "reader" and sees_names else role


def _keep(connection: Connection, who: Who, verb: str, name: str, change: str = "") -> None:
    reason = "; ".join(filter(None, (change, who.reason)))
    audit_log.append(connection, AuditEntry(who.at, who.by, verb, name, 1, reason))
