"""State and profile documents as people look for them: those of the attempt first that had the newest commit."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, select

from storage.deliveries import TryLine
from storage.queries.enrollment_filter import WHOSE, EnrollmentFilter, narrowed
from storage.queries.keyset import MAX_SORTED_ROWS, PAGE_SIZE, KeysetOrder, ResultPage, ScanLimit, TimeSpan, has
from storage.queries.queues import document_state
from storage.states import DeliveryState
from storage.tables import (
    attempt,
    document,
    document_delivery,
    document_try,
    enrollment,
    lms,
    mapping_version,
    session,
    try_,
)


class DocumentFilter(EnrollmentFilter, frozen=True, omit_defaults=True, kw_only=True):
    """Which documents. `name` is the mapping's; `state` is a delivery's (waiting, delivered, dead).

    `since` and `until` are about the last commit of the attempt that changed it last.
    """

    name: str | None = None
    resource: str | None = None
    attempt: str | None = None
    target: str | None = None
    state: str | None = None
    since: int | None = None
    until: int | None = None


class DocumentSummary(NamedTuple):
    """A document in a list, with the attempt and commit that changed it last; (target, state) of each delivery.

    Attempts can share a document: it is that of the one that changed it last. `form` tells in words what is different
    for its targets, None where it is as the mapping says.
    """

    id: str
    name: str
    resource: str
    parameters: str
    content_type: str
    changed_at: int
    form: str | None
    lms: str
    learner_id: str
    learner_name: str
    activity_id: str
    activity_name: str
    registration: str
    attempt_id: str
    attempt_number: int
    session_id: str
    commit_number: int
    deliveries: tuple[tuple[str, str], ...] = ()


class DocumentDelivery(NamedTuple):
    """A document's delivery to one target; `changes` counts how often the content was new to it."""

    target: str
    state: str
    changes: int
    tries: int
    not_before: int
    settled_at: int | None
    tried: tuple[TryLine, ...]


class DocumentLineage(NamedTuple):
    """A document with its newest content, the mapping version that made it, and its deliveries.

    `source` is where the session comes from that changed it last.
    """

    document: DocumentSummary
    content: bytes
    mapping: str
    mapping_hash: str
    source: str
    ways: list[DocumentDelivery]


_FROM = document.join(attempt, attempt.c.id == document.c.attempt_id).join(enrollment).join(lms)
_ROWS: Select[Any] = select(
    *(document.c[name] for name in DocumentSummary._fields[:7]),
    *WHOSE.values(),
    document.c.session_id,
    document.c.commit_number,
).select_from(_FROM)
_OF_ATTEMPTS = KeysetOrder(attempt.c.last_commit_at, attempt.c.id, document.c.id)
_LAST_TRIES = 50


def search(
    connection: Connection, selection: DocumentFilter, *, after: str | None = None, limit: int = PAGE_SIZE
) -> ResultPage[DocumentSummary]:
    """Return a page of documents. With `target` and `state`, those that have a delivery of which both are true.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, is_few = narrowed(connection, _ROWS, selection, attempt.c.enrollment_id)
    for column, value in (
        (document.c.name, selection.name),
        (document.c.resource, selection.resource),
        (attempt.c.uuid, selection.attempt),
    ):
        if value is not None:
            query = query.where(column == value)
    is_few = is_few or selection.attempt is not None
    way = _of_way(selection)
    if way:
        ids = (
            None
            if is_few or selection.state == DeliveryState.DELIVERED or selection.state is None
            else _few(connection, way)
        )
        if ids is not None:
            query, is_few = query.where(document.c.id.in_(ids)), True
        query = query.where(has(connection, document_delivery.c.document_id == document.c.id, *way, walked=not is_few))
    span = TimeSpan(selection.since, selection.until)
    page = _OF_ATTEMPTS.page(connection, query, DocumentSummary, ScanLimit(span, is_few), after=after, limit=limit)
    ways: dict[str, tuple[tuple[str, str], ...]] = {}
    for row in connection.execute(
        select(document_delivery.c.document_id, document_delivery.c.target, document_delivery.c.state)
        .where(document_delivery.c.document_id.in_([summary.id for summary in page.rows]))
        .order_by(document_delivery.c.target)
    ):
        ways[row.document_id] = (*ways.get(row.document_id, ()), (row.target, row.state))
    return ResultPage([summary._replace(deliveries=ways.get(summary.id, ())) for summary in page.rows], page.after)


def lineage(connection: Connection, document_id: str) -> DocumentLineage | None:
    """Return all there is to a document, None where there is none of this id."""
    row = connection.execute(
        _ROWS.join(mapping_version, mapping_version.c.id == document.c.mapping_version_id)
        .join(session, session.c.session_id == document.c.session_id)
        .add_columns(document.c.content, mapping_version.c.name, mapping_version.c.content_hash, session.c.source)
        .where(document.c.id == document_id)
    ).one_or_none()
    if row is None:
        return None
    *columns, content, mapping, mapping_hash, source = row
    names = DocumentDelivery._fields[:-1]
    ways = [
        DocumentDelivery._make((*way, _tries(connection, document_id, way.target)))
        for way in connection.execute(
            select(*(document_delivery.c[name] for name in names))
            .where(document_delivery.c.document_id == document_id)
            .order_by(document_delivery.c.target)
        )
    ]
    shown = DocumentSummary._make((*columns, tuple((way.target, way.state) for way in ways)))
    return DocumentLineage(shown, bytes(content), mapping, mapping_hash, source, ways)


def _tries(connection: Connection, document_id: str, target: str) -> tuple[TryLine, ...]:
    rows = connection.execute(
        select(*(try_.c[name] for name in TryLine._fields))
        .join(document_try, document_try.c.try_id == try_.c.id)
        .where(document_try.c.document_id == document_id, try_.c.target == target)
        .order_by(document_try.c.try_id.desc())
        .limit(_LAST_TRIES)
    )
    return tuple(TryLine(*row) for row in rows)[::-1]


def _of_way(selection: DocumentFilter) -> list[ColumnElement[bool]]:
    clauses = [] if selection.target is None else [document_delivery.c.target == selection.target]
    return clauses if selection.state is None else [*clauses, *document_state(selection.state)]


def _few(connection: Connection, way: list[ColumnElement[bool]]) -> list[str] | None:
    query = select(document_delivery.c.document_id).where(*way).limit(MAX_SORTED_ROWS + 1)
    ids = list(connection.execute(query).scalars())
    return None if len(ids) > MAX_SORTED_ROWS else ids
