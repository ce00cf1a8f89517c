"""Statements that a target never got, from before it was there: looked for attempt by attempt, and queued."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, select, update

from storage import attempts, frames, target_statements
from storage.outbox import LATE, SHARDS, UNASSIGNED, insert_deliveries
from storage.prepared import Write, write
from storage.states import DeliveryState
from storage.tables import attempt, delivery, document, document_delivery, enrollment, lms, statement
from storage.target_statements import TargetStatement

OLDEST_LOOKED_AT = 50
"""Statements that are looked at to see whether a target has those from before it was there."""


class BackfillSpan(NamedTuple):
    """Which statements: those made at `since` or later (milliseconds since the epoch), that meet all that is set.

    LMS is a name, course and learner are ids, `rule` is one of the mapping.
    """

    since: int = 0
    lms: str | None = None
    course: str | None = None
    learner: str | None = None
    rule: str | None = None


class MissingStatement(NamedTuple):
    """A statement that a target has no delivery of."""

    attempt_id: int
    position: int
    enrollment_id: int
    session_id: str
    mapping_version_id: int
    rule: str
    body: str
    created_at: int


def count_attempts(connection: Connection, span: BackfillSpan) -> int:
    """Return how many attempts a span may have statements of."""
    chosen = _attempts(span).subquery()
    return int(connection.execute(select(func.count()).select_from(chosen)).scalar_one())


def attempt_ids(connection: Connection, span: BackfillSpan, *, after: int, limit: int) -> list[int]:
    """Return the ids above `after` of attempts that a span may have statements of, in their order."""
    query = _attempts(span).where(attempt.c.id > after).order_by(attempt.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def missing(connection: Connection, target: str, ids: Collection[int], span: BackfillSpan) -> list[MissingStatement]:
    """Return the statements of attempts that a target has no delivery of, each attempt's in their order.

    What waits for no target yet waits for this one too, and what every LRS would refuse is left out.
    """
    delivered = exists().where(
        delivery.c.attempt_id == statement.c.attempt_id,
        delivery.c.position == statement.c.position,
        delivery.c.target.in_((target, UNASSIGNED)),
    )
    columns = (
        statement.c.attempt_id,
        statement.c.position,
        attempt.c.enrollment_id,
        statement.c.session_id,
        statement.c.mapping_version_id,
        statement.c.rule,
        statement.c.body,
        statement.c.created_at,
        statement.c.frame,
    )
    query = (
        select(*columns)
        .select_from(statement.join(attempt, attempt.c.id == statement.c.attempt_id))
        .where(
            statement.c.attempt_id.in_(ids),
            statement.c.problem.is_(None),
            statement.c.created_at >= span.since,
            ~delivered,
        )
        .order_by(statement.c.attempt_id, statement.c.position)
    )
    if span.rule is not None:
        query = query.where(statement.c.rule == span.rule)
    return [
        MissingStatement(
            *row[:3], str(row[3]), *row[4:6], frames.text_of(connection, row.body, row.frame), row.created_at
        )
        for row in connection.execute(query).all()
    ]


def rule_of(connection: Connection, statement_id: str) -> tuple[int, str] | None:
    """Return the mapping version and the rule that made a statement; None where it is not stored."""
    columns = (statement.c.mapping_version_id, statement.c.rule)
    row = connection.execute(select(*columns).where(statement.c.id == statement_id)).one_or_none()
    return None if row is None else (row[0], row[1])


def oldest_lacking(connection: Connection, target: str, unwanted: Collection[str]) -> int | None:
    """Return when the oldest statement stored was made, in milliseconds since the epoch, if a target lacks it.

    None where the target has a delivery of one of the first statements, or does not want any of their rules.
    """
    first = (
        select(statement.c.attempt_id, statement.c.position, statement.c.created_at, statement.c.rule)
        .where(statement.c.problem.is_(None))
        .order_by(statement.c.created_at, statement.c.attempt_id, statement.c.position)
        .limit(OLDEST_LOOKED_AT)
        .subquery()
    )
    delivered = exists().where(
        delivery.c.attempt_id == first.c.attempt_id,
        delivery.c.position == first.c.position,
        delivery.c.target.in_((target, UNASSIGNED)),
    )
    rows = connection.execute(select(first.c.created_at, delivered).where(first.c.rule.not_in(unwanted))).all()
    return None if not rows or any(row[1] for row in rows) else min(row[0] for row in rows)


def queue(
    connection: Connection, target: str, statements: Sequence[MissingStatement], forms: Sequence[TargetStatement]
) -> None:
    """Queue statements for a target, in their order, with the forms that it gets them in.

    The attempts' enrollments must be locked (`storage.attempts.lock`).
    """
    rows = [
        (target, row.attempt_id, row.position, row.attempt_id % SHARDS, DeliveryState.WAITING.value, 0, LATE)
        for row in statements
    ]
    write(connection, [target_statements.adding(connection, forms), Write(insert_deliveries, rows)])


def lacking_documents(connection: Connection, target: str, ids: Collection[int]) -> set[int]:
    """Return those of attempts whose documents were built, and none of them for a target."""
    sent = exists().where(
        document_delivery.c.document_id == document.c.id, document_delivery.c.target.in_((target, UNASSIGNED))
    )
    rows = connection.execute(
        select(document.c.attempt_id, func.max(case((sent, 1), else_=0)))
        .where(document.c.attempt_id.in_(ids))
        .group_by(document.c.attempt_id)
    )
    return {row[0] for row in rows if not row[1]}


def rebuild_documents(connection: Connection, ids: Collection[int], now: int) -> int:
    """Let the documents of attempts be built anew, which sends the newest to every target that lacks it.

    Return how many attempts that is. Their enrollments must be locked.
    """
    owners = attempts.enrollments_of(connection, ids)
    result = connection.execute(
        update(attempt).where(attempt.c.id.in_(ids), attempt.c.last_commit_at.is_not(None)).values(documents_due=now)
    )
    # what commits have in memory of these attempts is outdated
    connection.execute(update(enrollment).where(enrollment.c.id.in_(owners)).values(version=enrollment.c.version + 1))
    return result.rowcount


def _attempts(span: BackfillSpan) -> Select[Any]:
    clauses: list[ColumnElement[bool]] = [attempt.c.last_commit_at >= span.since]
    for column, value in (
        (lms.c.name, span.lms),
        (enrollment.c.course_id, span.course),
        (enrollment.c.learner_id, span.learner),
    ):
        if value is not None:
            clauses.append(column == value)
    return select(attempt.c.id).select_from(attempt.join(enrollment).join(lms)).where(and_(*clauses))
