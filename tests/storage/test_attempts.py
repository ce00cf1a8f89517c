"""Enrollments, attempts and sessions: created once, locked, and kept column by column."""

from __future__ import annotations

from contextlib import nullcontext as does_not_raise
from dataclasses import fields, replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

from storage import attempts
from storage.attempts import Attempt, Enrollment, Session
from storage.change_set import ChangeSet
from storage.engine import open_engine, reading, writing
from storage.prepared import write
from storage.states import SessionSource
from storage.tables import enrollment
from tests.storage.builders import (
    NOW,
    add_attempt,
    add_enrollment,
    add_lms,
    add_session,
    launched,
    new_enrollment,
    save,
    uid,
)
from tests.storage.threads import at_once

LONG = 'suspend ☃ 🎓 \\ " \n' * 10_000
FIXED = {
    Enrollment: {
        "id",
        "registration",
        "lms_id",
        "lms_name",
        "home_page",
        "course_registration",
        "learner_id",
        "activity_id",
        "course_id",
    },
    Attempt: {"id", "uuid", "enrollment", "number", "started_at"},
    Session: {"session_id", "attempt", "entry", "started_at"},
}
"""What says which row it is, and never changes."""


def _new_values(row: Enrollment | Attempt | Session) -> dict[str, Any]:
    """Return every column that may change a value that no other column has."""
    names = [field.name for field in fields(row) if field.name not in FIXED[type(row)] | {"changed", "new"}]
    types = {field.name: str(field.type) for field in fields(row)}
    return (
        {
            name: f"{name} ☃" if "str" in types[name] else number + 0.25 if "float" in types[name] else 2**31 + number
            for number, name in enumerate(names)
        }
        | ({"total_attempts": 7} if "total_attempts" in names else {})
        | ({"latest_attempt": 9} if "latest_attempt" in names else {})
        | ({"commits": 8} if "commits" in names else {})
    )


def _load(engine: Engine, session_id: str) -> Session:
    with reading(engine) as connection:
        return attempts.load_sessions(connection, [session_id])[session_id]


def test_an_enrollment_is_created_once_and_found_again(engine: Engine) -> None:
    with writing(engine) as connection:
        new = new_enrollment(add_lms(connection))
        first = attempts.ensure_enrollments(connection, [new], NOW)
    with writing(engine) as connection:
        again = replace(new, registration=uid("another"), learner_name="Another", course_name="Another")
        second = attempts.ensure_enrollments(connection, [again], NOW + 1)

    assert first == second
    assert first[new.key].registration == new.registration
    assert (first[new.key].learner_name, first[new.key].course_name) == ("Ada", "Welcome")
    assert (first[new.key].lms_name, first[new.key].home_page) == ("lms", "https://lms.example.org")


def test_new_and_known_enrollments_come_together(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id, other = add_lms(connection), add_lms(connection, "other")
        owner = add_enrollment(connection, lms_id, "u1")
        wanted = [new_enrollment(lms, learner) for lms in (other, lms_id) for learner in ("u3", "u1", "u2")]
        enrollments = attempts.ensure_enrollments(connection, wanted, NOW)
        assert enrollments.keys() == {new.key for new in wanted}
        assert len({row.id for row in enrollments.values()}) == 6
        assert enrollments[lms_id, "u1", "235", "12"] == owner


def test_no_enrollments_wanted_are_none_found(engine: Engine) -> None:
    with writing(engine) as connection:
        assert attempts.ensure_enrollments(connection, [], NOW) == {}


def test_threads_that_race_for_a_new_enrollment_get_the_same_row(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)

    def ensure(number: int) -> tuple[int, str]:
        learners = ("u1", "u2") if number % 2 else ("u2", "u1")
        wanted = [new_enrollment(lms_id, learner, registration=uid(number, learner)) for learner in learners]
        with writing(engine) as connection:
            row = attempts.ensure_enrollments(connection, wanted, NOW)[lms_id, "u1", "235", "12"]
            return row.id, row.registration

    assert len(set(at_once(8, ensure))) == 1
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(enrollment)).scalar_one() == 2


def test_an_enrollment_that_was_waited_for_is_read_as_its_last_holder_left_it(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)

    def count(_number: int) -> None:
        for _ in range(5):
            with writing(engine) as connection:
                row = add_enrollment(connection, lms_id)
                row.total_attempts += 1
                row.changed = True
                save(connection, row)

    at_once(6, count)
    with reading(engine) as connection:
        (row,) = attempts.load_enrollments(connection, enrollment.c.lms_id == lms_id, 9)

    assert row.total_attempts == 30


@pytest.mark.parametrize("locked_by", ["session", "key"])
def test_whoever_holds_an_enrollment_is_alone_with_it(postgresql_url: str, locked_by: str) -> None:
    """On SQLite the transaction is the lock; on PostgreSQL the row is."""
    engine = open_engine(postgresql_url)
    with writing(engine) as connection:
        held, free = launched(connection, "u1"), launched(connection, "u2")
    owner = held.attempt.enrollment
    with writing(engine) as holder:
        if locked_by == "session":
            attempts.lock(holder, (), [held.session_id, uid("unknown")])
        else:
            attempts.ensure_enrollments(holder, [new_enrollment(owner.lms_id)], NOW)
        with writing(engine) as other:
            other.exec_driver_sql("SET LOCAL lock_timeout TO '50ms'")
            attempts.lock(other, (), [free.session_id])
            assert attempts.load_sessions(other, [held.session_id])
            with pytest.raises(OperationalError, match="lock timeout"):
                attempts.lock(other, (), [held.session_id])
    engine.dispose()


def test_no_sessions_are_locked_without_harm(engine: Engine) -> None:
    with writing(engine) as connection, does_not_raise():
        attempts.lock(connection, (), [])
        attempts.lock(connection, (), [uid("unknown")])


def test_sessions_of_one_attempt_share_the_object(engine: Engine) -> None:
    with writing(engine) as connection:
        first = launched(connection)
        second = add_session(connection, first.attempt, "s2")
        third = add_session(connection, add_attempt(connection, first.attempt.enrollment, 2), "s3")
        other = launched(connection, "u2")
    wanted = [session.session_id for session in (first, second, third, other)]
    with reading(engine) as connection:
        sessions = attempts.load_sessions(connection, [*wanted, uid("unknown")])

    assert sessions.keys() == set(wanted)
    assert sessions[first.session_id].attempt is sessions[second.session_id].attempt
    assert sessions[third.session_id].attempt is not sessions[first.session_id].attempt
    assert sessions[third.session_id].attempt.enrollment is sessions[first.session_id].attempt.enrollment
    assert sessions[other.session_id].attempt.enrollment.learner_id == "u2"


def test_no_sessions_asked_for_are_none_found(engine: Engine) -> None:
    with reading(engine) as connection:
        assert attempts.load_sessions(connection, []) == {}
        assert attempts.load_sessions(connection, [uid("unknown")]) == {}


def test_what_is_created_is_what_is_loaded(engine: Engine) -> None:
    with writing(engine) as connection:
        created = launched(connection)
    loaded = _load(engine, created.session_id)

    assert loaded == created
    assert (loaded.commits, loaded.ended, loaded.attempt.status, loaded.attempt.total_time) == (0, None, "active", 0)
    assert loaded.attempt.enrollment.total_attempts == 1


def test_a_new_attempt_is_counted_by_its_enrollment_which_is_to_be_saved(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = add_enrollment(connection, add_lms(connection))
        assert (owner.total_attempts, owner.changed) == (0, False)
        add_attempt(connection, owner, 3)
        assert (owner.total_attempts, owner.changed) == (1, True)


def test_every_column_that_may_change_is_saved_and_read_back(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        owner, attempt = session.attempt.enrollment, session.attempt
        for row in (owner, attempt, session):
            for name, value in _new_values(row).items():
                setattr(row, name, value)
            row.changed = True
        save(connection, owner, attempt, session)

    assert _load(engine, session.session_id) == session


def test_a_new_attempt_and_session_are_stored_with_every_column(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
        (own_id,) = attempts.new_attempt_ids(connection, 1)
        attempt = Attempt(own_id, uid("a"), owner, 2, None, "active", "", NOW, new=True)
        session = Session(uid("s"), attempt, "resume", "", NOW, new=True)
        for row in (attempt, session):
            for name, value in _new_values(row).items():
                setattr(row, name, value)
        save(connection, owner, attempt, session)

    assert _load(engine, session.session_id) == session


def test_attempts_to_come_get_ids_that_none_has(engine: Engine) -> None:
    with writing(engine) as connection:
        stored = launched(connection).attempt
        ids = attempts.new_attempt_ids(connection, 3)

    assert len({*ids, stored.id}) == 4


def test_every_save_of_an_enrollment_counts_its_version_up(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
        before = owner.version
        for _ in range(2):
            owner.changed = True
            save(connection, owner)
        assert attempts.lock(connection, [owner.id], []) == {owner.id: before + 2}


def test_a_value_that_is_taken_away_is_saved_as_none(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        session.attempt.score_scaled, session.attempt.changed = 0.1 + 0.2, True
        save(connection, session.attempt)
    assert _load(engine, session.session_id).attempt.score_scaled == 0.1 + 0.2
    with writing(engine) as connection:
        session.attempt.score_scaled = None
        save(connection, session.attempt)
    assert _load(engine, session.session_id).attempt.score_scaled is None


def test_a_long_state_of_any_characters_comes_back_as_it_was(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        session.state = session.attempt.state = LONG
        session.changed = session.attempt.changed = True
        save(connection, session.attempt, session)
    loaded = _load(engine, session.session_id)

    assert loaded.state == loaded.attempt.state == LONG


def test_saving_leaves_other_rows_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        session, other = launched(connection), launched(connection, "u2")
        for row in (session, session.attempt, session.attempt.enrollment):
            row.last_commit_at, row.changed = NOW + 5, True
        save(connection, session.attempt.enrollment, session.attempt, session)

    assert _load(engine, other.session_id) == other


def test_what_was_noted_is_stored_as_it_was_then(engine: Engine) -> None:
    with writing(engine) as connection:
        session = launched(connection)
        changed = ChangeSet()
        session.last_commit_at = NOW + 5
        changed.session(session)
        session.last_commit_at = NOW + 9
        write(connection, changed.writes())

    assert _load(engine, session.session_id).last_commit_at == NOW + 5


def test_the_latest_attempt_is_the_one_with_the_highest_number(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
        add_attempt(connection, owner, 10)
        add_attempt(connection, owner, 9)
        other = launched(connection, "u2").attempt.enrollment
        without = add_enrollment(connection, owner.lms_id, "u3")
        latest = attempts.latest_attempts(connection, [owner, other, without])

    assert {key: attempt.number for key, attempt in latest.items()} == {owner.id: 10, other.id: 1}
    assert latest[owner.id].enrollment is owner


def test_no_enrollments_have_no_latest_attempts(engine: Engine) -> None:
    with reading(engine) as connection:
        assert attempts.latest_attempts(connection, []) == {}


def test_an_attempt_is_found_by_its_number(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
        second = add_attempt(connection, owner, 2)
        launched(connection, "u2")
        assert attempts.numbered_attempt(connection, owner, 2) == second
        assert attempts.numbered_attempt(connection, owner, 3) is None


def test_attempts_come_in_the_order_of_their_numbers(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt.enrollment
        for number in (3, 2, 11):
            add_attempt(connection, owner, number)
        loaded = attempts.load_attempts(connection, owner)

    assert [attempt.number for attempt in loaded] == [1, 2, 3, 11]
    assert all(attempt.enrollment is owner for attempt in loaded)


def test_sessions_come_in_the_order_they_began(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = launched(connection).attempt
        for name, later in (("late", 20), ("early", -20), ("middle", 10)):
            add_session(connection, owner, name, NOW + later)
        loaded = attempts.load_attempt_sessions(connection, owner)

    assert [session.started_at - NOW for session in loaded] == [-20, 0, 10, 20]
    assert all(session.attempt is owner for session in loaded)


def test_the_open_session_is_the_one_that_began_last_and_has_not_ended(engine: Engine) -> None:
    with writing(engine) as connection:
        first = launched(connection)
        second = add_session(connection, first.attempt, "s2", NOW + 1)
        third = add_session(connection, first.attempt, "s3", NOW + 2)
        third.ended, third.ended_at, third.changed = "suspended", NOW + 3, True
        save(connection, third)
        assert attempts.open_session(connection, first.attempt, SessionSource.SERVER) == second
        for session in (first, second):
            session.ended, session.changed = "terminated", True
        save(connection, first, second)
        assert attempts.open_session(connection, first.attempt, SessionSource.SERVER) is None


def _load_in(connection: Connection, session_id: str) -> Session:
    return attempts.load_sessions(connection, [session_id])[session_id]
