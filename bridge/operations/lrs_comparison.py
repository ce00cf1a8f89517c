"""What it means that an LRS has a statement as it does, or does not have it: the pure part of a reconciliation."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from bridge.forwarding.divergence import is_diverged
from mappings.xapi.statement_equality import Equality, canonical, compare
from storage.reconciliation import LedgerEntry
from storage.states import DeliveryState, TryOutcome


class Discrepancy(StrEnum):
    """What is not at the LRS as it is in the ledger."""

    MISSING = "missing"
    """The LRS took it, and does not have it."""
    UNQUEUED = "unqueued"
    """The LRS does not have it, and no delivery of it is stored: it is older than the target, or than the retention."""
    DIFFERENT = "different"
    """The LRS has it, altered."""
    FOREIGN = "foreign"
    """The LRS has another statement under its id."""
    VOIDED = "voided"
    """It is voided there, and nothing here voids it."""
    UNKNOWN = "unknown"
    """The LRS has it, it can only be ours, and the ledger does not have it."""
    RESTATED = "restated"
    """As unknown, of a session that has come again since, as another attempt: the LRS has it under other ids, too."""


REPAIRED = (Discrepancy.MISSING, Discrepancy.UNQUEUED)
"""What can be sent again. An LRS neither replaces a statement nor takes back that it is voided."""


class StatementVerdict(NamedTuple):
    """What is wrong with a statement at the LRS, and where; None where it is there as it was sent."""

    discrepancy: Discrepancy | None
    detail: str = ""


class _RegisteredContext(msgspec.Struct):
    registration: str | None = None


class _Registered(msgspec.Struct):
    context: _RegisteredContext = msgspec.field(default_factory=_RegisteredContext)


_decode_registered = msgspec.json.Decoder(_Registered).decode
_MAY_BE_THERE = frozenset({TryOutcome.CONFLICT, TryOutcome.DIVERGED, TryOutcome.UNVERIFIED})
"""Outcomes of dead deliveries of which the LRS has some statement under the id."""


def registration_of(body: str) -> str | None:
    """Return the registration of a statement that is given as JSON, None where it has none."""
    return _decode_registered(body).context.registration


def judge(body: str, stored: dict[str, Any], *, is_voided: bool) -> StatementVerdict:
    """Compare a statement as it was sent with what the LRS has under its id."""
    comparison = compare(body, stored)
    if comparison.equality is not Equality.DIFFERENT:
        return StatementVerdict(Discrepancy.VOIDED, "voided there") if is_voided else StatementVerdict(None)
    kind = Discrepancy.FOREIGN if _is_another(body, stored) else Discrepancy.DIFFERENT
    return StatementVerdict(kind, comparison.difference + (", and is voided there" if is_voided else ""))


def judge_absence(entry: LedgerEntry, readable_until: int) -> StatementVerdict | DeliveryState | None:
    """Return what it means that the LRS does not have a statement.

    The state of its delivery where it need not be there; None where it was delivered after `readable_until`, in
    milliseconds since the epoch, and may only not be readable yet.
    """
    if entry.state is None:
        return StatementVerdict(Discrepancy.UNQUEUED, "no delivery of it is stored")
    if entry.state != DeliveryState.DELIVERED:
        return DeliveryState(entry.state)
    if entry.settled_at is not None and entry.settled_at > readable_until:
        return None
    return StatementVerdict(Discrepancy.MISSING, "the LRS took it, and does not have it")


def may_be_there(entry: LedgerEntry) -> bool:
    """Return whether the LRS may have something under the id of a statement that is not in its lists."""
    if entry.state == DeliveryState.DEAD:
        return entry.outcome in _MAY_BE_THERE
    return entry.state in {None, DeliveryState.DELIVERED}


def _is_another(body: str, stored: dict[str, Any]) -> bool:
    """Return whether two statements tell of different people, acts, things or moments."""
    try:
        return is_diverged(body, stored) or _subject(msgspec.json.decode(body)) != _subject(stored)
    except RecursionError:  # nothing that is sent is nested so deeply
        return True


def _subject(statement: dict[str, Any]) -> tuple[Any, Any]:
    parts = canonical({name: statement.get(name) for name in ("actor", "object")})
    actor = parts["actor"]
    known_by = {name: value for name, value in actor.items() if name != "name"} if isinstance(actor, dict) else actor
    return known_by, parts["object"]
