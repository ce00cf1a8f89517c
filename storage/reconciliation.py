"""What the ledger has of statements and their deliveries to one target, read in order to be compared with the LRS."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, insert, literal, select, tuple_, update

from storage import target_statements
from storage.gradebook_tables import course_registration
from storage.outbox import LATE, UNASSIGNED
from storage.schema import spelled_out
from storage.states import DeliveryState
from storage.tables import attempt, delivery, delivery_try, enrollment, lms, session, statement, try_


class StatementKey(NamedTuple):
    """A statement by its attempt and its position there, which is also the order in which statements are compared."""

    attempt_id: int
    position: int

    @property
    def text(self) -> str:
        """Return it as people continue a list from it."""
        return f"{self.attempt_id}-{self.position}"


class LedgerEntry(NamedTuple):
    """A statement in the form that a target gets, and its delivery there.

    `state`, `settled_at` and `outcome` (of the try that settled it) are None where no delivery is stored.
    """

    attempt_id: int
    position: int
    id: str
    rule: str
    verb: str
    created_at: int
    mapping_version_id: int
    body: str
    state: str | None
    settled_at: int | None
    outcome: str | None

    @property
    def key(self) -> StatementKey:
        """Return where it is in the ledger."""
        return StatementKey(self.attempt_id, self.position)


class StatementOwner(NamedTuple):
    """Whose statements those of an attempt are."""

    attempt: str
    lms: str
    learner: str
    activity: str
    course: str


def entries(
    connection: Connection, target: str, ids: Collection[int], *, since: int, after: StatementKey, limit: int
) -> list[LedgerEntry]:
    """Return statements of attempts that were made at `since` or later, those behind `after`, in their order.

    What every LRS would refuse, and is never sent, is left out.
    """
    wanted = literal(target)
    table = statement.c
    query = (
        select(
            *(table[name] for name in LedgerEntry._fields[:7]),
            target_statements.content_for(wanted).label("content"),
            delivery.c.state,
            delivery.c.settled_at,
            try_.c.outcome,
        )
        .select_from(
            statement.outerjoin(
                delivery,
                and_(
                    delivery.c.attempt_id == table.attempt_id,
                    delivery.c.position == table.position,
                    delivery.c.target.in_((target, UNASSIGNED)),
                ),
            ).outerjoin(try_, try_.c.id == delivery.c.settled_by)
        )
        .where(
            table.attempt_id.in_(ids),
            table.problem.is_(None),
            table.created_at >= since,
            tuple_(table.attempt_id, table.position) > tuple_(literal(after.attempt_id), literal(after.position)),
        )
        .order_by(table.attempt_id, table.position)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    bodies = target_statements.read_contents(connection, [bytes(row.content) for row in rows])
    return [
        LedgerEntry(row[0], row[1], str(row[2]), *row[3:7], body.decode(), *row[8:])
        for row, body in zip(rows, bodies, strict=True)
    ]


def delivery_states(
    connection: Connection, target: str, keys: Collection[StatementKey]
) -> dict[StatementKey, tuple[str | None, int | None]]:
    """Return the state of the delivery of each statement that is still stored, and when it was settled.

    Both are None where no delivery is stored.
    """
    rows = connection.execute(
        select(statement.c.attempt_id, statement.c.position, delivery.c.state, delivery.c.settled_at)
        .select_from(
            statement.outerjoin(
                delivery,
                and_(
                    delivery.c.attempt_id == statement.c.attempt_id,
                    delivery.c.position == statement.c.position,
                    delivery.c.target.in_((target, UNASSIGNED)),
                ),
            )
        )
        .where(tuple_(statement.c.attempt_id, statement.c.position).in_(keys))
    )
    return {StatementKey(row[0], row[1]): (row[2], row[3]) for row in rows}


def owners(connection: Connection, ids: Sequence[int]) -> dict[int, StatementOwner]:
    """Return whose statements those of attempts are, by the attempts' ids."""
    rows = connection.execute(
        select(
            attempt.c.id,
            attempt.c.uuid,
            lms.c.name,
            enrollment.c.learner_id,
            enrollment.c.activity_id,
            enrollment.c.course_id,
        )
        .select_from(attempt.join(enrollment).join(lms))
        .where(attempt.c.id.in_(ids))
    )
    return {row[0]: StatementOwner(str(row[1]), *row[2:]) for row in rows}


def stored_ids(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of some ids that statements have."""
    return {
        str(statement_id)
        for statement_id in connection.execute(select(statement.c.id).where(statement.c.id.in_(ids))).scalars()
    }


def owners_by_uuid(connection: Connection, uuids: Collection[str]) -> dict[str, StatementOwner]:
    """Return whose statements those of attempts are, by those of some UUIDs that attempts have."""
    rows = connection.execute(select(attempt.c.id, attempt.c.uuid).where(attempt.c.uuid.in_(uuids))).all()
    by_id = owners(connection, [row.id for row in rows])
    return {str(row.uuid): by_id[row.id] for row in rows if row.id in by_id}


def stored_sessions(connection: Connection, uuids: Collection[str]) -> set[str]:
    """Return those of some UUIDs that sessions have."""
    rows = connection.execute(select(session.c.session_id).where(session.c.session_id.in_(uuids)))
    return {str(session_id) for session_id in rows.scalars()}


def stored_registrations(connection: Connection, uuids: Collection[str]) -> set[str]:
    """Return those of some UUIDs that are registrations: of enrollments, or given by LMSs for courses."""
    return {
        str(registration)
        for column in (enrollment.c.registration, course_registration.c.registration)
        for registration in connection.execute(select(column).where(column.in_(uuids))).scalars()
    }


def requeue(connection: Connection, target: str, keys: Collection[StatementKey]) -> int:
    """Let deliveries that the target had accepted be sent again, in the order of their attempts; return how many.

    What is waiting, discarded, dead or erased by now stays as it is.
    """
    is_delivered = delivery.c.target == target, delivery.c.state == spelled_out(DeliveryState.DELIVERED)
    chosen = list(
        connection.execute(
            select(delivery.c.id).where(tuple_(delivery.c.attempt_id, delivery.c.position).in_(keys), *is_delivered)
        ).scalars()
    )
    settled = select(delivery.c.id, delivery.c.settled_by).where(
        delivery.c.id.in_(chosen), *is_delivered, delivery.c.settled_by.is_not(None)
    )
    connection.execute(insert(delivery_try).from_select(["delivery_id", "try_id"], settled))
    values = {"state": DeliveryState.WAITING, "not_before": LATE, "settled_at": None, "settled_by": None}
    return connection.execute(update(delivery).where(delivery.c.id.in_(chosen), *is_delivered).values(values)).rowcount
