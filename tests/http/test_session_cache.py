"""Open sessions are remembered between transactions, and never believed when they are no longer what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.commits.session_cache import CachedAttempt, CachedEnrollment, CachedSession, SessionCache
from mappings.attempt.state import AttemptState, SessionState
from storage.attempts import Attempt, Enrollment, Session
from tests.support.bridge import Bridge, Ids, start_bridge
from tests.support.sql import observe_statements


@pytest.fixture
async def second(bridge: Bridge, database_url: str) -> AsyncIterator[Bridge]:
    """Another bridge on the same database."""
    other = await start_bridge(database_url=database_url, clock=bridge.clock, ids=Ids(1_000), token=bridge.token)
    yield other
    await other.close()


async def test_what_another_process_stored_is_seen(bridge: Bridge, second: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_status": "incomplete", "session_time": "0000:01:00"}})
    fields = {"session_id": first["session_id"]}
    for minute, through in ((2, second), (3, bridge), (4, bridge), (5, second), (6, bridge)):
        bridge.clock.advance(60)
        answer = await through.commit({"core": {"session_time": f"0000:{minute:02}:00"}}, **fields)

        assert (answer["commit"], answer["attempt"]["total_time"]) == (minute, f"PT{minute}M")
    await second.commit({"core": {"lesson_status": "passed", "score": {"raw": "90"}}}, **fields)
    answer = await bridge.commit({"core": {"lesson_status": "incomplete", "score": {"raw": "95"}}}, **fields)
    assert answer["attempt"]["completion_status"] == "completed"
    (report,) = bridge.reports()
    positions = [statement.position for statement in report.statements]
    assert positions == list(range(1, len(positions) + 1))
    assert [statement.rule for statement in report.statements].count("passed") == 1


async def test_a_session_that_another_process_ended_is_seen_to_have_ended(bridge: Bridge, second: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_status": "incomplete"}})
    fields = {"session_id": first["session_id"]}
    await second.commit({"core": {"lesson_status": "completed"}}, **fields, terminated=True)

    late = await bridge.commit({"core": {"lesson_location": "page-9"}}, **fields)

    assert late["disposition"] == "late"


async def test_a_commit_by_learner_is_seen_by_one_that_names_the_session(bridge: Bridge, second: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_location": "1"}})
    await second.commit({"core": {"lesson_location": "2"}})

    third = await bridge.commit({"core": {"lesson_location": "3"}}, session_id=first["session_id"])

    assert third["commit"] == 3


async def test_what_a_failed_transaction_changed_is_not_remembered(bridge: Bridge) -> None:
    first = await bridge.commit({"core": {"lesson_status": "incomplete", "session_time": "0000:01:00"}})
    fields = {"session_id": first["session_id"]}
    passing = {"core": {"lesson_status": "passed", "score": {"raw": "90"}, "session_time": "0000:03:00"}}
    bridge.clock.advance(120)
    with observe_statements(_fail_to_store_statements):
        status, refused = await bridge.post(
            "/v1/commits", {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": passing} | fields
        )
    assert (status, refused["result"]) == (503, False)

    answer = await bridge.commit(passing, **fields)
    assert (answer["commit"], answer["disposition"]) == (2, "applied")
    assert answer["attempt"]["total_time"] == "PT3M"
    assert bridge.rules() == ["initialized", "scored", "completed", "passed"]


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    cache = SessionCache(max_enrollments=2)
    cache.put([_open(1), _open(2)])
    assert cache.get("s1") is not None
    cache.put([_open(3)])

    assert [_ids(cache.take(session_id)) for session_id in ("s1", "s2", "s3")] == [[1], [], [3]]


def test_no_more_characters_are_remembered_than_allowed() -> None:
    cache = SessionCache(max_characters=250)
    cache.put([_open(1, characters=100), _open(2, characters=100), _open(3, characters=100)])

    assert [_ids(cache.take(session_id)) for session_id in ("s1", "s2", "s3")] == [[], [2], [3]]


def test_an_enrollment_is_taken_with_all_its_sessions_and_only_once() -> None:
    cache = SessionCache()
    one, two = _open(1), _open(1, session_id="other")
    cache.put([CachedEnrollment(one.row, one.sessions | two.sessions)])

    (cached_enrollment,) = cache.take("other", one.row.key)

    assert set(cached_enrollment.sessions) == {"s1", "other"}
    assert cache.get("s1") is None
    assert cache.take("s1", one.row.key) == []


def test_an_enrollment_is_taken_by_its_key_whichever_session_is_meant() -> None:
    cache = SessionCache()
    cache.put([_open(1), _open(2)])

    assert _ids(cache.take("unknown", _open(2).row.key)) == [2]


def test_a_session_that_has_ended_is_not_remembered() -> None:
    cache = SessionCache()
    one, two = _open(1), _open(1, session_id="other")
    cache.put([CachedEnrollment(one.row, one.sessions | two.sessions)])

    cache.update(1, ended="s1")
    assert cache.get("s1") is None
    assert cache.get("other") is not None
    cache.update(1, ended="other")
    assert cache.take(None, one.row.key) == []


def test_what_is_remembered_anew_replaces_what_was() -> None:
    cache = SessionCache()
    cache.put([_open(1)])
    cache.put([_open(1, session_id="new")])

    assert cache.take("s1") == []
    assert [set(enrollment.sessions) for enrollment in cache.take("new")] == [{"new"}]


def _ids(enrollments: list[CachedEnrollment]) -> list[int]:
    return [enrollment.row.id for enrollment in enrollments]


def _open(number: int, *, session_id: str = "", characters: int = 1) -> CachedEnrollment:
    owner = Enrollment(number, "", 1, "", "", None, f"u{number}", "", "", "", "", "", "")
    attempt = Attempt(number, "", owner, 1, None, "active", "x" * (characters // 2), 0)
    session_id = session_id or f"s{number}"
    row = Session(session_id, attempt, "ab-initio", "x" * (characters - characters // 2), 0)
    return CachedEnrollment(
        owner, {session_id: CachedSession(row, CachedAttempt(attempt, AttemptState()), SessionState())}
    )


def _fail_to_store_statements(statement: str) -> None:
    if "INSERT INTO statement " in statement:
        raise OSError("no space left")
