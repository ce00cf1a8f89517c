"""The stored journal, enrollment by enrollment: what is needed to tell every commit once more."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from storage import attempts, frames
from storage.attempts import Attempt, Enrollment, Session
from storage.journal import content_of
from storage.tables import attempt, delivery, enrollment, journal, lms, session, statement

TOGETHER = 200
"""Rows that are read from the database at once."""


class JournalSpan(NamedTuple):
    """Which commits: those received at `since` or later, before `until`, of an LMS, a learner, an activity, a course.

    The last three are ids; the course is empty where the LMS told none. Times are milliseconds since the epoch; None
    means all.
    """

    since: int = 0
    until: int | None = None
    lms: str | None = None
    learner: str | None = None
    activity: str | None = None
    course: str | None = None


class StoredHistory(NamedTuple):
    """An enrollment with all its attempts and their sessions, each in the order they began."""

    enrollment: Enrollment
    attempts: list[Attempt]
    sessions: list[Session]


class JournalRow(NamedTuple):
    """A commit as it was received. Those that repeat another one are left out of histories.

    `body` is None where it was removed as it had become old.
    """

    enrollment_id: int
    session_id: str
    number: int
    received_at: int
    wire_format: str
    content_type: str
    digest: str
    idempotency_key: str | None
    body: bytes | None
    request_metadata: str | None
    mapping_version_id: int


def count(connection: Connection, span: JournalSpan) -> int:
    """Return how many enrollments had a commit in a span or after it."""
    query = select(func.count()).select_from(enrollment.join(lms)).where(*_conditions(span))
    return int(connection.execute(query).scalar_one())


def enrollment_ids(connection: Connection, span: JournalSpan, *, after: int, limit: int) -> list[int]:
    """Return the ids above `after` of enrollments that had a commit in a span or after it, in their order."""
    query = select(enrollment.c.id).select_from(enrollment.join(lms)).where(*_conditions(span))
    rows = connection.execute(query.where(enrollment.c.id > after).order_by(enrollment.c.id).limit(limit))
    return list(rows.scalars())


def histories(connection: Connection, enrollment_ids: Sequence[int]) -> list[StoredHistory]:
    """Return enrollments with their attempts and sessions, in the order of their ids."""
    owners = attempts.load_enrollments(connection, enrollment.c.id.in_(enrollment_ids), len(enrollment_ids))
    its = attempts.load_all(connection, owners)
    return [StoredHistory(owner, *its[owner.id]) for owner in owners]


def commits(connection: Connection, enrollment_ids: Sequence[int]) -> Generator[JournalRow]:
    """Return all commits of enrollments, each enrollment's together and in the order they were stored, some at a time.

    Where not all of them are taken, this must be closed before the connection is.
    """
    columns = [journal.c[name] for name in JournalRow._fields if name != "enrollment_id"]
    result = connection.execute(
        select(attempt.c.enrollment_id, *columns, journal.c.frame)
        .select_from(journal.join(session).join(attempt))
        .where(attempt.c.enrollment_id.in_(enrollment_ids), journal.c.duplicate_of.is_(None))
        # within an enrollment, rows are numbered in the order of their transactions: it is locked meanwhile
        .order_by(attempt.c.enrollment_id, journal.c.id),
        execution_options={"stream_results": True, "yield_per": TOGETHER},
    )
    with result as rows:
        for row in rows:
            body = content_of(connection, None, row.body, row.frame).body
            yield JournalRow._make(row[:-1])._replace(body=body)


def _conditions(span: JournalSpan) -> list[ColumnElement[bool]]:
    clauses = [enrollment.c.last_commit_at >= span.since]
    if span.until is not None:
        clauses.append(enrollment.c.first_commit_at < span.until)
    for column, value in (
        (lms.c.name, span.lms),
        (enrollment.c.learner_id, span.learner),
        (enrollment.c.activity_id, span.activity),
        (enrollment.c.course_id, span.course),
    ):
        if value is not None:
            clauses.append(column == value)
    return clauses


class CommitOutcome(NamedTuple):
    """What the journal says of a commit beside what was received."""

    disposition: str
    duplicate_of: int | None
    mapping_version_id: int


def commit_line(connection: Connection, session_id: str, number: int) -> CommitOutcome | None:
    """Return what became of a commit, None where there is no such commit."""
    columns = (journal.c[name] for name in CommitOutcome._fields)
    row = connection.execute(
        select(*columns).where(journal.c.session_id == session_id, journal.c.number == number)
    ).one_or_none()
    return None if row is None else CommitOutcome._make(row)


class StatementRecord(NamedTuple):
    """A statement as it is stored, and the targets that it has deliveries for."""

    attempt_id: int
    id: str
    position: int
    rule: str
    mapping_version_id: int
    problem: str | None
    session_id: str
    commit_number: int
    body: str
    targets: tuple[str, ...] = ()


def statements(connection: Connection, enrollment_ids: Sequence[int]) -> dict[int, list[StatementRecord]]:
    """Return the statements of enrollments by the enrollment's id, each attempt's in their order."""
    columns = [statement.c[name] for name in StatementRecord._fields if name not in {"targets", "body"}]
    chosen = attempt.c.enrollment_id.in_(enrollment_ids)
    targets: dict[tuple[int, int], list[str]] = {}
    for attempt_id, position, target in connection.execute(
        select(delivery.c.attempt_id, delivery.c.position, delivery.c.target)
        .join(attempt, attempt.c.id == delivery.c.attempt_id)
        .where(chosen)
        .order_by(delivery.c.id)
    ):
        targets.setdefault((attempt_id, position), []).append(target)
    records: dict[int, list[StatementRecord]] = {enrollment_id: [] for enrollment_id in enrollment_ids}
    for row in connection.execute(
        select(attempt.c.enrollment_id, *columns, statement.c.body, statement.c.frame)
        .select_from(statement.join(attempt))
        .where(chosen)
        .order_by(statement.c.attempt_id, statement.c.position)
    ):
        line = StatementRecord._make((*row[1:-2], frames.text_of(connection, row.body, row.frame), ()))
        its = tuple(targets.get((line.attempt_id, line.position), ()))
        records[row[0]].append(line._replace(targets=its))
    return records
