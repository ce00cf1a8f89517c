"""A database with the names of before revision 0017 has every row, and equal states, under those of after it."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from alembic import command
from sqlalchemy import Connection, Engine, text

from mappings.attempt.enrollment import EnrollmentState
from mappings.attempt.launch import LaunchData
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import Snapshot
from storage import migrations
from storage.engine import reading, writing
from storage.migrations import migrate
from tests.storage.builders import uid

ATTEMPT = AttemptState(
    snapshot=Snapshot(
        scorm_version="2004",
        score_raw=0.1,
        location="Straße",
        interactions={"0": msgspec.Raw(b'{"id":"spoke","result":"1.50"}')},
    ),
    sessions=3,
    latest_active_session=2,
    commits=9,
    idle_ends=2,
    completion_by_threshold=True,
    success_by_passing_score=True,
    score_pending_session=2,
    last_emitted_score=Score(raw=1.0),
    emitted_interactions={"0": msgspec.Raw(b'{"told":null}')},
    firing_counts={"told": 1, "answered\n0": 2},
)
OLD_ATTEMPT = (
    '{"snapshot":{"scorm_version":"2004","score_raw":0.1,"location":"Straße",'
    '"interactions":{"0":{"id":"spoke","result":"1.50"}}},"sessions":3,"spoke":2,"commits":9,"closed":2,'
    '"completion_by_mark":true,"success_by_mark":true,"writing":2,"told":{"raw":1.0},'
    '"answers":{"0":{"told":null}},"fired":{"told":1,"answered\\n0":2}}'
)
SESSION = SessionState(
    number=2,
    history_length_at_open=4,
    idle_end_positions=(5, 8),
    launch=LaunchData(scorm_version="2004", mastery_score=80.0),
    overlap_positions=(8,),
    end_revision=1,
    cannot_signal_end=True,
    highest_sequence=7,
    reports_total_time=True,
    seen_without_total_time=True,
    max_interactions=3,
    own_interactions=("0", "1"),
    asserted_fields=9,
    last_sequence_by_field={"location": 4},
    end_commit_fields=("exit",),
    prior_total_time=11,
    total_time_baseline=12,
    client_session_time=13,
    earlier_client_time=14,
    time_spent=15,
    emitted_time=16,
    fired_rules=("begun",),
)
OLD_SESSION = (
    '{"number":2,"opened":4,"closed":[5,8],"launch":{"scorm_version":"2004","mastery_score":80.0},"overlapped":[8],'
    '"phase":1,"knows_no_end":true,"highest":7,"tells_total_time":true,"hid_total_time":true,"interactions":3,'
    '"begun":["0","1"],"asserted":9,"last_said":{"location":4},"said_at_end":["exit"],"known_total":11,'
    '"total_base":12,"counter":13,"carried":14,"spent":15,"reported_time":16,"fired":["begun"]}'
)
MANY = 1_203
"""Attempts and sessions: more than two batches."""

ROWS = {
    "lms": ("id, name, home_page, origins, created_at", "1, 'lms', 'https://lms.example.org', '[]', 1"),
    "mapping_version": ("id, name, content_hash, document, created_at", "1, 'm', 'hash', '[text]', 2"),
    "lease": ("name, owner, until", f"'lrs', '{uid('process')}', 3"),
    "act": ("at, by, verb, subject, number, reason", "4, 'ada', 'retry', 'lrs', 12, 'why'"),
    "account": ("id, name, role, sees_names, created_at", "1, 'ada', 'admin', true, 5"),
    "sign_in": ("digest, account_id, made_at, until", "'d', 1, 6, 7"),
    "sign_in_failure": ("subject, number, newest_at, until", "'s', 3, 8, 9"),
    '"try"': ("id, target, started_at, took, outcome, status, answer", "1, 'lrs', 10, 11, 'delivered', 200, '[]'"),
}
"""Table -> old columns and values."""

NEW_ROWS = {
    "mapping_version": ("definition", ("[text]",)),
    "lease": ("expires_at", (3,)),
    "audit_log": ('id, at, "by", action, subject, affected, reason', (1, 4, "ada", "retry", "lrs", 12, "why")),
    "sign_in": ("created_at, expires_at", (6, 7)),
    "sign_in_failure": ("failures, last_failed_at, blocked_until", (3, 8, 9)),
    '"try"': ("duration_ms", (11,)),
    "journal": ("request_metadata, response", ('{"k":1}', '{"r":2}')),
    "statement": ("created_at", (20,)),
    "document_delivery": ("min_interval_ms", (10_000,)),
}


@pytest.fixture
def old_engine(fresh_engine: Engine) -> Engine:
    """A database of revision 0014 with rows in every table that 0017 changes."""
    migrations._run(fresh_engine, partial(command.upgrade, revision="0014"))
    with writing(fresh_engine) as connection:
        _fill(connection)
    return fresh_engine


def test_every_row_and_state_is_kept_under_the_new_names(old_engine: Engine) -> None:
    migrate(old_engine)

    with reading(old_engine) as connection:
        for table, (columns, values) in NEW_ROWS.items():
            assert [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {table}"))] == [values], table
        attempts, sessions, enrollments = _states(connection)

    assert [len(attempts), len(sessions), len(enrollments)] == [MANY + 1, MANY + 1, MANY + 1]
    assert attempts.pop(0) == sessions.pop() == "{}"
    assert {msgspec.json.encode(msgspec.json.decode(state, type=AttemptState)) for state in attempts} == {
        msgspec.json.encode(ATTEMPT)
    }
    assert [msgspec.json.decode(state, type=SessionState) for state in sessions] == [SESSION] * MANY
    assert not enrollments.pop(0)
    assert set(enrollments) == {msgspec.json.encode(EnrollmentState(("begun",))).decode()}


def test_new_ids_follow_those_of_the_renamed_table(old_engine: Engine) -> None:
    migrate(old_engine)
    with writing(old_engine) as connection:
        connection.execute(
            text(
                'INSERT INTO audit_log (at, "by", action, subject, affected, reason)'
                " VALUES (1, 'bob', 'pause', 'lrs', 1, '')"
            )
        )
        assert connection.execute(text("SELECT id FROM audit_log ORDER BY id")).scalars().all() == [1, 2]


def test_the_old_names_come_back_with_the_same_states(old_engine: Engine) -> None:
    with reading(old_engine) as connection:
        before = _states(connection)
    migrate(old_engine)
    with reading(old_engine) as connection:
        assert _states(connection) != before

    migrations._run(old_engine, partial(command.downgrade, revision="0014"))

    with reading(old_engine) as connection:
        assert _states(connection) == before
        for table, (columns, _) in ROWS.items():
            assert connection.execute(text(f"SELECT {_quoted(columns)} FROM {table}")).one()


def _states(connection: Connection) -> list[list[str]]:
    return [
        list(connection.execute(text(f"SELECT state FROM {table} ORDER BY {key}")).scalars())
        for table, key in (("attempt", "id"), ("session", "session_id"), ("enrollment", "id"))
    ]


def _quoted(columns: str) -> str:
    return ", ".join(f'"{name}"' for name in columns.split(", "))


def _fill(connection: Connection) -> None:
    for table, (columns, values) in ROWS.items():
        connection.execute(text(f"INSERT INTO {table} ({_quoted(columns)}) VALUES ({values})"))
    numbers = range(1, MANY + 2)
    connection.execute(
        text(
            "INSERT INTO enrollment (id, registration, lms_id, learner_id, learner_name, activity_id, activity_name,"
            " activity_type, course_id, course_name, total_attempts, total_time, created_at, state)"
            " VALUES (:id, :registration, 1, :learner, 'Ada', '235', '', '', '', '', 1, 0, 1, :state)"
        ),
        [
            {
                "id": number,
                "registration": uid("enrollment", number),
                "learner": f"u{number}",
                "state": None if number == 1 else '{"fired":["begun"]}',
            }
            for number in numbers
        ],
    )
    connection.execute(
        text(
            "INSERT INTO attempt (id, uuid, enrollment_id, number, status, total_time, started_at, state)"
            " VALUES (:id, :uuid, :id, 1, 'active', 0, 1, :state)"
        ),
        [
            {"id": number, "uuid": uid("attempt", number), "state": "{}" if number == 1 else OLD_ATTEMPT}
            for number in numbers
        ],
    )
    session_ids = sorted(uid("session", number) for number in numbers)
    connection.execute(
        text(
            "INSERT INTO session (session_id, attempt_id, entry, commits, started_at, state)"
            " VALUES (:session_id, :attempt_id, 'ab-initio', 1, 1, :state)"
        ),
        [
            {
                "session_id": session_id,
                "attempt_id": number,
                "state": "{}" if session_id == session_ids[-1] else OLD_SESSION,
            }
            for number, session_id in zip(numbers, session_ids, strict=True)
        ],
    )
    connection.execute(
        text(
            "INSERT INTO journal (session_id, number, received_at, wire_format, content_type, disposition, digest,"
            " reply, beside, mapping_version_id)"
            " VALUES (:session_id, 1, 1, 'native', 'application/json', 'applied', 'd', :reply, :beside, 1)"
        ),
        {"session_id": session_ids[0], "reply": '{"r":2}', "beside": '{"k":1}'},
    )
    connection.execute(
        text(
            "INSERT INTO statement (attempt_id, position, id, session_id, commit_number, mapping_version_id, rule,"
            " verb, made_at, body) VALUES (1, 0, :id, :session_id, 1, 1, 'completed', 'v', 20, '{}')"
        ),
        {"id": uid("statement"), "session_id": session_ids[0]},
    )
    connection.execute(
        text(
            "INSERT INTO document (id, name, resource, parameters, content_type, content, attempt_id, session_id,"
            " commit_number, mapping_version_id, changed_at)"
            " VALUES (:id, 'n', 'activities/state', '{}', 'text/plain', :content, 1, :session_id, 1, 1, 1)"
        ),
        {"id": uid("document"), "content": b"x", "session_id": session_ids[0]},
    )
    connection.execute(
        text(
            "INSERT INTO document_delivery (document_id, target, state, changes, every, tries, not_before)"
            " VALUES (:id, 'lrs', 'waiting', 1, 10000, 0, 0)"
        ),
        {"id": uid("document")},
    )
