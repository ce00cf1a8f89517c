"""What people and the API ask of the storage."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from storage import attempts, documents, outbox
from storage.documents import DocumentSettlement, DocumentUpdate
from storage.engine import reading, writing
from storage.outbox import Try
from storage.queries import lookups
from storage.queries.lookups import DeliveryLine, DocumentLine
from tests.storage.builders import (
    NOW,
    add,
    add_attempt,
    add_enrollment,
    add_lms,
    add_session,
    append,
    by_name,
    entry,
    launched,
    queue,
    save,
    statements,
    stored,
    to,
    tried,
    uid,
    whole,
)


def test_enrollments_are_found_by_what_is_asked_for(engine: Engine) -> None:
    with writing(engine) as connection:
        one, two = add_lms(connection, "one"), add_lms(connection, "two")
        for lms_id in (one, two):
            for learner in ("u1", "u2"):
                for activity in ("235", "236"):
                    add_enrollment(connection, lms_id, learner, activity)

        def keys(**conditions: Any) -> list[tuple[int, str, str]]:
            rows = lookups.enrollments(connection, **conditions)
            return [(row.lms_id, row.learner_id, row.activity_id) for row in rows]

        assert len(keys()) == 8
        assert keys(lms_id=two, learner_id="u2") == [(two, "u2", "235"), (two, "u2", "236")]
        assert keys(learner_id="u1", activity_id="235") == [(one, "u1", "235"), (two, "u1", "235")]
        assert keys(lms_id=one, learner_id="u1", activity_id="236") == [(one, "u1", "236")]
        assert keys(learner_id="U1") == []
        assert keys(learner_id="") == []


def test_enrollments_come_page_by_page_without_gap_or_repetition(engine: Engine) -> None:
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        ids = [add_enrollment(connection, lms_id, f"u{number}").id for number in range(7)]
        pages, after = [], 0
        while page := lookups.enrollments(connection, lms_id=lms_id, after=after, limit=3):
            pages.append([row.id for row in page])
            after = page[-1].id

    assert pages == [ids[:3], ids[3:6], ids[6:]]


def test_the_newest_enrollments_are_those_last_active_and_the_never_active_come_last(engine: Engine) -> None:
    """A session may have been opened without a commit so far; databases differ in where they sort what is null."""
    with writing(engine) as connection:
        lms_id = add_lms(connection)
        for learner, last in (("u1", 10), ("u2", None), ("u3", 30), ("u4", 20), ("u5", 30)):
            row = add_enrollment(connection, lms_id, learner)
            row.last_commit_at, row.changed = last, True
            save(connection, row)
        add_enrollment(connection, add_lms(connection, "other"), "u9")
        newest = [row.learner_id for row in lookups.newest_enrollments(connection, lms_id, 9)]
        assert newest == ["u5", "u3", "u4", "u1", "u2"]
        assert [row.learner_id for row in lookups.newest_enrollments(connection, lms_id, 2)] == ["u5", "u3"]
        assert lookups.newest_enrollments(connection, lms_id + 99, 9) == []


def test_a_session_is_found_with_its_attempt_and_enrollment(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
    with reading(engine) as connection:
        assert lookups.find_session(connection, its.session_id) == its
        assert lookups.find_session(connection, uid("unknown")) is None


def test_an_attempt_is_found_with_its_enrollment(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        add_attempt(connection, its.attempt.enrollment, 2)
    with reading(engine) as connection:
        attempt = lookups.find_attempt(connection, its.attempt.uuid)
        assert attempt is not None
        assert (attempt.id, attempt.enrollment.id) == (its.attempt.id, its.attempt.enrollment.id)
        assert lookups.find_attempt(connection, uid("unknown")) is None


def test_a_report_holds_all_there_is_to_an_attempt_in_its_order(engine: Engine) -> None:
    with writing(engine) as connection:
        first = launched(connection)
        second = add_session(connection, first.attempt, "s2", NOW + 50)
        other = launched(connection, "u2")
        queue(connection, other, 1)
        queue(connection, first, 2, ["lrs", "mirror"])
        repeated = entry(first, 2, disposition="duplicate", duplicate_of=1, response=None, body=None)
        append(connection, [repeated, entry(second, 1, received_at=NOW + 60, sequence=4)])
        owner = first.attempt.enrollment
        add_attempt(connection, owner, 2)
    with reading(engine) as connection:
        one, two = lookups.reports(connection, owner)
        assert lookups.report(connection, one.attempt) == one
    assert (one.attempt.number, two.attempt.number) == (1, 2)
    assert (two.sessions, two.commits, two.statements, two.documents) == ([], [], [], [])
    assert [row.session_id for row in one.sessions] == [first.session_id, second.session_id]
    assert [(row.session_id, row.number, row.disposition, row.duplicate_of, row.sequence) for row in one.commits] == [
        (first.session_id, 1, "applied", None, None),
        (first.session_id, 2, "duplicate", 1, None),
        (second.session_id, 1, "applied", None, 4),
    ]
    assert [(row.position, row.body, row.commit_number) for row in one.statements] == [
        (0, '{"n":0}', 1),
        (1, '{"n":1}', 1),
    ]
    waiting = [DeliveryLine("lrs", "waiting", 0, None), DeliveryLine("mirror", "waiting", 0, None)]
    assert [row.deliveries for row in one.statements] == [waiting, waiting]


def test_a_report_tells_what_the_lrs_said_last(engine: Engine) -> None:
    with writing(engine) as connection:
        its = launched(connection)
        queue(connection, its, 2)
        first, second = (row.id for row in outbox.claim(connection, whole(), now=NOW, limit=9, most_bytes=999).claimed)
        tried(connection, [first, second], "waiting", status=503, answer="down")
        tried(connection, [second], "dead", status=400, answer="actor: is missing")
        tried(connection, [first], "waiting", status=None, answer="ClientOSError: cut")
    with reading(engine) as connection:
        (report,) = lookups.reports(connection, its.attempt.enrollment)

    assert [row.deliveries for row in report.statements] == [
        [DeliveryLine("lrs", "waiting", 2, None, None, "ClientOSError: cut")],
        [DeliveryLine("lrs", "dead", 2, NOW, 400, "actor: is missing")],
    ]


def test_a_report_holds_the_documents_that_the_attempt_changed_last_and_where_they_are(engine: Engine) -> None:
    with writing(engine) as connection:
        its, other = launched(connection), launched(connection, "u2")
        state, profile = stored(connection, its), stored(connection, its, name="activity-profile", min_interval_ms=9)
        readers = dict.fromkeys(("attempt-state", "activity-profile"), ("lrs", "mirror"))
        documents.store(connection, [state, profile], by_name(readers))
        for target, status, answer, outcome in (
            ("lrs", 503, "down", "waiting"),
            ("lrs", 400, "agent: is wrong", "dead"),
            ("mirror", None, "ClientOSError: cut", "waiting"),
        ):
            (claimed,) = (
                document
                for document in documents.claim(connection, whole(target), now=NOW, limit=9)
                if document.id == state.row.id
            )
            done = Try(target, NOW, 5, outcome, status, answer)
            documents.settle(connection, [DocumentSettlement(done, claimed, outcome, NOW, NOW)])
    with reading(engine) as connection:
        report, of_other = (
            report for owner in (its, other) for report in lookups.reports(connection, owner.attempt.enrollment)
        )
    assert of_other.documents == []
    assert report.documents == [
        _line(profile, DeliveryLine("lrs", "waiting", 0, None), DeliveryLine("mirror", "waiting", 0, None)),
        _line(
            state,
            DeliveryLine("lrs", "dead", 2, NOW, 400, "agent: is wrong"),
            DeliveryLine("mirror", "waiting", 1, None, None, "ClientOSError: cut"),
        ),
    ]
    with writing(engine) as connection:
        newer = stored(connection, other, b'{"n":2}', name="activity-profile")
        documents.store(connection, [newer], by_name(readers))
    with reading(engine) as connection:
        report, of_other = (
            report for owner in (its, other) for report in lookups.reports(connection, owner.attempt.enrollment)
        )
    assert [document.name for document in report.documents] == ["attempt-state"]
    assert [(document.name, document.content) for document in of_other.documents] == [("activity-profile", b'{"n":2}')]


def _line(update: DocumentUpdate, *deliveries: DeliveryLine) -> DocumentLine:
    names = [name for name in DocumentLine.__slots__ if name not in {"deliveries", "size"}]
    return DocumentLine(**{name: getattr(update.row, name) for name in names}, deliveries=list(deliveries))


@pytest.mark.parametrize("count", [0, 1])
def test_a_report_is_not_torn_by_a_statement_that_is_stored_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Statements and deliveries are two questions; a delivery of a statement that the first did not see is no error."""
    with writing(engine) as connection:
        its = launched(connection)
        queue(connection, its, count)
    load = attempts.load_attempt_sessions

    def load_and_be_late(connection: Connection, owner: Any) -> Any:
        loaded = load(connection, owner)
        with writing(engine) as other:
            add(other, statements(other, its, ["{}"], count), to("lrs"))
        return loaded

    with reading(engine) as connection:
        connection.execute(text("SELECT count(*) FROM delivery"))
        monkeypatch.setattr(attempts, "load_attempt_sessions", load_and_be_late)
        (report,) = lookups.reports(connection, its.attempt.enrollment)

    assert len(report.statements) == count
    assert all(len(row.deliveries) == 1 for row in report.statements)
