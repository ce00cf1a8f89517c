"""LMSs, the tokens they post with, and the key that signs commit URLs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, insert, select, update

from storage.engine import insert_for
from storage.tables import lms, signing_key, token


@dataclass(frozen=True, slots=True)
class Lms:
    """A source of commits. `origins` are those whose pages may post them (`https://lms.example.org`)."""

    id: int
    name: str
    home_page: str
    origins: tuple[str, ...]


class HomePageError(ValueError):
    """An LMS of this name is known with another home page, which learners' accounts and IRIs are made of."""


def digest(secret: str) -> str:
    """Return what is stored of a token. Tokens are 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_token(
    connection: Connection, *, name: str, home_page: str, origins: Sequence[str], token_digest: str, now: int
) -> Lms:
    """Store a token of an LMS, which is created if it is new and gets the origins it did not have.

    Raises:
        HomePageError: the LMS exists with another home page.
    """
    stored = _load_lms(connection, lms.c.name == name)
    if stored is None:
        row = connection.execute(
            insert(lms)
            .values(name=name, home_page=home_page, origins=json.dumps(sorted(origins)), created_at=now)
            .returning(lms.c.id)
        ).scalar_one()
        stored = Lms(row, name, home_page, tuple(sorted(origins)))
    elif stored.home_page != home_page:
        raise HomePageError(f"{name} is known with the home page {stored.home_page}")
    elif set(origins) - set(stored.origins):
        merged = tuple(sorted({*origins, *stored.origins}))
        connection.execute(lms.update().where(lms.c.id == stored.id).values(origins=json.dumps(merged)))
        stored = Lms(stored.id, name, home_page, merged)
    connection.execute(insert(token).values(lms_id=stored.id, digest=token_digest, created_at=now))
    return stored


def by_token(connection: Connection, token_digest: str) -> Lms | None:
    """Return the LMS of a token that is not revoked."""
    owner = select(token.c.lms_id).where(token.c.digest == token_digest, token.c.revoked_at.is_(None))
    return _load_lms(connection, lms.c.id.in_(owner))


def is_revoked(connection: Connection, token_digest: str) -> bool:
    """Return whether there is a token of this digest that was revoked."""
    query = select(token.c.id).where(token.c.digest == token_digest, token.c.revoked_at.is_not(None))
    return connection.execute(query).first() is not None


class TokenRow(NamedTuple):
    """A token without its secret, which is not kept. Times are milliseconds since the epoch."""

    id: int
    lms: str
    created_at: int
    revoked_at: int | None


def tokens(connection: Connection) -> list[TokenRow]:
    """Return all tokens, revoked ones too, in the order they were made."""
    query = select(token.c.id, lms.c.name, token.c.created_at, token.c.revoked_at).join_from(token, lms)
    return [TokenRow(*row) for row in connection.execute(query.order_by(token.c.id))]


def revoke_token(connection: Connection, token_id: int, now: int) -> TokenRow | None:
    """Revoke a token and return it as it was; None where there is none, or it was revoked already."""
    row = next(
        (token_row for token_row in tokens(connection) if token_row.id == token_id and token_row.revoked_at is None),
        None,
    )
    if row is not None:
        connection.execute(update(token).where(token.c.id == token_id).values(revoked_at=now))
    return row


def by_name(connection: Connection, name: str) -> Lms | None:
    """Return the LMS of a name."""
    return _load_lms(connection, lms.c.name == name)


def ids(connection: Connection) -> list[int]:
    """Return the ids of all LMSs."""
    return list(connection.execute(select(lms.c.id).order_by(lms.c.id)).scalars())


def names(connection: Connection) -> list[str]:
    """Return the names of all LMSs, in their order."""
    return list(connection.execute(select(lms.c.name).order_by(lms.c.name)).scalars())


def origins(connection: Connection) -> frozenset[str]:
    """Return the origins of all LMSs."""
    return frozenset(origin for row in connection.execute(select(lms.c.origins)) for origin in json.loads(row.origins))


def signing_keys(connection: Connection) -> list[bytes]:
    """Return the keys that sign commit tokens, the newest first."""
    return [row.key for row in connection.execute(select(signing_key.c.key).order_by(signing_key.c.id.desc()))]


def ensure_signing_key(connection: Connection, key: bytes, now: int) -> None:
    """Store the first signing key, unless there is one: of processes that start together, one's counts for all."""
    connection.execute(
        insert_for(connection, signing_key).values(id=1, key=key, created_at=now).on_conflict_do_nothing()
    )


def _load_lms(connection: Connection, condition: ColumnElement[bool]) -> Lms | None:
    row = connection.execute(
        select(lms.c.id, lms.c.name, lms.c.home_page, lms.c.origins).where(condition)
    ).one_or_none()
    return None if row is None else Lms(row.id, row.name, row.home_page, tuple(json.loads(row.origins)))
