"""What arrives from an LMS from now on: the first commit, and requests that are refused, for whoever waits for them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from storage.queries.refusals import RefusalRow
from storage.refusals import MAX_KEPT
from storage.states import SessionSource
from storage.tables import attempt, enrollment, journal, lms, refusal, session, statement


class ArrivalMarker(NamedTuple):
    """A moment: the newest commit and the newest refusal at that time, by their numbers."""

    commit: int
    refusal: int


class ArrivedCommit(NamedTuple):
    """A commit with whose it is. `received_at` is in milliseconds since the epoch."""

    session_id: str
    commit_number: int
    received_at: int
    wire_format: str
    disposition: str
    attempt_id: str
    attempt_number: int
    lms: str
    learner_id: str
    activity_id: str
    activity_name: str
    course_id: str
    source: str


def arrival_marker(connection: Connection) -> ArrivalMarker:
    """Return the present moment."""
    newest = (select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery() for table in (journal, refusal))
    return ArrivalMarker(*connection.execute(select(*newest)).one())


def first_commit(connection: Connection, marker: ArrivalMarker, lms_id: int | None = None) -> ArrivedCommit | None:
    """Return the first commit after a moment, of one LMS or of any, imports apart; None where there is none yet."""
    query = (
        select(
            journal.c.session_id,
            journal.c.number,
            journal.c.received_at,
            journal.c.wire_format,
            journal.c.disposition,
            attempt.c.uuid,
            attempt.c.number,
            lms.c.name,
            enrollment.c.learner_id,
            enrollment.c.activity_id,
            enrollment.c.activity_name,
            enrollment.c.course_id,
            session.c.source,
        )
        .select_from(
            journal.join(session).join(attempt, session.c.attempt_id == attempt.c.id).join(enrollment).join(lms)
        )
        .where(journal.c.id > marker.commit, session.c.source != SessionSource.IMPORT)
        .order_by(journal.c.id)
        .limit(1)
    )
    if lms_id is not None:
        query = query.where(enrollment.c.lms_id == lms_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else ArrivedCommit._make(row)


def statements_of(connection: Connection, commit: ArrivedCommit) -> list[str]:
    """Return the verbs of the statements that a commit made, in their order."""
    query = (
        select(statement.c.verb)
        .join_from(attempt, statement)
        .where(
            attempt.c.uuid == commit.attempt_id,
            statement.c.session_id == commit.session_id,
            statement.c.commit_number == commit.commit_number,
        )
        .order_by(statement.c.position)
    )
    return [*connection.execute(query).scalars()]


def refusals_since(connection: Connection, marker: ArrivalMarker, lms_id: int | None = None) -> list[RefusalRow]:
    """Return the requests that were refused after a moment, of one LMS or of any, in their order."""
    query = (
        select(refusal.c.id, lms.c.name, *(refusal.c[name] for name in RefusalRow._fields[2:]))
        .join_from(refusal, lms)
        .where(refusal.c.id > marker.refusal)
        .order_by(refusal.c.id)
        .limit(MAX_KEPT)
    )
    if lms_id is not None:
        query = query.where(refusal.c.lms_id == lms_id)
    return [RefusalRow._make(row) for row in connection.execute(query)]
