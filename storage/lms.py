"""LMSs, and the key that signs commit URLs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select

from storage.engine import insert_for
from storage.learner_ids import AS_THEY_ARE, LearnerIdRules, decode_rules, encode_rules
from storage.tables import lms, signing_key

_QUERY: Select[Any] = select(lms.c.id, lms.c.name, lms.c.home_page, lms.c.origins, lms.c.created_at, lms.c.learner_ids)


@dataclass(frozen=True, slots=True)
class Lms:
    """A source of commits. `origins` are those whose pages may post them (`https://lms.example.org`).

    `learner_ids` says how ids are rewritten that its pages say with a browser key.
    """

    id: int
    name: str
    home_page: str
    origins: tuple[str, ...]
    learner_ids: LearnerIdRules = AS_THEY_ARE


class HomePageError(ValueError):
    """An LMS of this name is known with another home page, which learners' accounts and IRIs are made of."""


def register(connection: Connection, *, name: str, home_page: str, origins: Sequence[str], now: int) -> Lms:
    """Return the LMS of a name: created if it is new, with the origins that it did not have.

    Raises:
        HomePageError: the LMS exists with another home page.
    """
    stored = by_name(connection, name)
    if stored is None:
        row = connection.execute(
            insert(lms)
            .values(name=name, home_page=home_page, origins=json.dumps(sorted(origins)), created_at=now)
            .returning(lms.c.id)
        ).scalar_one()
        return Lms(row, name, home_page, tuple(sorted(origins)))
    if stored.home_page != home_page:
        raise HomePageError(f"{name} is known with the home page {stored.home_page}")
    if set(origins) - set(stored.origins):
        return change(connection, replace(stored, origins=tuple(sorted({*origins, *stored.origins}))))
    return stored


def change(connection: Connection, changed: Lms) -> Lms:
    """Store the home page, the origins and the rules for learners' ids of an LMS, and return it."""
    connection.execute(
        lms.update()
        .where(lms.c.id == changed.id)
        .values(
            home_page=changed.home_page,
            origins=json.dumps(sorted(changed.origins)),
            learner_ids=encode_rules(changed.learner_ids),
        )
    )
    return replace(changed, origins=tuple(sorted(changed.origins)))


def by_name(connection: Connection, name: str) -> Lms | None:
    """Return the LMS of a name."""
    return _load_lms(connection, lms.c.name == name)


def ids(connection: Connection) -> list[int]:
    """Return the ids of all LMSs."""
    return list(connection.execute(select(lms.c.id).order_by(lms.c.id)).scalars())


def all_of_them(connection: Connection) -> list[tuple[Lms, int]]:
    """Return all LMSs by name, each with the time at which it was created, in milliseconds since the epoch."""
    rows = connection.execute(_QUERY.order_by(lms.c.name))
    return [(_lms(row), row.created_at) for row in rows]


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
    row = connection.execute(_QUERY.where(condition)).one_or_none()
    return None if row is None else _lms(row)


def _lms(row: Row[Any]) -> Lms:
    return Lms(row.id, row.name, row.home_page, tuple(json.loads(row.origins)), decode_rules(row.learner_ids))
