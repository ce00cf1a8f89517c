"""Creating, rotating and revoking the tokens of LMSs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from bridge.access import new_token
from bridge.clock import format_timestamp
from bridge.operations.audit_context import AuditAction, AuditContext, record
from bridge.operations.lms import LmsRegistration, register_lms
from storage import tokens
from storage.lms import Lms
from storage.states import TokenScope, TokenStatus
from storage.tokens import StoredToken

DEFAULT_OVERLAP = 24 * 3600 * 1000
"""Milliseconds for which a token that is rotated stays valid beside the new one."""


class TokenError(ValueError):
    """An operation on tokens that is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token: the `secret` itself, which is stored nowhere, and its number."""

    secret: str
    id: int
    lms: Lms


def create_token(
    connection: Connection,
    registration: LmsRegistration,
    context: AuditContext,
    *,
    scopes: Iterable[TokenScope] = tokens.DEFAULT_SCOPES,
    expires_at: int | None = None,
) -> IssuedToken:
    """Create a token for an LMS, which is registered if it is new.

    Raises:
        LmsError: the LMS cannot be registered so.
        TokenError: the token would have expired already.
    """
    owner = register_lms(connection, registration, context)
    issued = _issue(connection, owner, context, scopes, expires_at)
    detail = _describe(tokens.by_id(connection, issued.id))
    record(connection, context, AuditAction.CREATE_TOKEN, token_subject(owner, issued.id), detail=detail)
    return issued


def rotate_token(
    connection: Connection, token_id: int, context: AuditContext, *, overlap: int = DEFAULT_OVERLAP
) -> IssuedToken:
    """Replace a token by a new one with its scopes and lifetime; the old one ends after `overlap` milliseconds.

    Raises:
        TokenError: there is no such token, it is not valid, or it was rotated already.
    """
    old = find_token(connection, token_id)
    if old.status(context.at) is not TokenStatus.VALID:
        raise TokenError(f"Token {token_id} is {old.status(context.at)}; create another one instead.")
    if old.replaced_by is not None:
        raise TokenError(f"Token {token_id} was rotated already: token {old.replaced_by} replaces it.")
    expires_at = None if old.expires_at is None else context.at + old.expires_at - old.created_at
    issued = _issue(connection, old.lms, context, old.scopes, expires_at)
    ends_at = context.at + overlap if old.expires_at is None else min(old.expires_at, context.at + overlap)
    tokens.replace(connection, token_id, replaced_by=issued.id, expires_at=ends_at)
    detail = f"replaced by token {issued.id}, valid until {format_timestamp(ends_at)}"
    record(connection, context, AuditAction.ROTATE_TOKEN, token_subject(old.lms, token_id), detail=detail)
    return issued


def revoke_token(connection: Connection, token_id: int, context: AuditContext) -> StoredToken:
    """Revoke a token for good, and return it as it was.

    Raises:
        TokenError: there is no such token, or it was revoked already.
    """
    token = find_token(connection, token_id)
    if token.revoked_at is not None:
        raise TokenError(f"Token {token_id} was revoked already, at {format_timestamp(token.revoked_at)}.")
    tokens.revoke(connection, [token_id], context.at)
    record(connection, context, AuditAction.REVOKE_TOKEN, token_subject(token.lms, token_id))
    return token


def find_token(connection: Connection, token_id: int) -> StoredToken:
    """Return the token of a number.

    Raises:
        TokenError: there is none.
    """
    token = tokens.by_id(connection, token_id)
    if token is None:
        raise TokenError(f"There is no token {token_id}; `tokens list` shows them.")
    return token


def token_subject(owner: Lms, token_id: int) -> str:
    """Return what the audit log calls a token."""
    return f"{owner.name}, token {token_id}"


def _issue(
    connection: Connection, owner: Lms, context: AuditContext, scopes: Iterable[TokenScope], expires_at: int | None
) -> IssuedToken:
    if expires_at is not None and expires_at <= context.at:
        raise TokenError(f"A token that expires at {format_timestamp(expires_at)} would have expired already.")
    secret = new_token()
    token_id = tokens.add(connection, owner.id, tokens.digest(secret), context.at, scopes=scopes, expires_at=expires_at)
    return IssuedToken(secret, token_id, owner)


def _describe(token: StoredToken | None) -> str:
    if token is None:
        return ""
    expiry = "" if token.expires_at is None else f", expires at {format_timestamp(token.expires_at)}"
    return f"scopes {' '.join(token.scopes)}{expiry}"
