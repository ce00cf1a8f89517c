"""How the newest tries of a target went."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from storage.outbox import Try
from storage.schema import spelled_out
from storage.states import DeliveryState, TryOutcome
from storage.tables import delivery, document_delivery, try_

_ORDER = {"delivery": ("shard", "id"), "document_delivery": ("not_before",)}
TROUBLES = (TryOutcome.RETRY, TryOutcome.BROKE, TryOutcome.NOT_ALLOWED, TryOutcome.FAULT)
"""Outcomes that tell of an LRS in trouble, or of the way to it."""
LOOKED_AT = 5_000
"""Tries, of all targets, and waiting deliveries that are looked at: older ones tell nothing about how it does now."""


class Tries(NamedTuple):
    """Of the newest tries: when one last delivered, how many failed since, and the last one that did.

    `next_at` is when something that failed is to be tried again; None where nothing waits for that.
    """

    delivered_at: int | None
    failures: int
    error: Try | None
    next_at: int | None

    @property
    def is_in_trouble(self) -> bool:
        """Return whether the newest try met trouble, not a refusal: the circuit breaker is open then."""
        return self.failures > 0 and self.error is not None and self.error.outcome in TROUBLES


def tries(connection: Connection, target: str) -> Tries:
    """Return how a target does; times are milliseconds since the epoch."""
    newest = select(func.coalesce(func.max(try_.c.id), 0)).scalar_subquery()
    recent = (try_.c.id > newest - LOOKED_AT, try_.c.target == target)
    is_well = try_.c.outcome.in_((TryOutcome.DELIVERED, TryOutcome.EQUIVALENT))
    well = connection.execute(
        select(try_.c.id, try_.c.started_at).where(*recent, is_well).order_by(try_.c.id.desc()).limit(1)
    ).one_or_none()
    since = 0 if well is None else well.id
    failures = connection.execute(
        select(func.count()).select_from(try_).where(*recent, ~is_well, try_.c.id > since)
    ).scalar_one()
    columns = [try_.c[name] for name in Try._fields]
    error = connection.execute(
        select(*columns).where(*recent, ~is_well).order_by(try_.c.id.desc()).limit(1)
    ).one_or_none()
    return Tries(
        None if well is None else well.started_at,
        failures,
        None if error is None else Try(*error),
        _next(connection, target),
    )


def _next(connection: Connection, target: str) -> int | None:
    first = []
    for table in (delivery, document_delivery):
        waiting = (
            select(table.c.tries, table.c.not_before)
            .where(table.c.target == target, table.c.state == spelled_out(DeliveryState.WAITING))
            .order_by(*(table.c[name] for name in _ORDER[table.name]))
            .limit(LOOKED_AT)
            .subquery()
        )
        tried = select(func.min(waiting.c.not_before)).where(waiting.c.tries > 0, waiting.c.not_before > 0)
        first.append(connection.execute(tried).scalar_one())
    return min((due for due in first if due is not None), default=None)
