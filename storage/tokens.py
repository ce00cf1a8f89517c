"""The tokens that LMSs authenticate with. A token itself is not stored, only its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, insert, or_, select, update

from storage.learner_ids import decode_rules
from storage.lms import Lms
from storage.states import TokenScope, TokenStatus
from storage.tables import lms, token

DEFAULT_SCOPES = (TokenScope.COMMIT, TokenScope.READ)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token without its secret. Times are in milliseconds since the epoch.

    `last_used_at` is noted once a minute. `replaced_by` is the number of the token that it was rotated into.
    """

    id: int
    lms: Lms
    scopes: tuple[TokenScope, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    replaced_by: int | None

    def status(self, now: int) -> TokenStatus:
        """Return whether it is valid."""
        return status_of(now, expires_at=self.expires_at, revoked_at=self.revoked_at)


def status_of(now: int, *, expires_at: int | None, revoked_at: int | None) -> TokenStatus:
    """Return whether what an LMS was given, a token or a browser key, is valid at a time."""
    if revoked_at is not None:
        return TokenStatus.REVOKED
    return TokenStatus.VALID if expires_at is None or now < expires_at else TokenStatus.EXPIRED


def digest(secret: str) -> str:
    """Return what is stored of a token. Tokens are 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add(
    connection: Connection,
    lms_id: int,
    token_digest: str,
    now: int,
    *,
    scopes: Iterable[TokenScope] = DEFAULT_SCOPES,
    expires_at: int | None = None,
) -> int:
    """Store a token of an LMS, and return its number."""
    scope_set = frozenset(scopes)
    values = {
        "lms_id": lms_id,
        "digest": token_digest,
        "created_at": now,
        "scopes": " ".join(scope for scope in TokenScope if scope in scope_set),
        "expires_at": expires_at,
    }
    return int(connection.execute(insert(token).values(values).returning(token.c.id)).scalar_one())


def by_digest(connection: Connection, token_digest: str) -> StoredToken | None:
    """Return the token of a digest, whether it is valid or not."""
    row = connection.execute(_query().where(token.c.digest == token_digest)).one_or_none()
    return None if row is None else _stored(row)


def by_id(connection: Connection, token_id: int) -> StoredToken | None:
    """Return the token of a number."""
    row = connection.execute(_query().where(token.c.id == token_id)).one_or_none()
    return None if row is None else _stored(row)


def of_lms(connection: Connection, lms_id: int | None = None) -> list[StoredToken]:
    """Return the tokens of an LMS, or of all, expired and revoked ones too, in the order they were created."""
    query = _query() if lms_id is None else _query().where(token.c.lms_id == lms_id)
    return [_stored(row) for row in connection.execute(query.order_by(token.c.id))]


def revoke(connection: Connection, token_ids: Sequence[int], now: int) -> None:
    """Revoke tokens."""
    connection.execute(update(token).where(token.c.id.in_(token_ids)).values(revoked_at=now))


def replace(connection: Connection, token_id: int, *, replaced_by: int, expires_at: int) -> None:
    """Note the token that a token is rotated into, and when the old one expires."""
    values = {"replaced_by": replaced_by, "expires_at": expires_at}
    connection.execute(update(token).where(token.c.id == token_id).values(values))


def note_uses(connection: Connection, uses: Mapping[int, int], table: Table = token) -> None:
    """Store when tokens, or the rows of another table like theirs, were last used, by their number.

    What another process noted later is kept.
    """
    statement = (
        update(table)
        .where(table.c.id == bindparam("row_id"))
        .where(or_(table.c.last_used_at.is_(None), table.c.last_used_at < bindparam("used_at")))
        .values(last_used_at=bindparam("used_at"))
    )
    if uses:
        rows = [{"row_id": row_id, "used_at": used_at} for row_id, used_at in sorted(uses.items())]
        connection.execute(statement, rows)


def _query() -> Select[Any]:
    return select(token, lms.c.name, lms.c.home_page, lms.c.origins, lms.c.learner_ids).join_from(token, lms)


def _stored(row: Row[Any]) -> StoredToken:
    return StoredToken(
        row.id,
        Lms(row.lms_id, row.name, row.home_page, tuple(json.loads(row.origins)), decode_rules(row.learner_ids)),
        tuple(map(TokenScope, row.scopes.split())),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.last_used_at,
        row.replaced_by,
    )
