"""The journal read enrollment by enrollment."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from storage import journal, journal_replay
from storage.engine import reading, writing
from storage.journal_replay import JournalSpan
from tests.storage.builders import (
    NOW,
    add,
    add_attempt,
    add_enrollment,
    add_lms,
    add_session,
    append,
    entry,
    save,
    statements,
    to,
)


def _play(connection: Connection, lms_id: int, learner: str, at: int = NOW) -> Any:
    """Store an enrollment with two attempts whose sessions' commits come in turns; the third one is a repetition."""
    owner = add_enrollment(connection, lms_id, learner)
    sessions = [add_session(connection, add_attempt(connection, owner, number)) for number in (1, 2)]
    for number in (1, 2):
        append(
            connection,
            [entry(session, number, received_at=at, body=f"{session.entry}{number}".encode()) for session in sessions],
        )
    append(connection, [entry(sessions[0], 3, received_at=at, body=None, response=None, duplicate_of=1)])
    owner.first_commit_at = owner.last_commit_at = at
    save(connection, owner)
    return owner, sessions


def test_commits_come_enrollment_by_enrollment_in_the_order_they_were_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        (one, first), (other, second) = _play(connection, lms_id, "u1"), _play(connection, lms_id, "u2")
    with reading(engine) as connection:
        rows = list(journal_replay.commits(connection, [one.id, other.id]))

    expected = [(one.id, its.session_id, number) for number in (1, 2) for its in first]
    expected += [(other.id, its.session_id, number) for number in (1, 2) for its in second]

    assert [(row.enrollment_id, str(row.session_id), row.number) for row in rows] == expected
    assert {bytes(row.body or b"") for row in rows} == {b"ab-initio1", b"ab-initio2"}


def test_a_history_has_all_attempts_and_sessions(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        one, sessions = _play(connection, lms_id, "u1")
        other, _ = _play(connection, lms_id, "u2")
    with reading(engine) as connection:
        histories = journal_replay.histories(connection, [other.id, one.id])

    assert [history.enrollment.id for history in histories] == [one.id, other.id]
    assert [its.number for its in histories[0].attempts] == [1, 2]
    assert {str(its.session_id) for its in histories[0].sessions} == {its.session_id for its in sessions}


def test_enrollments_of_a_span_are_given_a_page_at_a_time(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        ids = [_play(connection, lms_id, f"u{number}", NOW + number)[0].id for number in range(5)]
        add_enrollment(connection, lms_id, "never played")
    with reading(engine) as connection:
        for span, expected in (
            (JournalSpan(), ids),
            (JournalSpan(since=NOW + 2), ids[2:]),
            (JournalSpan(until=NOW + 2), ids[:2]),
            (JournalSpan(lms="lms", learner="u3", activity="235"), [ids[3]]),
            (JournalSpan(lms="another"), []),
            (JournalSpan(course="12"), ids),
            (JournalSpan(course=""), []),
        ):
            all_ids: list[int] = []
            after = 0
            while page := journal_replay.enrollment_ids(connection, span, after=after, limit=2):
                all_ids, after = all_ids + page, page[-1]
            assert all_ids == expected
            assert journal_replay.count(connection, span) == len(expected)


def test_statements_are_given_with_the_targets_they_went_to(engine: Engine) -> None:
    with writing(engine) as connection:
        owner, (session, _) = _play(connection, add_lms(connection), "u1")
        add(connection, statements(connection, session, ["{}"], 1), to("lrs", "mirror"))
        add(connection, statements(connection, session, ['{"n":2}'], 2), to())
    with reading(engine) as connection:
        by_enrollment = journal_replay.statements(connection, [owner.id])

    assert [(statement.position, statement.body, statement.targets) for statement in by_enrollment[owner.id]] == [
        (1, "{}", ("lrs", "mirror")),
        (2, '{"n":2}', ()),
    ]


def test_a_commit_s_line_says_what_became_of_it(engine: Engine) -> None:
    with writing(engine) as connection:
        _, (session, _) = _play(connection, add_lms(connection), "u1")
    with reading(engine) as connection:
        third = journal_replay.commit_line(connection, session.session_id, 3)
        assert third is not None
        assert (third.disposition, third.duplicate_of) == ("applied", 1)
        assert journal_replay.commit_line(connection, session.session_id, 4) is None
        assert journal.last_number(connection, session.session_id) == 2
