"""Statements as people look for them, in an order that an index has, and the lineage of one."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from storage import deliveries, frames, target_statements
from storage.deliveries import Delivery, DeliveryFilter, TryLine, of_last_try, of_state
from storage.journal import content_of
from storage.queries.enrollment_filter import WHOSE, conditions, few_attempts, of_statements
from storage.queries.keyset import MAX_SORTED_ROWS, PAGE_SIZE, KeysetOrder, ResultPage, ScanLimit, TimeSpan, has, up_to
from storage.states import DeliveryState
from storage.tables import attempt, delivery, enrollment, journal, lms, mapping_version, session, statement
from storage.target_statements import TargetStatement


class StatementSummary(NamedTuple):
    """A statement in a list, with whose it is, and where it is on its way: (target, state) of each delivery.

    `forms` has (target, what is different) where a target gets it in another form.
    """

    id: str
    created_at: int
    rule: str
    verb: str
    problem: str | None
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
    forms: tuple[tuple[str, str], ...] = ()


class Origin(NamedTuple):
    """Where a statement comes from: whose attempt, which commit of it, which rule of which version of a mapping.

    `response` is what the commit got, as JSON: what it made of attempt and enrollment. `source` is where its session
    comes from.
    """

    id: str
    rule: str
    verb: str
    created_at: int
    problem: str | None
    body: str
    mapping: str
    mapping_hash: str
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
    received_at: int
    wire_format: str
    content_type: str
    disposition: str
    response: str | None
    source: str


class DeliveryLineage(NamedTuple):
    """A delivery with its last tries, in their order; `form` is what its target gets, None for the statement itself."""

    delivery: Delivery
    tries: list[TryLine]
    form: TargetStatement | None


class Lineage(NamedTuple):
    """A statement with all that led to it and all that became of it."""

    origin: Origin
    ways: list[DeliveryLineage]


_FROM = statement.join(attempt, attempt.c.id == statement.c.attempt_id).join(enrollment).join(lms)
_ROWS: Select[Any] = select(
    statement.c.attempt_id,
    statement.c.position,
    statement.c.id,
    statement.c.created_at,
    statement.c.rule,
    statement.c.verb,
    statement.c.problem,
    *WHOSE.values(),
    statement.c.session_id,
    statement.c.commit_number,
).select_from(_FROM)
_ORIGIN: Select[Any] = select(
    statement.c.id,
    statement.c.rule,
    statement.c.verb,
    statement.c.created_at,
    statement.c.problem,
    statement.c.body,
    mapping_version.c.name,
    mapping_version.c.content_hash,
    *WHOSE.values(),
    statement.c.session_id,
    statement.c.commit_number,
    journal.c.received_at,
    journal.c.wire_format,
    journal.c.content_type,
    journal.c.disposition,
    journal.c.response,
    session.c.source,
    statement.c.frame,
    journal.c.frame.label("journal_frame"),
).select_from(
    _FROM.join(mapping_version, mapping_version.c.id == statement.c.mapping_version_id)
    .join(journal, and_(journal.c.session_id == statement.c.session_id, journal.c.number == statement.c.commit_number))
    .join(session, session.c.session_id == statement.c.session_id)
)


class StatementOrder(StrEnum):
    """What statements are sorted by: the orders that indexes of the table have."""

    NEWEST = "-made"
    """The last one that was made first."""
    OLDEST = "made"
    LAST_ATTEMPT = "-attempt"
    """The attempt that began last first, with its last statement first."""
    FIRST_ATTEMPT = "attempt"


_BY_TIME = statement.c.created_at, statement.c.attempt_id, statement.c.position
_BY_ATTEMPT = statement.c.attempt_id, statement.c.position
_ORDERS = {
    StatementOrder.NEWEST: KeysetOrder(*_BY_TIME),
    StatementOrder.OLDEST: KeysetOrder(*_BY_TIME, is_ascending=True),
    StatementOrder.LAST_ATTEMPT: KeysetOrder(*_BY_ATTEMPT),
    StatementOrder.FIRST_ATTEMPT: KeysetOrder(*_BY_ATTEMPT, is_ascending=True),
}
_ITS_DELIVERY = and_(delivery.c.attempt_id == statement.c.attempt_id, delivery.c.position == statement.c.position)


def search(
    connection: Connection,
    selection: DeliveryFilter,
    *,
    order: StatementOrder = StatementOrder.NEWEST,
    after: str | None = None,
    limit: int = PAGE_SIZE,
) -> ResultPage[StatementSummary]:
    """Return a page of statements. With `target` and `state`, those that have a delivery of which both are true.

    Raises:
        ValueError: `after` is no cursor of this search.
    """
    query, is_few = _narrowed(connection, _ROWS, selection)
    for column, value in ((statement.c.verb, selection.verb), (statement.c.rule, selection.rule)):
        if value is not None:
            query = query.where(column == value)
    span = TimeSpan(selection.since, selection.until)
    if order in {StatementOrder.LAST_ATTEMPT, StatementOrder.FIRST_ATTEMPT}:  # whose index does not have the time
        query, span = query.where(*span.of(statement.c.created_at)), TimeSpan()
    page = _ORDERS[order].page(connection, query, lambda *row: row, ScanLimit(span, is_few), after=after, limit=limit)
    keys = [(row[0], row[1]) for row in page.rows]
    ways, forms = _ways(connection, keys), target_statements.descriptions(connection, keys)
    rows = [
        StatementSummary._make((*row[2:], ways.get(key, ()), forms.get(key, ())))
        for key, row in zip(keys, page.rows, strict=True)
    ]
    return ResultPage(rows, page.after)


def origin(connection: Connection, statement_id: str) -> Origin | None:
    """Return where a statement comes from, None where there is none of this id."""
    row = connection.execute(_ORIGIN.where(statement.c.id == statement_id)).one_or_none()
    if row is None:
        return None
    body = frames.text_of(connection, row.body, row.frame)
    response = content_of(connection, row.response, None, row.journal_frame).response
    return Origin._make(row[:-2])._replace(body=body, response=response)


def lineage(connection: Connection, statement_id: str) -> Lineage | None:
    """Return all there is to a statement, None where there is none of this id."""
    its = origin(connection, statement_id)
    if its is None:
        return None
    rows = deliveries.find(connection, DeliveryFilter(statement=statement_id), limit=1_000)
    forms = target_statements.of_statement(connection, statement_id)
    ways = [DeliveryLineage(row, deliveries.tries(connection, row.id), forms.get(row.target)) for row in rows]
    return Lineage(its, ways)


def _narrowed(connection: Connection, query: Select[Any], selection: DeliveryFilter) -> tuple[Select[Any], bool]:
    """Return the query for what can be told of whose and where statements are, and whether it leaves few."""
    way = _of_way(selection)
    statement_conditions = of_statements(selection)
    attempts = few_attempts(connection, selection)
    if selection.session is not None:
        query = query.where(statement.c.session_id == selection.session)
    if selection.statement is not None or attempts is not None:
        query = query.where(*conditions(connection, statement_conditions))
        if selection.statement is not None:
            query = query.where(statement.c.id == selection.statement)
        if attempts is not None:
            query = query.where(statement.c.attempt_id.in_(attempts))
        return query.where(has(connection, _ITS_DELIVERY, *way, walked=False)) if way else query, True
    query = query.where(*conditions(connection, statement_conditions, walked=True))
    if selection.attempt is not None:
        query = query.where(attempt.c.uuid == selection.attempt)
    if way and selection.state != DeliveryState.DELIVERED and selection.state is not None:
        some = select(delivery.c.attempt_id, delivery.c.position).where(*way)
        if not up_to(connection, some, MAX_SORTED_ROWS).is_lower_bound:
            its = some.distinct().subquery()
            joined = and_(its.c.attempt_id == statement.c.attempt_id, its.c.position == statement.c.position)
            return query.join(its, joined), True
    return query.where(has(connection, _ITS_DELIVERY, *way, walked=True)) if way else query, False


def _of_way(selection: DeliveryFilter) -> list[ColumnElement[bool]]:
    clauses = [] if selection.target is None else [delivery.c.target == selection.target]
    clauses += of_last_try(selection)
    return clauses if selection.state is None else [*clauses, *of_state(selection.state)]


def _ways(connection: Connection, keys: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[tuple[str, str], ...]]:
    states: dict[tuple[int, int], tuple[tuple[str, str], ...]] = {}
    rows = connection.execute(
        select(delivery.c.attempt_id, delivery.c.position, delivery.c.target, delivery.c.state)
        .where(delivery.c.attempt_id.in_({key[0] for key in keys}), delivery.c.position.in_({key[1] for key in keys}))
        .order_by(delivery.c.id)
    )
    for row in rows:
        key = row.attempt_id, row.position
        states[key] = (*states.get(key, ()), (row.target, row.state))
    return states
