"""The outbox: statements in the order they were made, and one delivery for each target they go to.

A delivery is `waiting` until the target has it (`delivered`) or has refused it for good (`dead`), or people gave it up
(`discarded`); one of a statement that every LRS would refuse is `quarantined` and never sent. Claiming one leaves
no mark: what a killed process had on its way is still waiting, and sent again under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)

from storage import leases
from storage.prepared import Prepared, insert_into
from storage.tables import delivery, delivery_try, lease, statement, try_

UNASSIGNED = ""
"""The target of deliveries made while none is configured."""

SHARDS = 4
"""Into how many a target's deliveries are parted, all of an attempt in one: each is forwarded by itself."""

LONGEST_WAIT = 3_660_000
"""Milliseconds, an hour and a little: no delivery is ever asked to wait for so long."""

LONGEST_ANSWER = 4_000
"""Characters kept of what an LRS answered."""


class StatementRow(NamedTuple):
    """One statement on its way into the outbox; `body` is its frozen JSON, `problem` what is wrong with it."""

    attempt_id: int
    position: int
    id: str
    session_id: str
    commit_number: int
    mapping_version_id: int
    rule: str
    verb: str
    made_at: int
    problem: str | None
    body: str


class Part(NamedTuple):
    """What a process sends to a target as long as it holds the lease: a shard of it, all of it where that is None."""

    target: str
    lease: str
    owner: str
    shard: int | None = None


class Claimed(NamedTuple):
    """A delivery that may be tried now."""

    id: int
    attempt_id: int
    position: int
    tries: int
    statement_id: str
    body: str


class Try(NamedTuple):
    """One request to an LRS: how long it took in milliseconds, what came of it and what the LRS said."""

    target: str
    started_at: int
    took: int
    outcome: str
    status: int | None
    answer: str


class Settlement(NamedTuple):
    """What a try means for one delivery: its new state, and when a waiting one may be tried again."""

    delivery_id: int
    state: str
    not_before: int
    settled_at: int | None


_DELIVERY = ("target", "attempt_id", "position", "shard", "state", "tries", "not_before")
_insert_statements = insert_into(statement, StatementRow._fields)
_insert_deliveries = insert_into(delivery, _DELIVERY)
_settle = Prepared(
    {
        "key": delivery.c.id,
        "new_state": delivery.c.state,
        "new_not_before": delivery.c.not_before,
        "new_settled_at": delivery.c.settled_at,
    },
    lambda rows: (
        update(delivery)
        .where(delivery.c.id == rows["key"], delivery.c.state == literal_column("'waiting'"))
        .values(
            state=rows["new_state"],
            not_before=rows["new_not_before"],
            settled_at=rows["new_settled_at"],
            tries=delivery.c.tries + literal_column("1"),
        )
    ),
)
_insert_try = insert(try_).returning(try_.c.id)
_insert_delivery_tries = insert_into(delivery_try, ("delivery_id", "try_id"))


def add(
    connection: Connection, statements: Sequence[StatementRow], targets: Callable[[StatementRow], Sequence[str]]
) -> None:
    """Add statements, and a delivery of each to every target that `targets` gives for it, in the order given."""
    _insert_statements.run(connection, statements)
    _insert_deliveries.run(
        connection,
        [
            (
                target,
                row.attempt_id,
                row.position,
                row.attempt_id % SHARDS,
                "quarantined" if row.problem else "waiting",
                0,
                0,
            )
            for row in statements
            for target in targets(row)
        ],
    )


def assign_waiting(connection: Connection, target: str, unwanted: Collection[str] = ()) -> int:
    """Give the deliveries that wait for no target in particular to this one; tell how many.

    Those of statements of unwanted rules are forgotten, as if the target had been there when they were made.
    """
    waits = delivery.c.target == UNASSIGNED, delivery.c.state == "waiting"
    if unwanted:
        of_unwanted = exists().where(
            statement.c.attempt_id == delivery.c.attempt_id,
            statement.c.position == delivery.c.position,
            statement.c.rule.in_(unwanted),
        )
        connection.execute(delete(delivery).where(*waits, of_unwanted))
    return connection.execute(update(delivery).where(*waits).values(target=target)).rowcount


def has_unassigned(connection: Connection) -> bool:
    """Tell whether deliveries wait for no target in particular."""
    found = select(delivery.c.id).where(delivery.c.target == UNASSIGNED, delivery.c.state == "waiting").limit(1)
    return connection.execute(found).first() is not None


def claim(connection: Connection, part: Part, *, now: int, most: int, most_bytes: int) -> list[Claimed]:
    """Give deliveries that may be tried now, oldest first, an attempt's in its order and none before an earlier one.

    At most `most`, and no more than `most_bytes` bytes of statements (but always one). None where the process does not
    hold the part's lease.
    """
    rows = connection.execute(
        _claimable(connection.dialect.name, sharded=part.shard is not None),
        {
            "target": part.target,
            "shard": part.shard,
            "lease": part.lease,
            "owner": part.owner,
            "now": now,
            "most": most,
        },
    )
    claimed: list[Claimed] = []
    size = 0
    for row in rows.all():
        one = Claimed._make(row)
        size += len(one.body.encode())
        if claimed and size > most_bytes:
            break
        claimed.append(one)
    return claimed


def _is_due(not_before: ColumnElement[int], now: ColumnElement[int]) -> ColumnElement[bool]:
    # nothing is asked to wait for so long: the clock was set back meanwhile
    return or_(not_before <= now, not_before > now + literal_column(str(LONGEST_WAIT)))


@cache
def _claimable(dialect: str, *, sharded: bool) -> Select[Any]:
    target, now = bindparam("target", type_=Text), bindparam("now", type_=BigInteger)
    before = delivery.alias("before")
    # with a limit, PostgreSQL looks it up for each delivery in turn; else it joins all that wait with all that wait
    held_back = (
        select(before.c.id)
        .where(
            before.c.attempt_id == delivery.c.attempt_id,
            before.c.target.in_((target, literal_column(f"'{UNASSIGNED}'"))),
            before.c.state == literal_column("'waiting'"),
            before.c.position < delivery.c.position,
            or_(~_is_due(before.c.not_before, now), before.c.target == literal_column(f"'{UNASSIGNED}'")),
        )
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return (
        select(
            delivery.c.id,
            delivery.c.attempt_id,
            delivery.c.position,
            delivery.c.tries,
            statement.c.id.label("statement_id"),
            statement.c.body,
        )
        .join(
            statement,
            and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position),
        )
        .where(
            delivery.c.target == target,
            delivery.c.shard == bindparam("shard", type_=Integer) if sharded else true(),
            delivery.c.state == literal_column("'waiting'"),
            _is_due(delivery.c.not_before, now),
            held_back.is_(None),
            leases.holds(dialect, bindparam("lease", type_=Text), bindparam("owner", type_=lease.c.owner.type)),
        )
        .order_by(delivery.c.id)
        .limit(bindparam("most", type_=Integer))
    )


def settle(connection: Connection, done: Try, settlements: Sequence[Settlement]) -> None:
    """Note a try and what it means for its deliveries. A delivery that is settled already stays as it is."""
    try_id = add_try(connection, done)
    _insert_delivery_tries.run(connection, [(one.delivery_id, try_id) for one in settlements])
    _settle.run(connection, settlements)


def add_try(connection: Connection, done: Try) -> int:
    """Store a try and give its id."""
    values = done._replace(answer=kept_text(done.answer))._asdict()
    return int(connection.execute(_insert_try, values).scalar_one())


def waiting(connection: Connection) -> dict[str, int]:
    """Give target -> number of deliveries that wait for it; those that wait for no target yet are under `""`."""
    rows = connection.execute(
        select(delivery.c.target, func.count()).where(delivery.c.state == "waiting").group_by(delivery.c.target)
    )
    return {row.target: row[1] for row in rows}


def kept_text(answer: str) -> str:
    """Give what every database can keep of an answer: PostgreSQL takes no NUL, and neither takes lone surrogates."""
    return answer[:LONGEST_ANSWER].encode(errors="replace").decode().replace("\x00", "\ufffd")
