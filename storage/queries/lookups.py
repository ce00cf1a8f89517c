"""Questions that people and the API ask: what is stored of a learner and an activity, and where its statements are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, func, select

from storage import attempts, frames
from storage.attempts import Attempt, Enrollment, Session
from storage.deliveries import LAST_TRY
from storage.tables import (
    attempt,
    delivery,
    document,
    document_delivery,
    document_try,
    enrollment,
    journal,
    statement,
    try_,
)


@dataclass(frozen=True, slots=True)
class CommitLine:
    """One row of the journal without its body."""

    session_id: str
    number: int
    received_at: int
    wire_format: str
    disposition: str
    duplicate_of: int | None
    sequence: int | None


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """Where a statement or document is on its way to one target.

    `last_answer` is what the LRS said at the last try, if any.
    """

    target: str
    state: str
    tries: int
    settled_at: int | None
    last_status: int | None = None
    last_answer: str | None = None


@dataclass(slots=True)
class StatementLine:
    """One statement with its deliveries."""

    id: str
    position: int
    session_id: str
    commit_number: int
    rule: str
    verb: str
    created_at: int
    problem: str | None
    body: str
    deliveries: list[DeliveryLine] = field(default_factory=list)


@dataclass(slots=True)
class DocumentLine:
    """One state or profile document with its newest content, the commit that changed it last, and its deliveries.

    `content` may be the beginning alone; `size` are the bytes of all of it. `form` tells in words what is different for
    its targets, None where it is as the mapping says.
    """

    id: str
    name: str
    resource: str
    parameters: str
    content_type: str
    content: bytes
    session_id: str
    commit_number: int
    changed_at: int
    form: str | None = None
    deliveries: list[DeliveryLine] = field(default_factory=list)
    size: int = field(default=0, compare=False)


@dataclass(slots=True)
class AttemptReport:
    """All there is to one attempt.

    Attempts can share a document (a learner's profile, an activity's): it is reported of the one that changed it last.
    """

    attempt: Attempt
    sessions: list[Session]
    commits: list[CommitLine]
    statements: list[StatementLine]
    documents: list[DocumentLine]


def enrollments(
    connection: Connection,
    *,
    lms_id: int | None = None,
    learner_id: str | None = None,
    activity_id: str | None = None,
    course_id: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Enrollment]:
    """Return enrollments in the order they began, those with ids above `after`, at most `limit`."""
    conditions: list[ColumnElement[bool]] = [enrollment.c.id > after]
    for column, value in (
        (enrollment.c.lms_id, lms_id),
        (enrollment.c.learner_id, learner_id),
        (enrollment.c.activity_id, activity_id),
        (enrollment.c.course_id, course_id),
    ):
        if value is not None:
            conditions.append(column == value)
    return attempts.load_enrollments(connection, and_(*conditions), limit)


def newest_enrollments(connection: Connection, lms_id: int, limit: int) -> list[Enrollment]:
    """Return the enrollments of an LMS that were last active, the newest first."""
    ids = connection.execute(
        select(enrollment.c.id)
        .where(enrollment.c.lms_id == lms_id)
        .order_by(enrollment.c.last_commit_at.desc().nulls_last(), enrollment.c.id.desc())
        .limit(limit)
    ).scalars()
    order = list(ids)
    by_id = {owner.id: owner for owner in attempts.load_enrollments(connection, enrollment.c.id.in_(order), limit)}
    return [by_id[enrollment_id] for enrollment_id in order]


def find_session(connection: Connection, session_id: str) -> Session | None:
    """Return a session with its attempt and enrollment."""
    return attempts.load_sessions(connection, [session_id]).get(session_id)


def find_attempt(connection: Connection, uuid: str) -> Attempt | None:
    """Return an attempt with its enrollment."""
    owner = attempts.load_enrollments(
        connection, enrollment.c.id.in_(select(attempt.c.enrollment_id).where(attempt.c.uuid == uuid)), 1
    )
    candidates = attempts.load_attempts(connection, owner[0]) if owner else []
    return next((candidate for candidate in candidates if candidate.uuid == uuid), None)


def latest_attempt(connection: Connection, owner: Enrollment) -> Attempt | None:
    """Return the attempt of an enrollment with the highest number."""
    return attempts.latest_attempts(connection, [owner]).get(owner.id)


def reports(connection: Connection, owner: Enrollment) -> list[AttemptReport]:
    """Return an enrollment's attempts in their order, each with all there is to it."""
    return [report(connection, stored) for stored in attempts.load_attempts(connection, owner)]


def report(connection: Connection, stored: Attempt) -> AttemptReport:
    """Return all there is to an attempt."""
    sessions = attempts.load_attempt_sessions(connection, stored)
    return AttemptReport(
        stored,
        sessions,
        _commits(connection, [row.session_id for row in sessions]),
        _statements(connection, stored.id),
        documents(connection, stored.id),
    )


def _commits(connection: Connection, session_ids: Collection[str]) -> list[CommitLine]:
    rows = connection.execute(
        select(*(journal.c[name] for name in CommitLine.__slots__))
        .where(journal.c.session_id.in_(session_ids))
        .order_by(journal.c.id)
    )
    return [CommitLine(*row) for row in rows]


def _statements(connection: Connection, attempt_id: int) -> list[StatementLine]:
    names = ("id", "position", "session_id", "commit_number", "rule", "verb", "created_at", "problem", "body")
    rows: Sequence[StatementLine] = [
        StatementLine(*(*row[:-2], frames.text_of(connection, row.body, row.frame)))
        for row in connection.execute(
            select(*(statement.c[name] for name in names), statement.c.frame)
            .where(statement.c.attempt_id == attempt_id)
            .order_by(statement.c.position)
        )
    ]
    by_position = {row.position: row for row in rows}
    for row in connection.execute(
        select(
            delivery.c.position,
            delivery.c.target,
            delivery.c.state,
            delivery.c.tries,
            delivery.c.settled_at,
            try_.c.status,
            try_.c.answer,
        )
        .select_from(delivery.outerjoin(try_, try_.c.id == LAST_TRY))
        .where(delivery.c.attempt_id == attempt_id)
        .order_by(delivery.c.id)
    ):
        by_position[row.position].deliveries.append(DeliveryLine(*row[1:]))
    return list(rows)


def documents(connection: Connection, attempt_id: int, *, most_bytes: int | None = None) -> list[DocumentLine]:
    """Return the documents that an attempt changed last, with their deliveries.

    With `most_bytes`, they have at most so many of their content, its beginning.
    """
    names = [name for name in DocumentLine.__slots__ if name not in {"deliveries", "size"}]
    content = document.c.content
    part = content if most_bytes is None else func.substr(content, 1, most_bytes, type_=content.type)
    rows = []
    for row in connection.execute(
        select(*(part if name == "content" else document.c[name] for name in names), func.length(content))
        .where(document.c.attempt_id == attempt_id)
        .order_by(document.c.name, document.c.id)
    ):
        rows.append(DocumentLine(*row[:-1]))
        rows[-1].size = row[-1]
    by_id = {row.id: row for row in rows}
    tried = try_.alias("tried")
    last = (
        select(func.max(document_try.c.try_id))
        .join(tried, tried.c.id == document_try.c.try_id)
        .where(
            document_try.c.document_id == document_delivery.c.document_id,
            tried.c.target == document_delivery.c.target,
        )
        .scalar_subquery()
    )
    for way in connection.execute(
        select(
            document_delivery.c.document_id,
            document_delivery.c.target,
            document_delivery.c.state,
            document_delivery.c.tries,
            document_delivery.c.settled_at,
            try_.c.status,
            try_.c.answer,
        )
        .select_from(document_delivery.join(document).outerjoin(try_, try_.c.id == last))
        .where(document.c.attempt_id == attempt_id)
        .order_by(document_delivery.c.target)
    ):
        by_id[way.document_id].deliveries.append(DeliveryLine(*way[1:]))
    return rows
