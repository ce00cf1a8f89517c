"""All rows about one learner, table by table, each in an order that is always the same and a few at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, func, select, union_all
from sqlalchemy import exists as exists_clause

from storage import frames
from storage.gradebook_tables import course_activity_list, course_registration
from storage.journal import content_of
from storage.recording_tables import recording_part
from storage.report_fields import ReportFields
from storage.schema import spelled_out
from storage.search_tables import search_entry
from storage.states import DeliveryState, SearchKind
from storage.tables import (
    attempt,
    audit_log,
    delivery,
    delivery_try,
    document,
    document_delivery,
    document_try,
    enrollment,
    journal,
    lms,
    refusal,
    session,
    statement,
    target_statement,
    try_,
)
from storage.webhook_tables import webhook_delivery, webhook_endpoint

FETCH_SIZE = 100
"""Rows that are in memory at once."""


class Learner(NamedTuple):
    """A person as LMSs know them: an id, at one LMS or, where that is None, at all of them."""

    id: str
    lms: str | None = None


class LearnerTable(NamedTuple):
    """What is stored of one kind: its name, a sentence on what it is, and its rows as dictionaries."""

    name: str
    description: str
    query: Select[Any]


_OF_ATTEMPT = attempt.join(enrollment).join(lms)
_OF_STATEMENT = statement.join(attempt, attempt.c.id == statement.c.attempt_id).join(enrollment).join(lms)
_OF_DELIVERY = delivery.join(
    statement, and_(statement.c.attempt_id == delivery.c.attempt_id, statement.c.position == delivery.c.position)
)
_OF_DELIVERY = _OF_DELIVERY.join(attempt, attempt.c.id == delivery.c.attempt_id).join(enrollment).join(lms)
_OF_DOCUMENT = document.join(attempt, attempt.c.id == document.c.attempt_id).join(enrollment).join(lms)
_TRY = (try_.c.started_at, try_.c.duration_ms, try_.c.outcome, try_.c.status, try_.c.answer)
_ITS_DOCUMENT = document.c.id == document_delivery.c.document_id
_OF_FRAME = ("dictionary_id", *ReportFields._fields)
_OF_TARGET = target_statement.c.target, target_statement.c.form, target_statement.c.body, target_statement.c.frame
PERSONAL = document.c.resource != "activities/profile"
"""A document about a learner; profiles of activities are about nobody."""


def whose(learner: Learner) -> list[ColumnElement[bool]]:
    """Return the conditions of an enrollment, joined with its LMS, to be a learner's."""
    conditions = [enrollment.c.learner_id == learner.id]
    # the index of enrollments begins with the LMS
    lms_ids = select(lms.c.id) if learner.lms is None else select(lms.c.id).where(lms.c.name == learner.lms)
    return [*conditions, enrollment.c.lms_id.in_(lms_ids)]


def learner_tables(learner: Learner) -> list[LearnerTable]:
    """Return what is stored of a learner, but for refused requests and the audit log, which name people in texts."""
    its = whose(learner)
    of_lms = [] if learner.lms is None else [lms.c.name == learner.lms]

    def table(name: str, description: str, columns: Sequence[Any], of: FromClause, *order: Any) -> LearnerTable:
        return LearnerTable(name, description, select(*columns).select_from(of).where(*its).order_by(*order))

    delivery_ids = select(delivery.c.id).select_from(_OF_DELIVERY).where(*its)
    carried = union_all(
        select(delivery.c.id.label("delivery"), delivery.c.settled_by.label("try_id")).where(
            delivery.c.id.in_(delivery_ids)
        ),
        select(delivery_try.c.delivery_id, delivery_try.c.try_id).where(delivery_try.c.delivery_id.in_(delivery_ids)),
    ).subquery()

    def of_course(name: str, description: str, of: Table, *left_out: str) -> LearnerTable:
        columns = [lms.c.name.label("lms"), *_without(of, "lms_id", *left_out)]
        rows = select(*columns).select_from(of.join(lms)).where(of.c.learner_id == learner.id, *of_lms)
        return LearnerTable(name, description, rows.order_by(of.c.lms_id, of.c.course_id))

    return [
        table(
            "enrollments",
            "Activities that the learner has, with the names that the LMS sent, and the best result in each.",
            [lms.c.name.label("lms"), *_without(enrollment, "lms_id", "version", "update_number")],
            enrollment.join(lms),
            enrollment.c.id,
        ),
        of_course(
            "course_registrations",
            "Registrations that an LMS gave the learner in courses.",
            course_registration,
        ),
        of_course(
            "course_activity_lists",
            "Activities of courses as an LMS listed them for the learner.",
            course_activity_list,
            "digest",
        ),
        LearnerTable(
            "search_entries",
            "The name and the id that people find the learner by on the audit pages.",
            select(lms.c.name.label("lms"), search_entry.c.subject_id, search_entry.c.name)
            .select_from(search_entry.join(lms))
            .where(search_entry.c.kind == SearchKind.LEARNER, search_entry.c.subject_id == learner.id, *of_lms)
            .order_by(search_entry.c.id),
        ),
        table(
            "attempts",
            "Attempts at the activities: results, times, and the state that the content is loaded with.",
            [enrollment.c.registration, *_without(attempt, "enrollment_id", "documents_due")],
            _OF_ATTEMPT,
            attempt.c.id,
        ),
        table(
            "sessions",
            "Launches of the attempts.",
            [attempt.c.uuid.label("attempt"), *_without(session, "attempt_id")],
            session.join(_OF_ATTEMPT, session.c.attempt_id == attempt.c.id),
            session.c.attempt_id,
            session.c.session_id,
        ),
        table(
            "commits",
            "What the learner's player sent: each request's body as it was received, and the response to it.",
            _without(journal, "mapping_version_id", "body_size", "dictionary_id"),
            journal.join(session).join(_OF_ATTEMPT, session.c.attempt_id == attempt.c.id),
            journal.c.id,
        ),
        table(
            "recordings",
            "Calls of SCORM's API, where a page records them: each method with its arguments and the LMS's answer.",
            _without(recording_part),
            recording_part.join(session).join(_OF_ATTEMPT, session.c.attempt_id == attempt.c.id),
            recording_part.c.session_id,
            recording_part.c.first_number,
        ),
        table(
            "statements",
            "xAPI statements made of the commits.",
            [attempt.c.uuid.label("attempt"), *_without(statement, "attempt_id", "mapping_version_id", *_OF_FRAME)],
            _OF_STATEMENT,
            statement.c.attempt_id,
            statement.c.position,
        ),
        LearnerTable(
            "target_statements",
            "What a Learning Record Store gets in place of a statement, where it gets it in a form of its own.",
            select(statement.c.id.label("statement"), *_OF_TARGET)
            .select_from(
                target_statement.join(
                    _OF_STATEMENT,
                    and_(
                        statement.c.attempt_id == target_statement.c.attempt_id,
                        statement.c.position == target_statement.c.position,
                    ),
                )
            )
            .where(*its)
            .order_by(target_statement.c.attempt_id, target_statement.c.position, target_statement.c.target),
        ),
        table(
            "deliveries",
            "Where each statement is on its way to each Learning Record Store.",
            [statement.c.id.label("statement"), *_without(delivery, "attempt_id", "position", "shard", "settled_by")],
            _OF_DELIVERY,
            delivery.c.id,
        ),
        LearnerTable(
            "tries",
            "Requests that carried statements, and what the Learning Record Store answered.",
            select(carried.c.delivery, try_.c.target, *_TRY)
            .select_from(carried.join(try_, try_.c.id == carried.c.try_id))
            .order_by(carried.c.delivery, try_.c.id),
        ),
        LearnerTable(
            "documents",
            "State and profile documents that follow from the attempts.",
            select(*_without(document, "attempt_id", "mapping_version_id"))
            .select_from(_OF_DOCUMENT)
            .where(*its, PERSONAL)
            .order_by(document.c.id),
        ),
        LearnerTable(
            "document_deliveries",
            "Where each document is on its way to each Learning Record Store.",
            select(*_without(document_delivery))
            .select_from(document_delivery.join(_OF_DOCUMENT, document.c.id == document_delivery.c.document_id))
            .where(*its, PERSONAL)
            .order_by(document_delivery.c.document_id, document_delivery.c.target),
        ),
        LearnerTable(
            "document_tries",
            "Requests that carried documents, and what the Learning Record Store answered.",
            select(document_try.c.document_id, try_.c.target, *_TRY)
            .select_from(
                document_try.join(try_, try_.c.id == document_try.c.try_id).join(
                    _OF_DOCUMENT, document.c.id == document_try.c.document_id
                )
            )
            .where(*its, PERSONAL)
            .order_by(document_try.c.document_id, try_.c.id),
        ),
        table(
            "webhook_deliveries",
            "What the LMS is told of the learner's results by webhooks, and what it answered.",
            [
                webhook_endpoint.c.name.label("webhook"),
                enrollment.c.registration,
                *_without(webhook_delivery, "id", "endpoint_id", "enrollment_id"),
            ],
            webhook_delivery.join(webhook_endpoint)
            .join(enrollment, enrollment.c.id == webhook_delivery.c.enrollment_id)
            .join(lms, lms.c.id == enrollment.c.lms_id),
            webhook_delivery.c.id,
        ),
    ]


def rows(connection: Connection, query: Select[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query as dictionaries, equal ones that follow each other once, a few in memory at a time."""
    options = {"stream_results": True, "yield_per": FETCH_SIZE}
    with connection.execute(query, execution_options=options) as result:
        before: dict[str, Any] | None = None
        for row in result.mappings():
            current = read_frame(connection, dict(row))
            if current != before:
                yield current
            before = current


def read_frame(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its texts in the columns that they have without a frame."""
    frame = row.pop("frame", None)
    if frame is None:
        return row
    if "response" in row:
        return row | content_of(connection, None, None, frame)._asdict()
    return row | {"body": frames.decompress(connection, frame).decode()}


def exists(connection: Connection, learner: Learner) -> bool:
    """Return whether anything is stored of a learner."""
    query = select(enrollment.c.id).where(*whose(learner)).limit(1)
    return connection.execute(query).first() is not None


def count_enrollments(connection: Connection, learner: Learner) -> int:
    """Return how many enrollments a learner has."""
    query = select(func.count()).select_from(enrollment).where(*whose(learner))
    return int(connection.execute(query).scalar_one())


def lms_names(connection: Connection, learner: Learner) -> list[str]:
    """Return the names of the LMSs that know a learner."""
    of_lms = exists_clause().where(enrollment.c.lms_id == lms.c.id, *whose(learner))
    return list(connection.execute(select(lms.c.name).where(of_lms).order_by(lms.c.name)).scalars())


def by_target(connection: Connection, learner: Learner) -> dict[str, dict[str, int]]:
    """Return target -> how many of a learner's statements and documents wait for it, and how many it got or may have.

    The names are `waiting`, `statements` and `documents`.
    """
    targets: dict[str, dict[str, int]] = {}

    def add(name: str, table: Table, of: FromClause, *conditions: ColumnElement[bool]) -> None:
        rows = connection.execute(
            select(table.c.target, table.c.state, func.count())
            .select_from(of)
            .where(*whose(learner), table.c.state != spelled_out(DeliveryState.QUARANTINED), *conditions)
            .group_by(table.c.target, table.c.state)
        )
        for target, state, number in rows:
            counts = targets.setdefault(target, dict.fromkeys(("waiting", "statements", "documents"), 0))
            counts["waiting" if state == DeliveryState.WAITING else name] += number

    add("statements", delivery, _OF_DELIVERY)
    add("documents", document_delivery, document_delivery.join(_OF_DOCUMENT, _ITS_DOCUMENT), PERSONAL)
    return dict(sorted(targets.items()))


def session_ids(connection: Connection, learner: Learner) -> set[str]:
    """Return the ids of all of a learner's sessions."""
    joined = session.join(_OF_ATTEMPT, session.c.attempt_id == attempt.c.id)
    query = select(session.c.session_id).select_from(joined).where(*whose(learner))
    return {str(session_id) for session_id in connection.execute(query).scalars()}


def refusals(connection: Connection, learner: Learner, sessions: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the refused requests that name a learner, or one of these sessions of theirs."""
    query = select(refusal, lms.c.name.label("lms")).select_from(refusal.join(lms)).order_by(refusal.c.id)
    if learner.lms is not None:
        query = query.where(lms.c.name == learner.lms)
    for row in rows(connection, query):
        if names_learner(learner.id, sessions, row["path"], row["detail"]):
            yield {name: value for name, value in row.items() if name != "lms_id"}


def names_learner(learner_id: str, session_ids: Collection[str], path: str, detail: str) -> bool:
    """Return whether the path or the detail of a refused request names a learner, or one of these sessions."""
    words = {word.strip(".,;:'\"") for word in detail.lower().split()}
    return repr(learner_id) in detail or not (words | {*path.lower().split("/")}).isdisjoint(session_ids)


def audit_entries(connection: Connection, learner: Learner) -> Iterator[dict[str, Any]]:
    """Yield the entries of the audit log whose subject names a learner's id as a filter does."""
    marked = audit_log.c.subject.contains(learner_mark(learner.id), autoescape=True)
    yield from rows(connection, select(audit_log).where(marked).order_by(audit_log.c.id))


def learner_mark(learner_id: str) -> str:
    """Return how a learner's id stands in the subjects of the audit log, which are JSON."""
    return f'"learner":{msgspec.json.encode(learner_id).decode()}'


def _without(table: Any, *names: str) -> list[Any]:
    return [column for column in table.c if column.name not in names]
