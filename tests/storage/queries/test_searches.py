"""Every search finds exactly what a plain look at all rows finds, in its order, on pages that come to an end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import deliveries as stored_deliveries
from storage.queries import attempts, deliveries, documents, enrollment_filter, enrollments, sessions, statements
from storage.queries.documents import DocumentFilter
from storage.queries.enrollment_filter import AttemptFilter
from storage.queries.keyset import Count
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


def is_whose(one: Attempt, which: Any) -> bool:
    """Return whether an attempt's enrollment meets what a filter tells of it."""
    names = dataset.LEARNERS[one.learner]
    return (
        which.lms in {None, one.lms}
        and which.learner in {None, one.learner}
        and one.learner.startswith(which.learner_prefix or "")
        and names.startswith(which.learner_name or "")
        and which.activity in {None, one.activity}
        and which.course in {None, dataset.ACTIVITIES[one.activity]}
    )


def is_within(at: int | None, which: Any) -> bool:
    """Return whether a time is within a filter's."""
    if at is None:
        return which.since is None and which.until is None
    return (which.since is None or at >= which.since) and (which.until is None or at < which.until)


def is_done(one: Attempt, which: AttemptFilter) -> bool:
    """Return whether completion and success are a filter's."""
    return which.completion in {None, one.completion or "unknown"} and which.success in {None, one.success or "unknown"}


def newest(at: int | None, *rest: Any) -> Any:
    """Return the sort key of the order of time, rows without one at the end, turned around."""
    return (at is not None, at or 0, *rest)


def is_on_its_way(ways: dict[str, str], which: Any) -> bool:
    """Return whether one delivery has a filter's target and state."""
    if which.target is None and which.state is None:
        return True
    return any(which.target in {None, target} and which.state in {None, state} for target, state in ways.items())


@tried
@given(made=dataset.attempts, which=FILTERS, limit=st.integers(1, 4))
def test_enrollments(trial: Trial, made: list[Attempt], which: AttemptFilter, limit: int) -> None:
    with trial() as connection:
        owners = dataset.store(connection, made)
        found = through(lambda after: enrollments.search(connection, which, after=after, limit=limit))
    expected = [
        one.registration
        for one in sorted(owners, key=lambda one: newest(one.at, one.id), reverse=True)
        if is_whose(one.attempts[0], which)
        and is_within(one.at, which)
        and is_done(one.attempts[-1], which)
        and which.status in {None, *(its.status for its in one.attempts)}
    ]
    assert [one.registration for one in found] == expected


@tried
@given(made=dataset.attempts, which=FILTERS, limit=st.integers(1, 4))
def test_attempts(trial: Trial, made: list[Attempt], which: AttemptFilter, limit: int) -> None:
    with trial() as connection:
        dataset.store(connection, made)
        found = through(lambda after: attempts.search(connection, which, after=after, limit=limit))
    assert [one.uuid for one in found] == [one.uuid for one in _attempts(made, which)]


def _attempts(made: list[Attempt], which: AttemptFilter) -> list[Attempt]:
    return [
        one
        for one in sorted(made, key=lambda one: newest(one.at, one.id), reverse=True)
        if is_whose(one, which)
        and is_within(one.at, which)
        and is_done(one, which)
        and which.status in {None, one.status}
    ]


@tried
@given(made=dataset.attempts, which=FILTERS, limit=st.integers(1, 4))
def test_sessions(trial: Trial, made: list[Attempt], which: AttemptFilter, limit: int) -> None:
    with trial() as connection:
        dataset.store(connection, made)
        found = through(lambda after: sessions.search(connection, which, after=after, limit=limit))
        opened = through(lambda after: sessions.open_ones(connection, after=after, limit=limit))
    expected = [its for one in _attempts(made, which) for its in sorted(one.sessions, reverse=True)]
    assert [one.session_id for one in found] == expected
    open_ones = [
        (NOW + one.id % 3, its) for one in made for its, is_open in zip(one.sessions, one.open, strict=True) if is_open
    ]
    assert [one.session_id for one in opened] == [its for _, its in sorted(open_ones, reverse=True)]


@tried
@given(made=dataset.attempts, which=STATEMENTS, limit=st.integers(1, 4))
def test_statements(trial: Trial, made: list[Attempt], which: stored_deliveries.DeliveryFilter, limit: int) -> None:
    with trial() as connection:
        dataset.store(connection, made)
        found = through(lambda after: statements.search(connection, which, after=after, limit=limit))
    expected = [(made, owner) for made, owner in _statements(made, which) if is_on_its_way(made.ways, which)]
    expected.sort(key=lambda pair: pair[0].key, reverse=True)
    assert [one.id for one in found] == [one.id for one, _ in expected]
    assert [dict(one.deliveries) for one in found] == [one.ways for one, _ in expected]
    assert [(one.attempt_id, one.learner_id) for one in found] == [(one.uuid, one.learner) for _, one in expected]


@tried
@given(made=dataset.attempts, which=STATEMENTS, limit=st.integers(1, 4))
def test_deliveries(trial: Trial, made: list[Attempt], which: stored_deliveries.DeliveryFilter, limit: int) -> None:
    with trial() as connection:
        dataset.store(connection, made)
        found = through(lambda after: deliveries.search(connection, which, after=after, limit=limit))
        number, is_more = deliveries.how_many(connection, which)
    assert number <= len(found) if is_more else number == len(found)
    expected = [
        (one.id, target, state)
        for one, _ in _statements(made, which)
        for target, state in one.ways.items()
        if which.target in {None, target} and which.state in {None, state}
    ]
    assert [(one.statement_id, one.target, one.state) for one in found] == expected[::-1]


@pytest.mark.parametrize(("read", "passed"), [(2, Count(0, is_lower_bound=True)), (3, Count(1))])
def test_deliveries_are_counted_among_the_newest_of_their_state_where_no_index_tells(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, read: int, passed: Count
) -> None:
    monkeypatch.setattr(enrollment_filter, "MAX_SORTED_ROWS", 0)
    monkeypatch.setattr(deliveries, "READ", read)
    ways = [{"lrs": "dead"}, {"mirror": "dead"}, {"lrs": "dead"}, {"lrs": "waiting"}]
    rules = ["passed", "scored", "scored", "passed"]
    told = [Statement(rule, NOW, 0, way) for rule, way in zip(rules, ways, strict=True)]
    with trial() as connection:
        dataset.store(connection, [Attempt("lms1", "u1", "a", "active", None, None, NOW, [True], told)])
        dead, scored, of_passed = (
            stored_deliveries.DeliveryFilter(state="dead", rule=rule) for rule in (None, "scored", "passed")
        )
        assert deliveries.how_many(connection, dead, 2) == Count(2, is_lower_bound=True)
        assert deliveries.how_many(connection, dead) == Count(3)
        assert deliveries.how_many(connection, scored) == Count(2, is_lower_bound=read == 2)
        assert deliveries.how_many(connection, of_passed) == passed
        some = deliveries.some(connection, scored, 1)
    assert [one.target for one in some.newest] == ["lrs"]


def _statements(made: list[Attempt], which: stored_deliveries.DeliveryFilter) -> list[tuple[Statement, Attempt]]:
    """Return the statements that meet all but what is told of deliveries, in the order they were stored."""
    return [
        (one, owner)
        for owner in made
        for one in owner.statements
        if which.lms in {None, owner.lms}
        and which.learner in {None, owner.learner}
        and which.activity in {None, owner.activity}
        and which.rule in {None, one.rule}
        and which.verb in {None, f"http://verbs/{one.rule}"}
        and which.statement in {None, one.id}
        and which.attempt in {None, owner.uuid}
        and which.session in {None, owner.sessions[one.session]}
        and is_within(one.at, which)
    ]


@tried
@given(made=dataset.attempts, which=DOCUMENTS, limit=st.integers(1, 4))
def test_documents(trial: Trial, made: list[Attempt], which: DocumentFilter, limit: int) -> None:
    with trial() as connection:
        dataset.store(connection, made)
        found = through(lambda after: documents.search(connection, which, after=after, limit=limit))
    expected = [
        (newest(owner.at, owner.id, one.id), one)
        for owner in made
        for one in owner.documents
        if is_whose(owner, which)
        and is_within(owner.at, which)
        and which.name in {None, one.name}
        and is_on_its_way(one.ways, which)
    ]
    expected.sort(key=lambda pair: pair[0], reverse=True)
    assert [(one.id, dict(one.deliveries)) for one in found] == [(one.id, one.ways) for _, one in expected]


@given(made=dataset.attempts)
@tried
def test_of_each_row_the_one_that_is_asked_for_is_given(trial: Trial, made: list[Attempt]) -> None:
    with trial() as connection:
        owners: list[Enrollment] = dataset.store(connection, made)
        for owner in owners:
            told = enrollments.one(connection, owner.registration)
            assert told is not None
            assert (told.learner_id, told.last_commit_at) == (owner.attempts[0].learner, owner.at)
        for one in made:
            shown = attempts.one(connection, one.uuid)
            assert shown is not None
            assert (shown.registration, shown.status, shown.lms) == (one.registration, one.status, one.lms)
            assert [sessions.one(connection, its).attempt_id for its in one.sessions] == [  # type: ignore[union-attr]
                one.uuid for _ in one.sessions
            ]
        assert enrollments.one(connection, uid("none")) is None
        assert attempts.one(connection, uid("none")) is None
        assert sessions.one(connection, uid("none")) is None
