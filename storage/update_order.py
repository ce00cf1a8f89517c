"""The order of updates of enrollments, for readers that follow them and must miss none.

Each update gives its enrollment a number that is higher than any that a reader has seen. On SQLite there is one writer:
numbers count up. On PostgreSQL transactions commit in another order than they began, so that a reader could go past a
number whose row it cannot see yet. There, the number is the transaction's id, and a reader stops before the oldest
transaction that is still open: what comes later is numbered higher than everything it has seen.

Numbers are above `base`. SQLite's is raised when the row with the highest number may be deleted; PostgreSQL's when the
database has come to another cluster, whose transactions may have been numbered lower.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    cast,
    func,
    literal_column,
    select,
    text,
    true,
    update,
)

from storage.gradebook_tables import update_order
from storage.tables import enrollment, lms

CLUSTER_MARGIN = 2**40
"""Numbers left out when the database comes to another cluster: more than were given after its backup was made."""

_BASE = select(update_order.c.base).scalar_subquery()
_others = enrollment.alias("others")


def next_number(lms_id: ColumnElement[Any], *, is_sqlite: bool) -> ColumnElement[int]:
    """Return the number of an update that the statement makes to an enrollment of an LMS."""
    if not is_sqlite:
        return _BASE + _as_number(func.pg_current_xact_id())
    # by the index; the rows of one statement get the same number
    highest = select(func.max(_others.c.update_number)).where(_others.c.lms_id == lms_id).scalar_subquery()
    return func.max(_BASE, func.coalesce(highest, literal_column("0"))) + literal_column("1")


def is_settled(connection: Connection) -> ColumnElement[bool]:
    """Return the condition that no update with a lower number can become visible any more."""
    if connection.dialect.name == "sqlite":
        return true()
    oldest = _as_number(func.pg_snapshot_xmin(func.pg_current_snapshot()))
    return enrollment.c.update_number < _BASE + oldest


def keep_numbers_above(connection: Connection, enrollment_id: int) -> None:
    """Keep the number of an enrollment, which is about to be deleted, from being given again."""
    if connection.dialect.name == "sqlite":
        number = select(enrollment.c.update_number).where(enrollment.c.id == enrollment_id).scalar_subquery()
        connection.execute(update(update_order).values(base=func.max(update_order.c.base, number)))


def adopt_cluster(connection: Connection) -> None:
    """Raise the base where the database has come to another PostgreSQL cluster, or to another history of it."""
    if connection.dialect.name == "sqlite":
        return
    cluster = connection.execute(
        text("SELECT system_identifier || '/' || timeline_id FROM pg_control_system(), pg_control_checkpoint()")
    ).scalar_one()
    if connection.execute(select(update_order.c.cluster)).scalar_one() == cluster:
        return
    before = connection.execute(select(update_order.c.cluster).with_for_update()).scalar_one()
    if before == cluster:
        return
    values: dict[str, Any] = {"cluster": cluster}
    if before is not None:
        of_lms = select(func.max(enrollment.c.update_number)).where(enrollment.c.lms_id == lms.c.id).scalar_subquery()
        highest = connection.execute(select(func.coalesce(func.max(of_lms), 0)).select_from(lms)).scalar_one()
        here = connection.execute(select(_as_number(func.pg_current_xact_id()))).scalar_one()
        values["base"] = highest + CLUSTER_MARGIN - here
    connection.execute(update(update_order).values(values))


def _as_number(transaction_id: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(transaction_id, Text), BigInteger)
