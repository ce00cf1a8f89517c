"""The statements of the sandbox LRS: in memory, in order of first arrival, bounded in nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from aiohttp import web

from mappings.xapi import statement_equality
from mappings.xapi.statement_equality import Fingerprint, fingerprint
from mappings.xapi.validation import Edition, syntax
from mappings.xapi.validation.statement import VOIDED, object_type


class LrsStatement(msgspec.Struct, frozen=True):
    """A statement kept by the LRS.

    Attributes:
        key: its id in lower case.
        position: its place in the order of first arrival, from 0.
        stored: when it was stored, to the millisecond, as its own ``stored`` property says.
        statement: the statement as it is given back; treat it as read-only.
        fingerprint: what a second statement with its id is compared with.
    """

    key: str
    position: int
    stored: datetime
    statement: dict[str, Any]
    fingerprint: Fingerprint

    @property
    def target(self) -> str | None:
        """The id, in lower case, of the statement it refers to; None when its object is no StatementRef."""
        if object_type(self.statement) != "StatementRef":
            return None
        target: str = self.statement["object"]["id"].lower()
        return target

    @property
    def voids(self) -> bool:
        """Whether it is a voiding statement."""
        return bool(self.statement["verb"]["id"] == VOIDED)


class Sorting(msgspec.Struct, frozen=True):
    """A batch held against what is stored: three lists in the batch's own order."""

    new: list[dict[str, Any]]
    equal: list[str]
    different: list[str]


class StatementStore:
    """Keeps valid statements; whoever calls it has checked them before.

    Args:
        new_id: makes the id of a statement that came without one.
    """

    def __init__(self, new_id: Callable[[], UUID]) -> None:
        self._new_id = new_id
        self._order: list[LrsStatement] = []
        self._by_key: dict[str, LrsStatement] = {}
        self._voided: set[str] = set()

    def __len__(self) -> int:
        return len(self._order)

    def in_order(self) -> Sequence[LrsStatement]:
        """Return everything stored, in order of first arrival, voided statements included."""
        return tuple(self._order)

    def statements(self) -> list[dict[str, Any]]:
        """Return the statements alone, in order of first arrival, voided ones included."""
        return [stored.statement for stored in self._order]

    def get(self, statement_id: str) -> LrsStatement | None:
        """Return the statement with this id, whatever its case, voided or not; None if there is none."""
        return self._by_key.get(statement_id.lower())

    def is_voided(self, stored: LrsStatement) -> bool:
        """Return whether a stored voiding statement refers to it; a voiding statement itself cannot be voided."""
        return stored.key in self._voided and not stored.voids

    def sort_out(self, batch: Iterable[dict[str, Any]]) -> Sorting:
        """Hold a batch against what is stored, by id and then by content; changes nothing."""
        sorting = Sorting([], [], [])
        for statement in batch:
            stored = self.get(statement["id"]) if "id" in statement else None
            if stored is None:
                sorting.new.append(statement)
            elif stored.fingerprint.same_as(fingerprint(statement)):
                sorting.equal.append(statement["id"])
            else:
                sorting.different.append(statement["id"])
        return sorting

    def keep(
        self, batch: Iterable[dict[str, Any]], *, at: datetime, authority: dict[str, Any], edition: Edition
    ) -> list[str]:
        """Store statements whose ids are all new, and return their ids in the same order.

        Sets ``stored`` and ``authority``, whatever came in them, and ``id``, ``timestamp`` and ``version`` where
        they are missing (xAPI Data 2.4.1 and 2.4.7 to 2.4.10).

        Args:
            batch: valid statements, no id twice and none stored yet.
            at: when they are stored; cut to the millisecond.
            authority: the agent that stands for the credentials of the request.
            edition: the edition the request was made in.
        """
        moment = at.replace(microsecond=at.microsecond // 1000 * 1000)
        return [self._keep_one(statement, moment, authority, edition) for statement in batch]

    def _keep_one(self, received: dict[str, Any], at: datetime, authority: dict[str, Any], edition: Edition) -> str:
        statement_id: str = received.get("id") or str(self._new_id())
        stored = LrsStatement(
            key=statement_id.lower(),
            position=len(self._order),
            stored=at,
            statement={
                "timestamp": syntax.timestamp(at),
                "version": "1.0.0" if edition is Edition.ONE else "2.0.0",
                **_with_listed_activities(received),
                "id": statement_id,
                "stored": syntax.timestamp(at),
                "authority": authority,
            },
            fingerprint=fingerprint(received),
        )
        self._order.append(stored)
        self._by_key[stored.key] = stored
        if stored.voids and stored.target is not None:
            self._voided.add(stored.target)
        return statement_id

    def clear(self) -> None:
        """Delete everything."""
        self._order.clear()
        self._by_key.clear()
        self._voided.clear()


STATEMENTS: Final = web.AppKey("STATEMENTS", StatementStore)
"""Where the application keeps its statements, for tests that look inside."""


def _with_listed_activities(statement: dict[str, Any]) -> dict[str, Any]:
    parts = dict(statement)
    if object_type(parts) == "SubStatement":
        parts["object"] = _with_listed_activities(parts["object"])
    kinds = parts.get("context", {}).get("contextActivities")
    if kinds is not None:
        listed = {kind: statement_equality.listed(value) for kind, value in kinds.items()}
        parts["context"] = {**parts["context"], "contextActivities": listed}
    return parts
