"""The keys that pages of an LMS open sessions with. They stand in pages, for everybody to read: none is a secret."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from storage import tokens
from storage.learner_ids import decode_rules
from storage.lms import Lms
from storage.states import TokenStatus
from storage.tables import browser_key, lms

ANY_SUFFIX = "*"
"""Stands at the end of an activity's id for whatever follows."""


@dataclass(frozen=True, slots=True)
class BrowserKey:
    """A key with what it permits. Times are in milliseconds since the epoch; `last_used_at` is noted once a minute.

    `origins` are those of the pages that may use it, as browsers send them. `activities` are the ids that sessions may
    have, `*` at the end of one standing for whatever follows; none: all.
    """

    id: int
    key: str
    lms: Lms
    origins: tuple[str, ...]
    activities: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None

    def status(self, now: int) -> TokenStatus:
        """Return whether it is valid."""
        return tokens.status_of(now, expires_at=self.expires_at, revoked_at=self.revoked_at)

    def permits_activity(self, activity_id: str) -> bool:
        """Return whether sessions may be of an activity."""
        return not self.activities or any(
            activity_id.startswith(permitted.removesuffix(ANY_SUFFIX))
            if permitted.endswith(ANY_SUFFIX)
            else activity_id == permitted
            for permitted in self.activities
        )


def add(
    connection: Connection,
    lms_id: int,
    key: str,
    now: int,
    *,
    origins: Iterable[str],
    activities: Iterable[str] = (),
    expires_at: int | None = None,
) -> int:
    """Store a key of an LMS, and return its number."""
    values = {
        "lms_id": lms_id,
        "key": key,
        "origins": json.dumps(sorted({*origins})),
        "activities": json.dumps(sorted({*activities})),
        "created_at": now,
        "expires_at": expires_at,
    }
    return int(connection.execute(insert(browser_key).values(values).returning(browser_key.c.id)).scalar_one())


def by_id(connection: Connection, key_id: int) -> BrowserKey | None:
    """Return the key of a number."""
    row = connection.execute(_query().where(browser_key.c.id == key_id)).one_or_none()
    return None if row is None else _stored(row)


def of_lms(connection: Connection, lms_id: int | None = None) -> list[BrowserKey]:
    """Return the keys of an LMS, or of all, expired and revoked ones too, in the order they were created."""
    query = _query() if lms_id is None else _query().where(browser_key.c.lms_id == lms_id)
    return [_stored(row) for row in connection.execute(query.order_by(browser_key.c.id))]


def revoke(connection: Connection, key_ids: Iterable[int], now: int) -> None:
    """Revoke keys."""
    connection.execute(update(browser_key).where(browser_key.c.id.in_([*key_ids])).values(revoked_at=now))


def note_uses(connection: Connection, uses: Mapping[int, int]) -> None:
    """Store when keys were last used, by their number; what another process noted later is kept."""
    tokens.note_uses(connection, uses, browser_key)


def _query() -> Select[Any]:
    return select(
        browser_key, lms.c.name, lms.c.home_page, lms.c.origins.label("lms_origins"), lms.c.learner_ids
    ).join_from(browser_key, lms)


def _stored(row: Row[Any]) -> BrowserKey:
    return BrowserKey(
        row.id,
        row.key,
        Lms(row.lms_id, row.name, row.home_page, tuple(json.loads(row.lms_origins)), decode_rules(row.learner_ids)),
        tuple(json.loads(row.origins)),
        tuple(json.loads(row.activities)),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.last_used_at,
    )
