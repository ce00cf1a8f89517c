"""The ledger of the sandbox LRS: every xAPI request that arrived, in order, whatever became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec
from aiohttp import web

Outcome: TypeAlias = Literal["open", "answered", "cut"]


class Arrival(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        number: its place in the order of arrival, from 1; numbers go on when the ledger is emptied.
        at: when it had arrived whole.
        method: the HTTP method.
        target: path and query.
        statement_ids: the ids of the statements in its body, in their order; None for one without an id.
        first_arrival: for each of them, whether no earlier request brought it, refused and cut ones counted.
        stored: the ids of the statements that this request stored.
        faults: the rules of the fault script that fired, by name.
        outcome: open while it is under way, for good if its handling broke off; then answered or cut.
        status: the status of the answer; None without one.
    """

    number: int
    at: datetime
    method: str
    target: str
    statement_ids: tuple[str | None, ...] = ()
    first_arrival: tuple[bool, ...] = ()
    stored: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    outcome: Outcome = "open"
    status: int | None = None


class Ledger:
    """Keeps the arrivals."""

    def __init__(self) -> None:
        self._arrivals: dict[int, Arrival] = {}
        self._seen: set[str] = set()
        self._last = 0

    def arrivals(self) -> Sequence[Arrival]:
        """Return every request so far, in order of arrival."""
        return tuple(self._arrivals.values())

    def open(self, at: datetime, method: str, target: str, statement_ids: Sequence[str | None]) -> int:
        """Record a request as it arrives, and return its number."""
        first = []
        for statement_id in statement_ids:
            key = statement_id.lower() if statement_id is not None else None
            first.append(key not in self._seen)
            if key is not None:
                self._seen.add(key)
        self._last += 1
        self._arrivals[self._last] = Arrival(self._last, at, method, target, tuple(statement_ids), tuple(first))
        return self._last

    def close(self, number: int, *, status: int | None, stored: Sequence[str], faults: Sequence[str]) -> None:
        """Record what became of a request: its status, None if the connection was cut.

        Nothing happens when the ledger was emptied in between.
        """
        if number in self._arrivals:
            self._arrivals[number] = msgspec.structs.replace(
                self._arrivals[number],
                stored=tuple(stored),
                faults=tuple(faults),
                outcome="cut" if status is None else "answered",
                status=status,
            )

    def clear(self) -> None:
        """Delete every arrival, and that any statement was seen."""
        self._arrivals.clear()
        self._seen.clear()


LEDGER: Final = web.AppKey("LEDGER", Ledger)
"""Where the application keeps its ledger, for tests that look inside."""
