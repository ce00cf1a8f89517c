"""The sandbox's token and password, which stay the same from start to start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from bridge import passwords
from bridge.access import new_token
from bridge.audit.access.login_throttle import account_subject
from bridge.clock import system_now
from bridge.operations import accounts
from bridge.operations.audit_context import AuditContext
from storage import accounts as stored_accounts
from storage import lms, tokens
from storage.accounts import NewAccount
from storage.states import TokenStatus

LMS_NAME: Final = "sandbox"
ACCOUNT_NAME: Final = "sandbox"
"""The account of the audit pages."""


class SandboxCredentials(msgspec.Struct, frozen=True):
    """The token of the sandbox's LMS and the password of its account."""

    token: str
    password: str


def prepare(connection: Connection, file: Path, home_page: str) -> tuple[SandboxCredentials, int]:
    """Register what a file keeps, as far as it is not; return it with the id of the LMS.

    Creates the file, for its owner alone, where it is missing or cannot be used, or its token is not valid.
    """
    credentials = load_credentials(file)
    stored = None if credentials is None else tokens.by_digest(connection, tokens.digest(credentials.token))
    if credentials is None or (stored is not None and stored.status(system_now()) is not TokenStatus.VALID):
        credentials = _create(file)
    lms_id = _register_lms(connection, tokens.digest(credentials.token), home_page)
    _register_account(connection, credentials.password)
    return credentials, lms_id


def load_credentials(file: Path) -> SandboxCredentials | None:
    """Return what a file keeps, None where it is missing or cannot be used."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=SandboxCredentials)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _create(file: Path) -> SandboxCredentials:
    created = SandboxCredentials(new_token(), secrets.token_urlsafe(12))
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(msgspec.json.encode(created))
    return created


def _register_lms(connection: Connection, token_digest: str, home_page: str) -> int:
    stored = tokens.by_digest(connection, token_digest)
    if stored is not None:
        return stored.lms.id
    registered, now = lms.by_name(connection, LMS_NAME), system_now()
    # the port may differ from last time, learners' accounts must not
    home_page_of_learners = registered.home_page if registered else home_page
    owner = lms.register(connection, name=LMS_NAME, home_page=home_page_of_learners, origins=(home_page,), now=now)
    tokens.add(connection, owner.id, token_digest, now)
    return owner.id


def _register_account(connection: Connection, password: str) -> None:
    context = AuditContext(ACCOUNT_NAME, "The sandbox was started.", system_now())
    stored = stored_accounts.by_name(connection, ACCOUNT_NAME)
    if stored is None:
        digest = passwords.hash_password(password)
        accounts.create_account(
            connection, NewAccount(ACCOUNT_NAME, "admin", sees_names=True, password=digest), context
        )
    elif not passwords.verify_password(password, stored.password):
        digest = passwords.hash_password(password)
        accounts.set_password(connection, ACCOUNT_NAME, digest, context, account_subject(ACCOUNT_NAME))
