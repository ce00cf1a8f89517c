"""Every search finds exactly what a plain look at all rows finds, in its order, on pages that come to an end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import deliveries as stored_deliveries
from storage.queries import attempts, deliveries, documents, enrollment_filter, enrollments, sessions, statements
from storage.queries.deliveries import DeliveryOrder
from storage.queries.documents import DocumentFilter
from storage.queries.enrollment_filter import AttemptFilter
from storage.queries.keyset import Count
from storage.queries.statements import StatementOrder
from tests.storage.builders import NOW, uid
from tests.storage.queries import dataset
from tests.storage.queries.conftest import Trial, through
from tests.storage.queries.dataset import Attempt, Enrollment, Statement

pytestmark = pytest.mark.usefixtures("_reach")
tried = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def maybe(values: Any) -> Any:
    return st.none() | st.none() | st.sampled_from(sorted(values))


_TIMES = st.none() | st.none() | st.integers(NOW, NOW + 4)
_WHOSE = {
    "lms": maybe(("lms1", "lms2", "none")),
    "learner": maybe((*dataset.LEARNERS, "nobody")),
    "learner_prefix": maybe(("", "u", "u1", "U", "u1\U0010ffff", "\U0010ffff", "%")),
    "learner_name": maybe(("", "A", "Ad", "ad", "Ad\ud7ff", "_")),
    "activity": maybe((*dataset.ACTIVITIES, "none")),
    "course": maybe(("c1", "c2")),
    "since": _TIMES,
    "until": _TIMES,
}
FILTERS = st.builds(
    AttemptFilter,
    **_WHOSE,
    status=maybe(dataset.STATUSES),
    completion=maybe(("unknown", "completed")),
    success=maybe(("unknown", "failed")),
)
DOCUMENTS = st.builds(
    DocumentFilter,
    **_WHOSE,
    name=maybe(("one", "none")),
    target=maybe(("lrs", "", "none")),
    state=maybe(dataset.DOCUMENT_STATES),
)
STATEMENTS = st.builds(
    stored_deliveries.DeliveryFilter,
    lms=maybe(("lms1", "none")),
    learner=maybe((*dataset.LEARNERS, "nobody")),
    activity=maybe(dataset.ACTIVITIES),
    rule=maybe(dataset.RULES),
    verb=maybe(("http://verbs/scored", "http://verbs/none")),
    target=maybe(("lrs", "", "none")),
    state=maybe(dataset.STATES),
    statement=maybe((uid("statement", 1, 0), uid("statement", 2, 1))),
    attempt=maybe((uid("attempt", 1), uid("attempt", 9))),
    session=maybe((uid("session", 1, 0), uid("session", 2, 0))),
    since=_TIMES,
    until=_TIMES,
)


def is_whose(attempt: Attempt, criteria: Any) -> bool:
    """Return whether an attempt's enrollment meets what a filter tells of it."""
    names = dataset.LEARNERS[attempt.learner]
    return (
        criteria.lms in {None, attempt.lms}
        and criteria.learner in {None, attempt.learner}
        and attempt.learner.startswith(criteria.learner_prefix or "")
        and names.startswith(criteria.learner_name or "")
        and criteria.activity in {None, attempt.activity}
        and criteria.course in {None, dataset.ACTIVITIES[attempt.activity]}
    )


def is_within(at: int | None, criteria: Any) -> bool:
    """Return whether a time is within a filter's."""
    if at is None:
        return criteria.since is None and criteria.until is None
    return (criteria.since is None or at >= criteria.since) and (criteria.until is None or at < criteria.until)


def is_done(attempt: Attempt, criteria: AttemptFilter) -> bool:
    """Return whether completion and success are a filter's."""
    return criteria.completion in {None, attempt.completion or "unknown"} and criteria.success in {
        None,
        attempt.success or "unknown",
    }


def newest(at: int | None, *rest: Any) -> Any:
    """Return the sort key of the order of time, rows without one at the end, turned around."""
    return (at is not None, at or 0, *rest)


def is_on_its_way(ways: dict[str, str], criteria: Any) -> bool:
    """Return whether one delivery has a filter's target and state."""
    if criteria.target is None and criteria.state is None:
        return True
    return any(criteria.target in {None, target} and criteria.state in {None, state} for target, state in ways.items())


@tried
@given(new_attempts=dataset.attempts, criteria=FILTERS, limit=st.integers(1, 4))
def test_enrollments(trial: Trial, new_attempts: list[Attempt], criteria: AttemptFilter, limit: int) -> None:
    """Pages put together are what a plain filter and sort over everything give."""
    with trial() as connection:
        owners = dataset.store(connection, new_attempts)
        rows = through(lambda after: enrollments.search(connection, criteria, after=after, limit=limit))
    expected = [
        enrollment.registration
        for enrollment in sorted(owners, key=lambda enrollment: newest(enrollment.at, enrollment.id), reverse=True)
        if is_whose(enrollment.attempts[0], criteria)
        and is_within(enrollment.at, criteria)
        and is_done(enrollment.attempts[-1], criteria)
        and criteria.status in {None, *(its.status for its in enrollment.attempts)}
    ]

    assert [row.registration for row in rows] == expected


@tried
@given(new_attempts=dataset.attempts, criteria=FILTERS, limit=st.integers(1, 4))
def test_attempts(trial: Trial, new_attempts: list[Attempt], criteria: AttemptFilter, limit: int) -> None:
    """Pages put together are what a plain filter and sort over everything give."""
    with trial() as connection:
        dataset.store(connection, new_attempts)
        rows = through(lambda after: attempts.search(connection, criteria, after=after, limit=limit))

    assert [row.uuid for row in rows] == [attempt.uuid for attempt in _attempts(new_attempts, criteria)]


def _attempts(new_attempts: list[Attempt], criteria: AttemptFilter) -> list[Attempt]:
    return [
        attempt
        for attempt in sorted(new_attempts, key=lambda attempt: newest(attempt.at, attempt.id), reverse=True)
        if is_whose(attempt, criteria)
        and is_within(attempt.at, criteria)
        and is_done(attempt, criteria)
        and criteria.status in {None, attempt.status}
    ]


@tried
@given(new_attempts=dataset.attempts, criteria=FILTERS, limit=st.integers(1, 4))
def test_sessions(trial: Trial, new_attempts: list[Attempt], criteria: AttemptFilter, limit: int) -> None:
    """Pages put together are what a plain filter and sort over everything give."""
    with trial() as connection:
        dataset.store(connection, new_attempts)
        rows = through(lambda after: sessions.search(connection, criteria, after=after, limit=limit))
        opened = through(lambda after: sessions.open_ones(connection, after=after, limit=limit))
    expected = [its for attempt in _attempts(new_attempts, criteria) for its in sorted(attempt.sessions, reverse=True)]
    assert [row.session_id for row in rows] == expected
    open_ones = [
        (NOW + attempt.id % 3, its)
        for attempt in new_attempts
        for its, is_open in zip(attempt.sessions, attempt.open, strict=True)
        if is_open
    ]
    assert [row.session_id for row in opened] == [its for _, its in sorted(open_ones, reverse=True)]


@tried
@given(
    new_attempts=dataset.attempts, criteria=STATEMENTS, limit=st.integers(1, 4), order=st.sampled_from(StatementOrder)
)
def test_statements(
    trial: Trial,
    new_attempts: list[Attempt],
    criteria: stored_deliveries.DeliveryFilter,
    limit: int,
    order: StatementOrder,
) -> None:
    """Pages put together are what a plain filter and sort over everything give."""
    with trial() as connection:
        dataset.store(connection, new_attempts)
        rows = through(lambda after: statements.search(connection, criteria, order=order, after=after, limit=limit))
    expected = [
        (statement, owner)
        for statement, owner in _statements(new_attempts, criteria)
        if is_on_its_way(statement.ways, criteria)
    ]
    is_by_time = order in {StatementOrder.NEWEST, StatementOrder.OLDEST}
    is_descending = order in {StatementOrder.NEWEST, StatementOrder.LAST_ATTEMPT}
    expected.sort(key=lambda pair: pair[0].key if is_by_time else pair[0].key[1:], reverse=is_descending)

    assert [row.id for row in rows] == [statement.id for statement, _ in expected]
    assert [dict(row.deliveries) for row in rows] == [statement.ways for statement, _ in expected]
    assert [(row.attempt_id, row.learner_id) for row in rows] == [
        (attempt.uuid, attempt.learner) for _, attempt in expected
    ]


@tried
@given(
    new_attempts=dataset.attempts, criteria=STATEMENTS, limit=st.integers(1, 4), order=st.sampled_from(DeliveryOrder)
)
def test_deliveries(
    trial: Trial,
    new_attempts: list[Attempt],
    criteria: stored_deliveries.DeliveryFilter,
    limit: int,
    order: DeliveryOrder,
) -> None:
    """Pages put together are what a plain filter and sort over everything give."""
    with trial() as connection:
        dataset.store(connection, new_attempts)
        rows = through(lambda after: deliveries.search(connection, criteria, order=order, after=after, limit=limit))
        number, is_more = deliveries.how_many(connection, criteria)
    assert number <= len(rows) if is_more else number == len(rows)
    expected = [
        (statement.id, target, state)
        for statement, _ in _statements(new_attempts, criteria)
        for target, state in statement.ways.items()
        if criteria.target in {None, target} and criteria.state in {None, state}
    ]
    assert [(row.statement_id, row.target, row.state) for row in rows] == (
        expected[::-1] if order is DeliveryOrder.NEWEST else expected
    )


@pytest.mark.parametrize(("read", "passed"), [(2, Count(0, is_lower_bound=True)), (3, Count(1))])
def test_deliveries_are_counted_among_the_newest_of_their_state_where_no_index_tells(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, read: int, passed: Count
) -> None:
    monkeypatch.setattr(enrollment_filter, "MAX_SORTED_ROWS", 0)
    monkeypatch.setattr(deliveries, "READ", read)
    ways = [{"lrs": "dead"}, {"mirror": "dead"}, {"lrs": "dead"}, {"lrs": "waiting"}]
    rules = ["passed", "scored", "scored", "passed"]
    new_statements = [Statement(rule, NOW, 0, way) for rule, way in zip(rules, ways, strict=True)]
    with trial() as connection:
        dataset.store(connection, [Attempt("lms1", "u1", "a", "active", None, None, NOW, [True], new_statements)])
        dead, scored, of_passed = (
            stored_deliveries.DeliveryFilter(state="dead", rule=rule) for rule in (None, "scored", "passed")
        )
        assert deliveries.how_many(connection, dead, 2) == Count(2, is_lower_bound=True)
        assert deliveries.how_many(connection, dead) == Count(3)
        assert deliveries.how_many(connection, scored) == Count(2, is_lower_bound=read == 2)
        assert deliveries.how_many(connection, of_passed) == passed
        some = deliveries.some(connection, scored, 1)

    assert [row.target for row in some.newest] == ["lrs"]


def _statements(
    new_attempts: list[Attempt], criteria: stored_deliveries.DeliveryFilter
) -> list[tuple[Statement, Attempt]]:
    """Return the statements that meet all but what is told of deliveries, in the order they were stored."""
    return [
        (statement, owner)
        for owner in new_attempts
        for statement in owner.statements
        if criteria.lms in {None, owner.lms}
        and criteria.learner in {None, owner.learner}
        and criteria.activity in {None, owner.activity}
        and criteria.rule in {None, statement.rule}
        and criteria.verb in {None, f"http://verbs/{statement.rule}"}
        and criteria.statement in {None, statement.id}
        and criteria.attempt in {None, owner.uuid}
        and criteria.session in {None, owner.sessions[statement.session]}
        and is_within(statement.at, criteria)
    ]


@tried
@given(new_attempts=dataset.attempts, criteria=DOCUMENTS, limit=st.integers(1, 4))
def test_documents(trial: Trial, new_attempts: list[Attempt], criteria: DocumentFilter, limit: int) -> None:
    """Pages put together are what a plain filter and sort over everything give."""
    with trial() as connection:
        dataset.store(connection, new_attempts)
        rows = through(lambda after: documents.search(connection, criteria, after=after, limit=limit))
    expected = [
        (newest(owner.at, owner.id, document.id), document)
        for owner in new_attempts
        for document in owner.documents
        if is_whose(owner, criteria)
        and is_within(owner.at, criteria)
        and criteria.name in {None, document.name}
        and is_on_its_way(document.ways, criteria)
    ]
    expected.sort(key=lambda pair: pair[0], reverse=True)

    assert [(row.id, dict(row.deliveries)) for row in rows] == [
        (document.id, document.ways) for _, document in expected
    ]


@given(new_attempts=dataset.attempts)
@tried
def test_of_each_row_the_one_that_is_asked_for_is_given(trial: Trial, new_attempts: list[Attempt]) -> None:
    with trial() as connection:
        owners: list[Enrollment] = dataset.store(connection, new_attempts)
        for owner in owners:
            row = enrollments.find(connection, owner.registration)
            assert row is not None, owner
            assert (row.learner_id, row.last_commit_at) == (owner.attempts[0].learner, owner.at)
        for attempt in new_attempts:
            shown = attempts.find(connection, attempt.uuid)
            assert shown is not None, attempt
            assert (shown.registration, shown.status, shown.lms) == (attempt.registration, attempt.status, attempt.lms)
            assert [sessions.find(connection, its).attempt_id for its in attempt.sessions] == [  # type: ignore[union-attr]
                attempt.uuid for _ in attempt.sessions
            ]
        assert enrollments.find(connection, uid("none")) is None
        assert attempts.find(connection, uid("none")) is None
        assert sessions.find(connection, uid("none")) is None
