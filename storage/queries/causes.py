"""Why deliveries are in trouble: dead and quarantined ones, put together by what is the matter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from storage.deliveries import LAST_TRY, of_state
from storage.queries.keyset import Count, up_to
from storage.states import DeliveryState
from storage.tables import delivery, statement, try_

_BEGINNING = 160
"""Characters of an answer or problem by which it is told from others."""

_VARYING = re.compile(
    r"(?P<id>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<number>\d+)"
    r"|\s+"
)

GROUPED = 500
"""Deliveries of a state, the newest ones, that are looked at."""


class Cause(NamedTuple):
    """Deliveries of one target in trouble for the same cause, whichever rules made their statements.

    `words` is the beginning of what the LRS said at the last try, or of the statement's problem, with ids, times and
    numbers taken out; `outcome` and `status` are the last try's. `rules` are rule -> number, the commonest first;
    `first` and `last` tell when the deliveries came to
    it, `example` is the statement of the newest.
    """

    target: str
    state: str
    outcome: str | None
    status: int | None
    words: str
    rules: dict[str, int]
    number: int
    first: int
    last: int
    example: Any


class Causes(NamedTuple):
    """The causes, those first that most deliveries have, and how many deliveries they are of, the newest ones."""

    causes: list[Cause]
    of: Count


def causes(connection: Connection, target: str | None = None, limit: int = GROUPED) -> Causes:
    """Group the newest dead and the newest quarantined deliveries, of each at most `limit`, of one target or of all."""
    by_key: dict[tuple[Any, ...], Cause] = {}
    counts = []
    for state in (DeliveryState.DEAD, DeliveryState.QUARANTINED):
        conditions = of_state(state)
        if target is not None:
            conditions.append(delivery.c.target == target)
        counts.append(up_to(connection, select(delivery.c.id).where(*conditions), limit))
        for row in _grouped(connection, conditions, limit):
            key = (row.target, state, row.outcome, row.status, without_details(row.words))
            cause = Cause(*key, {row.rule: row.number}, row.number, row.first, row.last, row.newest)
            earlier = by_key.get(key)
            by_key[key] = cause if earlier is None else _both(earlier, cause)
    examples = _statements(connection, [cause.example for cause in by_key.values()])
    shown = [cause._replace(example=examples[cause.example]) for cause in by_key.values()]
    shown.sort(key=lambda cause: (-cause.number, -cause.last, cause.example))
    return Causes(shown, Count(sum(count.number for count in counts), any(count.is_lower_bound for count in counts)))


def without_details(words: str) -> str:
    """Return the beginning of an answer or problem without what differs from one statement to the next."""
    return _VARYING.sub(lambda match: f"({match.lastgroup})" if match.lastgroup else " ", words).strip()[:_BEGINNING]


def _both(cause: Cause, other: Cause) -> Cause:
    rules = Counter(cause.rules) + Counter(other.rules)
    return cause._replace(
        rules=dict(rules.most_common()),
        number=cause.number + other.number,
        first=min(cause.first, other.first),
        last=max(cause.last, other.last),
        example=max(cause.example, other.example),
    )


def _grouped(connection: Connection, conditions: Sequence[ColumnElement[bool]], limit: int) -> Sequence[Any]:
    """Return the newest of some deliveries, those together that have the same last answer."""
    newest = select(delivery.c.id).where(*conditions).order_by(delivery.c.id.desc()).limit(limit).subquery()
    # what is put in an id's place is shorter
    words = func.substr(func.coalesce(try_.c.answer, statement.c.problem, ""), 1, 3 * _BEGINNING)
    deliveries = (
        select(
            delivery.c.id,
            delivery.c.target,
            try_.c.outcome,
            try_.c.status,
            words.label("words"),
            statement.c.rule,
            func.coalesce(delivery.c.settled_at, statement.c.created_at).label("at"),
        )
        .select_from(
            newest.join(delivery, delivery.c.id == newest.c.id)
            .join(
                statement,
                and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
            )
            .outerjoin(try_, try_.c.id == LAST_TRY)
        )
        .subquery()
    )
    same = (deliveries.c.target, deliveries.c.outcome, deliveries.c.status, deliveries.c.words, deliveries.c.rule)
    return connection.execute(
        select(
            *same,
            func.count().label("number"),
            func.min(deliveries.c.at).label("first"),
            func.max(deliveries.c.at).label("last"),
            func.max(deliveries.c.id).label("newest"),
        ).group_by(*same)
    ).all()


def _statements(connection: Connection, delivery_ids: Sequence[int]) -> dict[int, str]:
    """Return delivery id -> statement id."""
    rows = connection.execute(
        select(delivery.c.id, statement.c.id.label("statement_id"))
        .join(
            statement,
            and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
        )
        .where(delivery.c.id.in_(delivery_ids))
    )
    return {row.id: row.statement_id for row in rows}
