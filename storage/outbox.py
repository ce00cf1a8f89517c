"""The outbox: statements in the order they were made, and one delivery for each target they go to.

A delivery is `waiting` until the target has it (`delivered`) or has refused it for good (`dead`), or people gave it up
(`discarded`); one of a statement that every LRS would refuse is `quarantined` and never sent. Claiming one leaves
no mark: what a killed process had on its way is still waiting, and sent again under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    column,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from storage import frames, leases, target_statements
from storage.prepared import NewIds, Prepared, PreparedQuery, Write, insert_into
from storage.report_fields import ReportFields, report_fields
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import delivery, delivery_try, lease, statement, try_
from storage.target_statements import TargetStatement

UNASSIGNED = ""
"""The target of deliveries made while none is configured."""

SHARDS = 4
"""Into how many a target's deliveries are parted, all of an attempt in one: each is forwarded by itself."""

LATE = 1
"""`not_before` of deliveries that were queued after later ones of their attempt: they are due, and hold those back."""

MAX_WAIT = 3_660_000
"""Milliseconds, an hour and a little: no delivery is ever asked to wait for so long."""

MAX_ANSWER_LENGTH = 4_000
"""Characters kept of what an LRS answered."""


ERASED_ANSWER = "(erased)"
"""What stands in place of an LRS's answer to a request that carried something of an erased learner."""
SETTLED = (DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.QUARANTINED, DeliveryState.DISCARDED)
"""All states but `waiting`."""


# plain text, which drivers take faster than members
_WAITING, _QUARANTINED = DeliveryState.WAITING.value, DeliveryState.QUARANTINED.value


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
    created_at: int
    problem: str | None
    body: str


class ShardLease(NamedTuple):
    """What a process sends to a target as long as it holds the lease: a shard of it, all of it where that is None."""

    target: str
    lease: str
    owner: str
    shard: int | None = None


class ClaimedDelivery(NamedTuple):
    """A delivery that may be tried now; `size` is its statement's, in bytes."""

    id: int
    attempt_id: int
    position: int
    tries: int
    statement_id: str
    size: int


class ClaimedBatch(NamedTuple):
    """Deliveries that may be tried now, and the bodies of their statements, in the same order, a comma between two."""

    claimed: Sequence[ClaimedDelivery]
    bodies: bytes


class Try(NamedTuple):
    """One request to an LRS: how long it took in milliseconds, what came of it and what the LRS said."""

    target: str
    started_at: int
    duration_ms: int
    outcome: str
    status: int | None
    answer: str


class Settlement(NamedTuple):
    """What a try means for its deliveries: their new state, and when waiting ones may be tried again."""

    done: Try
    delivery_ids: Sequence[int]
    state: str
    not_before: int
    settled_at: int | None


_NOTHING_READ = ReportFields()
_DELIVERY = ("target", "attempt_id", "position", "shard", "state", "tries", "not_before")
_insert_statements = insert_into(statement, (*StatementRow._fields, "dictionary_id", "frame", *ReportFields._fields))
insert_deliveries = insert_into(delivery, _DELIVERY)
_insert_tries = insert_into(try_, ("id", *Try._fields))
_insert_delivery_tries = Prepared(
    {name: delivery_try.c[name] for name in ("delivery_id", "try_id")},
    # a delivery may have been erased meanwhile
    lambda rows: rows.insert(delivery_try, condition=exists().where(delivery.c.id == rows["delivery_id"])),
)
_decode = msgspec.json.Decoder(list[ClaimedDelivery]).decode


def adding(
    connection: Connection,
    statements: Sequence[StatementRow],
    targets: Callable[[StatementRow], Sequence[str]],
    forms: Sequence[TargetStatement] = (),
) -> list[Write]:
    """Return what adds statements, in frames, and a delivery of each to every target that `targets` gives, in order.

    `forms` are those of targets that get a statement in another form than its own.
    """
    deliveries = [
        (
            target,
            row.attempt_id,
            row.position,
            row.attempt_id % SHARDS,
            _QUARANTINED if row.problem else _WAITING,
            0,
            0,
        )
        for row in statements
        for target in targets(row)
    ]
    return [
        Write(_insert_statements, _in_frames(connection, statements)),
        Write(insert_deliveries, deliveries),
        target_statements.adding(connection, forms),
    ]


def _in_frames(connection: Connection, statements: Sequence[StatementRow]) -> list[tuple[Any, ...]]:
    bodies = [row.body.encode() for row in statements]
    fields = [report_fields(body) for body in bodies]
    contents = [
        # what views could not read beside the frame stays as it is
        (row.mapping_version_id, body if read is not None else b"")
        for row, body, read in zip(statements, bodies, fields, strict=True)
    ]
    rows: list[tuple[Any, ...]] = []
    for row, read, frame in zip(statements, fields, frames.compress(connection, contents), strict=True):
        if frame.content is None or read is None:
            rows.append((*row, *frames.PLAIN, *_NOTHING_READ))
        else:
            rows.append((*row[:-1], "", *frame, *read))
    return rows


def claim(
    connection: Connection,
    part: ShardLease,
    *,
    now: int,
    limit: int,
    most_bytes: int,
    on_their_way: Collection[int] = (),
) -> ClaimedBatch:
    """Return deliveries that may be tried now, oldest first, an attempt's in its order and none before an earlier one.

    At most `limit`, and no more than `most_bytes` bytes of statements (but always one). None where the process does not
    hold the part's lease. Deliveries that are on their way are passed over, as if they were settled: whoever sends what
    comes after them sends it only when they are.
    """
    ids = ",".join(map(str, on_their_way))
    but = f"[{ids}]" if connection.dialect.name == "sqlite" else f"{{{ids}}}"
    parameters = part._asdict() | {"now": now, "most": limit, "but": but}
    listed, stored = _claims[part.shard is not None].execute(connection, parameters).fetchone()
    if stored is None:
        return ClaimedBatch((), b"")
    claimed = _decode(listed)
    ends = [*accumulate(entry.size for entry in claimed)]
    contents = [bytes(stored[end - entry.size : end]) for entry, end in zip(claimed, ends, strict=True)]
    sizes = [target_statements.content_size(content) for content in contents]
    fitting = max(1, sum(size <= most_bytes for size in accumulate(sizes)))
    bodies = target_statements.read_contents(connection, contents[:fitting])
    return ClaimedBatch(
        [entry._replace(size=size) for entry, size in zip(claimed[:fitting], sizes, strict=False)], b",".join(bodies)
    )


def _is_due(not_before: ColumnElement[int], now: ColumnElement[int]) -> ColumnElement[bool]:
    # nothing is asked to wait for so long: the clock was set back meanwhile
    return or_(not_before <= now, not_before > now + literal_column(str(MAX_WAIT)))


def _each(dialect: str, name: str) -> ColumnElement[int]:
    """Return the values of a list of numbers, which a parameter is: JSON for SQLite, an array for PostgreSQL."""
    if dialect == "sqlite":
        values: ColumnElement[int] = func.json_each(bindparam(name)).table_valued("value", name="each").c.value
        return values
    return func.unnest(cast(bindparam(name, type_=Text), ARRAY(BigInteger))).column_valued("each")


def _claimable(dialect: str, *, sharded: bool) -> Select[Any]:
    # one row, the list as JSON and the bodies: the driver lets go of the interpreter's lock for each row, and a busy
    # event loop is slow to give it back
    target, now = bindparam("target", type_=Text), bindparam("now", type_=BigInteger)
    before = delivery.alias("before")
    # with a limit, PostgreSQL looks it up for each delivery in turn; else it joins all that wait with all that wait
    held_back = (
        select(before.c.id)
        .where(
            before.c.attempt_id == delivery.c.attempt_id,
            before.c.target.in_((target, spelled_out(UNASSIGNED))),
            before.c.state == spelled_out(DeliveryState.WAITING),
            before.c.position < delivery.c.position,
            # once more in the words of the index, which has those only that can hold something back
            or_(before.c.not_before > literal_column("0"), before.c.target == spelled_out(UNASSIGNED)),
            or_(
                ~_is_due(before.c.not_before, now),
                before.c.target == spelled_out(UNASSIGNED),
                # queued late, it would come after what follows it
                before.c.id > delivery.c.id,
            ),
        )
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    due = (
        select(delivery.c.id, delivery.c.attempt_id, delivery.c.position, delivery.c.tries)
        .where(
            delivery.c.target == target,
            delivery.c.shard == bindparam("shard", type_=Integer) if sharded else true(),
            delivery.c.state == spelled_out(DeliveryState.WAITING),
            _is_due(delivery.c.not_before, now),
            delivery.c.id.not_in(select(_each(dialect, "but"))),
            held_back.is_(None),
            leases.holds(dialect, bindparam("lease", type_=Text), bindparam("owner", type_=lease.c.owner.type)),
        )
        .order_by(delivery.c.id)
        .limit(bindparam("most", type_=Integer))
        .subquery("due")
    )
    # SQLite's aggregates take the rows as they come, which is in the order of the subquery
    claimable = (
        select(*due.c, statement.c.id.label("statement_id"), target_statements.content_for(target).label("content"))
        .join(statement, and_(statement.c.attempt_id == due.c.attempt_id, statement.c.position == due.c.position))
        .order_by(due.c.id)
        .subquery("found")
    )
    columns = [claimable.c[name] for name in ClaimedDelivery._fields if name != "size"]
    content = claimable.c.content
    nothing: ColumnElement[str] = literal_column("''")
    if dialect == "sqlite":
        query = select(
            func.json_group_array(func.json_array(*columns, func.length(content))),
            cast(func.group_concat(content, nothing), LargeBinary),
        )
    else:
        rows = func.json_agg(
            aggregate_order_by(func.json_build_array(*columns, func.octet_length(content)), claimable.c.id)
        )
        together = func.string_agg(content, aggregate_order_by(cast(nothing, LargeBinary), claimable.c.id))
        query = select(cast(rows, Text), together)
    return query


_claims = {sharded: PreparedQuery(partial(_claimable, sharded=sharded)) for sharded in (False, True)}


_SETTLED_COLUMNS = ("id", "state", "not_before", "settled_at", "settled_by")


def _build_settlement(dialect: str) -> Update:
    """Build the UPDATE: PostgreSQL gets each column's values as an array, SQLite all rows as one JSON value."""
    if dialect == "sqlite":
        each = func.json_each(bindparam("rows")).table_valued("value", name="told")
        new_values: dict[str, Any] = {
            name: func.json_extract(each.c.value, literal_column(f"'$[{place}]'"))
            for place, name in enumerate(_SETTLED_COLUMNS)
        }
    else:
        # as subqueries, how long they are is not known: so few are looked up by their ids, however small the table is
        # believed to be
        arrays = [
            select(cast(bindparam(name, type_=Text), ARRAY(delivery.c[name].type))).scalar_subquery()
            for name in _SETTLED_COLUMNS
        ]
        rows = (
            func.unnest(*arrays)
            .table_valued(*(column(name) for name in _SETTLED_COLUMNS), name="told")
            .render_derived(name="told")
        )
        new_values = {name: rows.c[name] for name in _SETTLED_COLUMNS}
    return (
        update(delivery)
        # not `= 'waiting'`, or PostgreSQL may look through all that waits where it believes it to be little
        .where(
            delivery.c.id == new_values.pop("id"),
            delivery.c.state.not_in([spelled_out(state) for state in SETTLED]),
        )
        .values(**new_values, tries=delivery.c.tries + literal_column("1"))
    )


_settling = PreparedQuery(_build_settlement)


_new_try_ids = NewIds(try_)


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Store tries and what they mean for their deliveries. A delivery that is settled already stays as it is."""
    if not settlements:
        return
    try_ids = add_tries(connection, [settlement.done for settlement in settlements])
    numbered = list(zip(try_ids, settlements, strict=True))
    if _settle(connection, numbered) < sum(len(settlement.delivery_ids) for settlement in settlements):
        # somebody else settled some meanwhile: these are tries of theirs all the same
        for try_id, settlement in numbered:
            of_others = delivery.c.id.in_(settlement.delivery_ids), delivery.c.settled_by.is_distinct_from(try_id)
            if settlement.state != DeliveryState.WAITING:
                rows = select(delivery.c.id, literal(try_id)).where(*of_others)
                connection.execute(insert(delivery_try).from_select(["delivery_id", "try_id"], rows))
        _erase_answers_about_erased(connection, numbered)
    _insert_delivery_tries.run(
        connection,
        [
            (delivery_id, try_id)
            for try_id, settlement in numbered
            if settlement.state == DeliveryState.WAITING
            for delivery_id in settlement.delivery_ids
        ],
    )


def _settle(connection: Connection, numbered: Sequence[tuple[int, Settlement]]) -> int:
    """Return deliveries their new states; return how many there were that had not been settled already."""
    rows = [
        (
            delivery_id,
            settlement.state,
            settlement.not_before,
            settlement.settled_at,
            None if settlement.state == DeliveryState.WAITING else try_id,
        )
        for try_id, settlement in numbered
        for delivery_id in settlement.delivery_ids
    ]
    if connection.dialect.name == "sqlite":
        parameters = {"rows": msgspec.json.encode(rows).decode()}
    else:
        columns = zip(_SETTLED_COLUMNS, zip(*rows, strict=True), strict=True)
        parameters = {name: _array(values) for name, values in columns}
    return int(_settling.execute(connection, parameters).rowcount)


def _array(values: Iterable[object]) -> str:
    """Write PostgreSQL's array of numbers and plain words, which psycopg takes much longer for."""
    return f"{{{','.join('NULL' if value is None else str(value) for value in values)}}}"


def add_tries(connection: Connection, tries: Sequence[Try]) -> Sequence[int]:
    """Store tries and return their ids."""
    ids = _new_try_ids.take(connection, len(tries))
    _insert_tries.run(
        connection,
        [
            (try_id, *done._replace(answer=truncate_answer(done.answer)))
            for try_id, done in zip(ids, tries, strict=True)
        ],
    )
    return ids


def erase_answers(connection: Connection, try_ids: Collection[int]) -> None:
    """Delete what LRSs answered to requests, as it may repeat what was sent; times and outcomes of these stay."""
    if try_ids:
        connection.execute(update(try_).where(try_.c.id.in_(try_ids)).values(answer=ERASED_ANSWER))


def _erase_answers_about_erased(connection: Connection, numbered: Sequence[tuple[int, Settlement]]) -> None:
    """Delete the answers to requests that were on their way when a learner of theirs was erased."""
    ids = [delivery_id for _, settlement in numbered for delivery_id in settlement.delivery_ids]
    present = set(connection.execute(select(delivery.c.id).where(delivery.c.id.in_(ids))).scalars())
    erase_answers(
        connection, [try_id for try_id, settlement in numbered if not present.issuperset(settlement.delivery_ids)]
    )


def hurry(connection: Connection, target: str) -> int:
    """Retry what waits for a target after a try at once; return how many deliveries that is."""
    # the index has those only that were tried: few of all that wait
    waits = (
        delivery.c.state == spelled_out(DeliveryState.WAITING),
        delivery.c.not_before > literal_column(str(LATE)),
    )
    hurried = update(delivery).where(delivery.c.target == target, *waits).values(not_before=LATE)
    return connection.execute(hurried).rowcount


def waiting(connection: Connection) -> dict[str, int]:
    """Return target -> number of deliveries that wait for it; those that wait for no target yet are under `""`."""
    rows = connection.execute(
        select(delivery.c.target, func.count())
        .where(delivery.c.state == spelled_out(DeliveryState.WAITING))
        .group_by(delivery.c.target)
    )
    return {row.target: row[1] for row in rows}


def truncate_answer(answer: str) -> str:
    """Return what every database can keep of an answer: PostgreSQL takes no NUL, and neither takes lone surrogates."""
    return answer[:MAX_ANSWER_LENGTH].encode(errors="replace").decode().replace("\x00", "\ufffd")
