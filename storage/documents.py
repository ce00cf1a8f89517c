"""State and profile documents: the newest content of each, and where it is on its way to each target.

A delivery is `waiting` until the target has the newest content (`delivered`) or has refused it (`dead`); new content
makes it wait again. What changes several times before it is sent is sent once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)

from storage import attempts, leases
from storage.outbox import UNASSIGNED, ShardLease, Try, add_tries, erase_answers
from storage.prepared import Prepared, PreparedSelect, Rows, Write, write
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import attempt, document, document_delivery, document_try, enrollment, lease

_WAITS = document_delivery.c.state == spelled_out(DeliveryState.WAITING)
REBUILT_TOGETHER = 500
"""Documents that are let be built anew at once."""


class DocumentRow(NamedTuple):
    """A document's newest content, and the commit and mapping version it comes of.

    `id` is the same for the same place at an LRS, which `resource` and `parameters` (JSON) name. `form` tells in words
    what is different for its targets, None where it is as the mapping says.
    """

    id: str
    name: str
    resource: str
    parameters: str
    content_type: str
    content: bytes
    attempt_id: int
    session_id: str
    commit_number: int
    mapping_version_id: int
    changed_at: int
    form: str | None = None


class DocumentUpdate(NamedTuple):
    """A document to store. `min_interval_ms` lie at least between two writes; 0 to write it now."""

    row: DocumentRow
    min_interval_ms: int


class ClaimedDocument(NamedTuple):
    """A document that may be written now.

    `changes` tells whether newer content came while it was; `tries` counts the requests so far.
    """

    id: str
    name: str
    resource: str
    parameters: str
    content_type: str
    content: bytes
    changes: int
    tries: int


class DocumentSettlement(NamedTuple):
    """The result of a try to write a document, and the state it leaves its delivery in.

    One that still waits is not tried before `not_before`. Times are in milliseconds since the epoch.
    """

    done: Try
    claimed: ClaimedDocument
    state: str
    settled_at: int
    not_before: int


def _store_documents(rows: Rows) -> Insert:
    new = rows.insert(document)
    assignments = {name: new.excluded[name] for name in DocumentRow._fields if name != "id"}
    return new.on_conflict_do_update(index_elements=["id"], set_=assignments)


def _send_documents(rows: Rows) -> Insert:
    new = rows.insert(document_delivery)
    before, is_new = document_delivery.c, new.excluded.changes > literal_column("0")
    due = func.coalesce(before.settled_at, literal_column("0")) + new.excluded.min_interval_ms
    waits = before.state == spelled_out(DeliveryState.WAITING)
    return new.on_conflict_do_update(
        index_elements=["document_id", "target"],
        set_={
            "state": case((is_new, new.excluded.state), else_=before.state),
            "changes": before.changes + new.excluded.changes,
            "min_interval_ms": new.excluded.min_interval_ms,
            "not_before": case(
                (and_(waits, before.not_before < due), before.not_before),
                (waits | is_new, due),
                else_=before.not_before,
            ),
        },
    )


_SENT = ("document_id", "target", "state", "changes", "min_interval_ms", "tries", "not_before")
_store = Prepared({name: document.c[name] for name in DocumentRow._fields}, _store_documents)
_send = Prepared({name: document_delivery.c[name] for name in _SENT}, _send_documents)
_take = Prepared(
    {"key": document_delivery.c.document_id},
    lambda rows: delete(document_delivery).where(
        document_delivery.c.target == spelled_out(UNASSIGNED),
        document_delivery.c.document_id.in_(select(rows["key"])),
    ),
)
_load_contents = PreparedSelect(lambda ids: select(document.c.id, document.c.content).where(document.c.id.in_(ids)))


def store(
    connection: Connection, documents: Sequence[DocumentUpdate], targets: Callable[[DocumentRow], Sequence[str]]
) -> None:
    """Store the newest content of documents, each once, to be sent to the targets that `targets` returns for it.

    Content that is the same as before is sent to nobody who has it.
    """
    if not documents:
        return
    # in an order that all transactions share, so that none waits in a circle
    ordered = sorted(documents, key=lambda change: change.row.id)
    ids = [change.row.id for change in ordered]
    contents = {row[0]: bytes(row[1]) for row in _load_contents.rows(connection, ids)}
    changed = {change.row.id for change in ordered if contents.get(change.row.id) != change.row.content}
    deliveries = [
        (
            change.row.id,
            target,
            DeliveryState.WAITING.value,
            int(change.row.id in changed),
            change.min_interval_ms,
            0,
            0,
        )
        for change in ordered
        for target in targets(change.row)
    ]
    rows = [change.row for change in ordered if change.row.id in changed]
    write(connection, [Write(_store, rows), Write(_send, deliveries)])


def claim(connection: Connection, part: ShardLease, *, now: int, limit: int) -> list[ClaimedDocument]:
    """Return documents that may be written now, those first that have waited longest.

    None where the process does not hold the part's lease.
    """
    rows = connection.execute(
        select(
            *(document.c[name] for name in ClaimedDocument._fields if name not in {"changes", "tries"}),
            document_delivery.c.changes,
            document_delivery.c.tries,
        )
        .join(document_delivery, document_delivery.c.document_id == document.c.id)
        .where(
            document_delivery.c.target == part.target,
            _WAITS,
            document_delivery.c.not_before <= now,
            leases.holds(connection.dialect.name, literal(part.lease), literal(part.owner, lease.c.owner.type)),
        )
        .order_by(document_delivery.c.not_before, document.c.id)
        .limit(limit)
    )
    return [ClaimedDocument._make(row) for row in rows]


def settle(connection: Connection, settlements: Sequence[DocumentSettlement]) -> None:
    """Store tries and what they mean: new states, unless newer content came meanwhile, which waits for its turn.

    A document that still waits goes behind the others.
    """
    if not settlements:
        return
    # in an order that all transactions share, so that none waits in a circle
    ordered = sorted(settlements, key=lambda settlement: settlement.claimed.id)
    for settlement in ordered:
        _settle(connection, settlement)
    try_ids = add_tries(connection, [settlement.done for settlement in ordered])
    tried = dict(zip([settlement.claimed.id for settlement in ordered], try_ids, strict=True))
    # some may have been erased meanwhile
    its_try = case(*((document.c.id == document_id, try_id) for document_id, try_id in tried.items()))
    its = select(document.c.id, its_try).where(document.c.id.in_(tried))
    link = insert(document_try).from_select(["document_id", "try_id"], its).returning(document_try.c.try_id)
    erase_answers(connection, {*try_ids} - {*connection.execute(link).scalars()})


def _settle(connection: Connection, settlement: DocumentSettlement) -> None:
    delivery, claimed, now = document_delivery.c, settlement.claimed, settlement.settled_at
    values: dict[str, Any] = {"tries": delivery.tries + 1, "not_before": settlement.not_before}
    if settlement.state != DeliveryState.WAITING:
        is_newest = delivery.changes == claimed.changes
        values |= {
            "state": case((is_newest, settlement.state), else_=delivery.state),
            "not_before": case((is_newest, 0), else_=delivery.min_interval_ms + now),
            "settled_at": now,
        }
    connection.execute(
        update(document_delivery)
        .where(delivery.document_id == claimed.id, delivery.target == settlement.done.target, _WAITS)
        .values(values)
    )


def has_unassigned(connection: Connection) -> bool:
    """Return whether documents wait for no target in particular."""
    query = select(document_delivery.c.document_id).where(document_delivery.c.target == UNASSIGNED, _WAITS).limit(1)
    return connection.execute(query).first() is not None


def assign_waiting(connection: Connection, target: str, names: Collection[str], limit: int = 1_000) -> int:
    """Return documents that wait for no target in particular to this one, and forget those that are not of these names.

    Where the target has one already, it goes on as if this had been stored for the target. At most `limit`; tells how
    many it took.
    """
    delivery = document_delivery.c
    rows = connection.execute(
        select(delivery.document_id, delivery.changes, delivery.min_interval_ms, document.c.name)
        .join(document)
        .where(delivery.target == UNASSIGNED, _WAITS)
        .order_by(delivery.document_id)
        .limit(limit)
        # what another process puts there meanwhile stays, and the order keeps the two from waiting in a circle
        .with_for_update(of=document_delivery)
    ).all()
    _send.run(
        connection,
        [
            (row.document_id, target, DeliveryState.WAITING.value, row.changes, row.min_interval_ms, 0, 0)
            for row in rows
            if row.name in names
        ],
    )
    _take.run(connection, [(row.document_id,) for row in rows])
    return len(rows)


def rebuild_unassigned(connection: Connection, now: int, *, limit: int) -> int:
    """Drop that documents wait for no target in particular, and let those of their attempts be built anew.

    At most `limit`; return how many it was.
    """
    return _rebuild(connection, UNASSIGNED, true(), now, limit)


def rebuild_outdated(connection: Connection, target: str, forms: Collection[str], now: int) -> None:
    """Drop what waits for a target in another form than it gets now, and let those documents be built anew.

    `forms` describe those that it gets now; none where it gets documents as the mapping says. Statements stay as they
    were made; of a document, only the newest content counts, which may be of after the change.
    """
    is_outdated: ColumnElement[bool] = document.c.form.is_not(None)
    if forms:
        is_outdated = or_(document.c.form.is_(None), document.c.form.not_in(forms))
    while _rebuild(connection, target, is_outdated, now, REBUILT_TOGETHER):
        pass


def _rebuild(connection: Connection, target: str, condition: ColumnElement[bool], now: int, limit: int) -> int:
    delivery = document_delivery.c
    rows = connection.execute(
        select(delivery.document_id, document.c.attempt_id, attempt.c.enrollment_id)
        .select_from(document_delivery.join(document).join(attempt, attempt.c.id == document.c.attempt_id))
        .where(delivery.target == target, _WAITS, condition)
        .order_by(delivery.document_id)
        .limit(limit)
    ).all()
    if not rows:
        return 0
    enrollment_ids = {row.enrollment_id for row in rows}
    attempts.lock(connection, enrollment_ids, [])
    connection.execute(
        update(attempt).where(attempt.c.id.in_({row.attempt_id for row in rows})).values(documents_due=now)
    )
    # what commits have in memory of these attempts is outdated
    connection.execute(
        update(enrollment).where(enrollment.c.id.in_(enrollment_ids)).values(version=enrollment.c.version + 1)
    )
    connection.execute(
        delete(document_delivery).where(
            delivery.target == target, delivery.document_id.in_([row.document_id for row in rows])
        )
    )
    return len(rows)


def forget(connection: Connection, switched_off: Mapping[str, Collection[str]]) -> None:
    """Drop what is on its way to targets that are not to get it. Has, by each target's name, such documents' names.

    Of targets that are not there any more, what waits for them goes on waiting; what they have is forgotten, as it can
    be old when they come back. Without any target nothing is forgotten: another process may have them.
    """
    if not switched_off:
        return
    delivery = document_delivery.c
    for target, names in switched_off.items():
        if names:
            unwanted = select(document.c.id).where(document.c.name.in_(names))
            connection.execute(
                delete(document_delivery).where(delivery.target == target, delivery.document_id.in_(unwanted))
            )
    is_removed = delivery.target.not_in([UNASSIGNED, *switched_off])
    connection.execute(delete(document_delivery).where(is_removed, ~_WAITS))


def hurry(connection: Connection, target: str, now: int) -> int:
    """Retry what waits for a target after a failed try at once; return how many documents that is."""
    delivery = document_delivery.c
    waits = delivery.target == target, _WAITS, delivery.not_before > now
    never_written = delivery.settled_at.is_(None), delivery.tries > 0
    return connection.execute(update(document_delivery).where(*waits, *never_written).values(not_before=now)).rowcount


def waiting(connection: Connection) -> dict[str, int]:
    """Return target -> number of documents that wait for it; those that wait for no target yet are under `""`."""
    rows = connection.execute(
        select(document_delivery.c.target, func.count()).where(_WAITS).group_by(document_delivery.c.target)
    )
    return {row.target: row[1] for row in rows}
