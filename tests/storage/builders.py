"""Rows to put in the tables, with everything that a test does not care about filled in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from storage import attempts, journal, leases, lms, mapping_versions, outbox
from storage.attempts import Attempt, Enrollment, Session
from storage.change_set import ChangeSet
from storage.documents import DocumentRow, DocumentUpdate
from storage.journal import JournalEntry
from storage.new_enrollments import NewEnrollment
from storage.outbox import Settlement, ShardLease, StatementRow, Try
from storage.prepared import write

NOW = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


def uid(*parts: object) -> str:
    """Make a UUID that is the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, parts))))


def whole(target: str = "lrs") -> ShardLease:
    """Make the part that is all of a target."""
    return ShardLease(target, target, uid("process"))


def hold(connection: Connection, targets: Sequence[str]) -> None:
    """Let this test's process hold the leases of targets, for a day."""
    leases.share_out(connection, owner=whole().owner, names=targets, lasts=86_400_000)


def add_lms(connection: Connection, name: str = "lms") -> int:
    """Store an LMS and return its id."""
    return lms.register(
        connection,
        name=name,
        home_page=f"https://{name}.example.org",
        origins=(),
        now=NOW,
    ).id


def new_enrollment(lms_id: int, learner: str = "u1", activity: str = "235", **changed: Any) -> NewEnrollment:
    """Make what an enrollment is created from."""
    values = {
        "registration": uid(lms_id, learner, activity),
        "learner_name": "Ada",
        "activity_name": "Safety",
        "activity_type": "",
        "course_id": "12",
        "course_name": "Welcome",
        "digest": "",
    }
    return NewEnrollment(lms_id, learner, activity, **(values | changed))


def add_enrollment(connection: Connection, lms_id: int, learner: str = "u1", activity: str = "235") -> Enrollment:
    """Store an enrollment."""
    new = new_enrollment(lms_id, learner, activity)
    return attempts.ensure_enrollments(connection, [new], NOW)[new.key]


def add_attempt(connection: Connection, owner: Enrollment, number: int = 1, **changed: Any) -> Attempt:
    """Store an attempt."""
    (own_id,) = attempts.new_attempt_ids(connection, 1)
    values = {"uuid": uid("attempt", owner.id, number), "scorm_version": "1.2", "status": "active"} | changed
    row = Attempt(own_id, enrollment=owner, number=number, state="{}", started_at=NOW, new=True, **values)
    owner.total_attempts += 1
    owner.changed = True
    save(connection, row)
    row.new = False
    return row


def add_session(connection: Connection, owner: Attempt, name: str = "s1", now: int = NOW, **changed: Any) -> Session:
    """Store a session, whose id is made of a name."""
    values = {"session_id": uid(owner.uuid, name), "entry": "ab-initio"} | changed
    row = Session(attempt=owner, state="{}", started_at=now, new=True, **values)
    save(connection, row)
    row.new = False
    return row


def save(connection: Connection, *rows: Enrollment | Attempt | Session) -> None:
    """Store rows as they are now."""
    changed = ChangeSet()
    for row in rows:
        if isinstance(row, Enrollment):
            changed.enrollment(row)
        elif isinstance(row, Attempt):
            changed.attempt(row)
        else:
            changed.session(row)
    write(connection, changed.writes())


def append(connection: Connection, entries: Sequence[JournalEntry]) -> None:
    """Store commits."""
    write(connection, [journal.appending(connection, entries)])


def add(connection: Connection, rows: Sequence[StatementRow], targets: Callable[[StatementRow], Sequence[str]]) -> None:
    """Store statements and their deliveries."""
    write(connection, outbox.adding(connection, rows, targets))


def launched(connection: Connection, learner: str = "u1", lms_id: int | None = None) -> Session:
    """Store all that comes before a learner's first commit: LMS, enrollment, attempt and session."""
    owner = add_enrollment(connection, lms_id or add_lms(connection, f"lms-of-{learner}"), learner)
    session = add_session(connection, add_attempt(connection, owner))
    save(connection, owner)
    return session


def entry(session: Session, number: int = 1, **changed: Any) -> JournalEntry:
    """Make a row of the journal."""
    row = JournalEntry(
        session_id=session.session_id,
        number=number,
        received_at=NOW + number,
        wire_format="native",
        content_type="application/json",
        disposition="applied",
        duplicate_of=None,
        digest=f"{number:064x}",
        sequence=None,
        idempotency_key=None,
        response="{}",
        body=b"{}",
        request_metadata=None,
        mapping_version_id=1,
    )
    return row._replace(**changed)


def statements(connection: Connection, session: Session, bodies: Sequence[str], first: int = 0) -> list[StatementRow]:
    """Make statements of a session's first commit, which is stored if it is not there yet."""
    if not journal.earlier(connection, session.session_id, digest=f"{1:064x}", sequence=None, idempotency_key=None):
        append(connection, [entry(session)])
    version = mapping_versions.ensure(connection, name="m", content_hash="0" * 64, definition="", now=NOW)
    return [
        StatementRow(
            session.attempt.id,
            position,
            uid(session.attempt.uuid, position),
            session.session_id,
            1,
            version,
            "completed",
            "http://adlnet.gov/expapi/verbs/completed",
            NOW,
            None,
            body,
        )
        for position, body in enumerate(bodies, first)
    ]


def to(*targets: str) -> Callable[[StatementRow], Sequence[str]]:
    """Say that these targets get all statements."""
    return lambda _row: targets


def by_rule(targets: Mapping[str, Sequence[str]]) -> Callable[[StatementRow], Sequence[str]]:
    """Say which targets get the statements of each rule."""
    return lambda row: targets[row.rule]


def by_name(targets: Mapping[str, Sequence[str]]) -> Callable[[DocumentRow], Sequence[str]]:
    """Say which targets get each document, by its name."""
    return lambda row: targets[row.name]


def queue(connection: Connection, session: Session, count: int, targets: Sequence[str] = ("lrs",)) -> list[str]:
    """Put so many statements of a session in the outbox, and return their ids."""
    rows = statements(connection, session, [f'{{"n":{number}}}' for number in range(count)])
    add(connection, rows, to(*(targets or [outbox.UNASSIGNED])))
    return [row.id for row in rows]


def tried(connection: Connection, ids: Iterable[int], state: str, *, not_before: int = 0, **changed: Any) -> None:
    """Settle deliveries as one try of them would."""
    done = Try("lrs", NOW, 5, "delivered" if state == "delivered" else "retry", 200, "[]")._replace(**changed)
    settled_at = None if state == "waiting" else NOW
    outbox.settle(connection, [Settlement(done, list(ids), state, not_before, settled_at)])


def stored(connection: Connection, session: Session, content: bytes = b'{"n":1}', **changed: Any) -> DocumentUpdate:
    """Make a document of a session's first commit, which is stored if it is not there yet; its name is also its place.

    `min_interval_ms` is 0 unless given.
    """
    if not journal.earlier(connection, session.session_id, digest=f"{1:064x}", sequence=None, idempotency_key=None):
        append(connection, [entry(session)])
    values: dict[str, Any] = {
        "name": "attempt-state",
        "resource": "activities/state",
        "parameters": '{"stateId":"x"}',
        "content_type": "application/json",
        "content": content,
        "attempt_id": session.attempt.id,
        "session_id": session.session_id,
        "commit_number": 1,
        "mapping_version_id": mapping_versions.ensure(
            connection, name="m", content_hash="0" * 64, definition="", now=NOW
        ),
        "changed_at": NOW,
    }
    min_interval_ms = changed.pop("min_interval_ms", 0)
    values |= changed
    return DocumentUpdate(DocumentRow(values.pop("id", uid("document", values["name"])), **values), min_interval_ms)
