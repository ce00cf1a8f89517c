"""Small made-up databases: what is in them as plain rows, put into the tables, and shapes that Hypothesis fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, Table, insert

from storage.outbox import SHARDS
from storage.tables import (
    attempt,
    delivery,
    document,
    document_delivery,
    enrollment,
    journal,
    lms,
    mapping_version,
    session,
    statement,
)
from tests.storage.builders import NOW, uid

LEARNERS = {"u1": "Ada", "u12": "Adam", "u2": "ada", "U1": "Zoë", "u1\U0010ffff": "Ad\ud7ffa"}
ACTIVITIES = {"a": "c1", "b": "c1", "ab": "c2"}
STATUSES = ("active", "suspended", "terminated", "abandoned")
COMPLETIONS = (None, "unknown", "completed", "incomplete")
SUCCESSES = (None, "unknown", "passed", "failed")
RULES = ("scored", "passed")
TARGETS = ("lrs", "mirror", "")
STATES = ("waiting", "delivered", "dead", "quarantined", "discarded")
DOCUMENT_STATES = ("waiting", "delivered", "dead")


@dataclass
class Statement:
    """A statement of the attempt's session number `session`; `ways` is target -> state."""

    rule: str
    at: int
    session: int
    ways: dict[str, str]
    id: str = ""
    key: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Document:
    """A document of the attempt."""

    name: str
    ways: dict[str, str]
    id: str = ""


@dataclass
class Attempt:
    """An attempt with all that belongs to it. `at` is when its last commit came, None without one."""

    lms: str
    learner: str
    activity: str
    status: str
    completion: str | None
    success: str | None
    at: int | None
    open: list[bool]
    statements: list[Statement] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    id: int = 0
    uuid: str = ""
    registration: str = ""
    sessions: list[str] = field(default_factory=list)


@dataclass
class Enrollment:
    """An enrollment with its attempts."""

    id: int
    registration: str
    attempts: list[Attempt]

    @property
    def at(self) -> int | None:
        """Return when its last commit came."""
        return max((new_attempt.at for new_attempt in self.attempts if new_attempt.at is not None), default=None)


_TIMES = st.integers(NOW, NOW + 3)


def _ways(states: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(TARGETS), st.sampled_from(states), max_size=2)


_statements = st.builds(
    Statement, st.sampled_from(RULES), _TIMES, st.integers(0, 1), _ways(STATES), id=st.just(""), key=st.just((0, 0, 0))
)
_documents = st.builds(Document, st.sampled_from(("one", "other")), _ways(DOCUMENT_STATES), id=st.just(""))
attempts = st.lists(
    st.builds(
        Attempt,
        st.sampled_from(("lms1", "lms2")),
        st.sampled_from(sorted(LEARNERS)),
        st.sampled_from(sorted(ACTIVITIES)),
        st.sampled_from(STATUSES),
        st.sampled_from(COMPLETIONS),
        st.sampled_from(SUCCESSES),
        st.none() | _TIMES,
        st.lists(st.booleans(), min_size=1, max_size=2),
        st.lists(_statements, max_size=4),
        st.lists(_documents, max_size=2),
        id=st.just(0),
        uuid=st.just(""),
        registration=st.just(""),
        sessions=st.builds(list),
    ),
    max_size=7,
)


def store(connection: Connection, new_attempts: list[Attempt]) -> list[Enrollment]:
    """Put attempts into empty tables, and return the enrollments that they are of."""
    for number, name in enumerate(("lms1", "lms2"), 1):
        _insert(connection, lms, id=number, name=name, home_page="https://x", origins="[]", created_at=0)
    _insert(connection, mapping_version, id=1, name="m", content_hash="0" * 64, definition="", created_at=0)
    return add(connection, new_attempts)


def add(connection: Connection, new_attempts: list[Attempt], begins: int = 1) -> list[Enrollment]:
    """Add attempts of enrollments that are not there yet, with ids from a number on."""
    owners: dict[tuple[str, str, str], Enrollment] = {}
    for new_attempt in new_attempts:
        key = (
            new_attempt.lms,
            new_attempt.learner,
            new_attempt.activity if begins == 1 else f"{new_attempt.activity}{begins}",
        )
        registration = uid("enrollment", *key)
        owner = owners.setdefault(key, Enrollment(begins + len(owners), registration, []))
        owner.attempts.append(new_attempt)
        new_attempt.registration = owner.registration
    for key, owner in owners.items():
        last = owner.attempts[-1]
        _insert(
            connection, enrollment,
            id=owner.id, registration=owner.registration, lms_id=int(key[0][3]), learner_id=key[1],
            learner_name=LEARNERS[key[1]], activity_id=key[2], activity_name=key[2], activity_type="",
            course_id=ACTIVITIES.get(key[2], ""), course_name="", total_attempts=len(owner.attempts), total_time=0,
            created_at=0, completion_status=last.completion, success_status=last.success, last_commit_at=owner.at,
        )  # fmt: skip
        for number, new_attempt in enumerate(owner.attempts, 1):
            new_attempt.id = begins + next(at for at, each in enumerate(new_attempts) if each is new_attempt)
            _store_attempt(connection, new_attempt, owner.id, number)
    for new_attempt in new_attempts:  # as they come, so that deliveries are numbered in this order
        _store_statements(connection, new_attempt)
        _store_documents(connection, new_attempt)
    return list(owners.values())


def _insert(connection: Connection, table: Table, **values: Any) -> None:
    connection.execute(insert(table).values(values))


def _store_attempt(connection: Connection, new_attempt: Attempt, owner: int, number: int) -> None:
    new_attempt.uuid = uid("attempt", new_attempt.id)
    _insert(
        connection, attempt,
        id=new_attempt.id, uuid=new_attempt.uuid, enrollment_id=owner, number=number, status=new_attempt.status,
        completion_status=new_attempt.completion, success_status=new_attempt.success, total_time=0, started_at=NOW,
        last_commit_at=new_attempt.at, state="{}",
    )  # fmt: skip
    for at, is_open in enumerate(new_attempt.open):
        new_attempt.sessions.append(uid("session", new_attempt.id, at))
        _insert(
            connection, session,
            session_id=new_attempt.sessions[-1], attempt_id=new_attempt.id, entry="resume", commits=1,
            started_at=NOW + new_attempt.id % 3, ended=None if is_open else "terminated", state="{}",
        )  # fmt: skip
        _insert(
            connection, journal,
            session_id=new_attempt.sessions[-1], number=1, received_at=new_attempt.at or NOW, wire_format="native",
            content_type="application/json", disposition="applied", digest="0" * 64, response="{}", body=b"{}",
            mapping_version_id=1,
        )  # fmt: skip


def _store_statements(connection: Connection, new_attempt: Attempt) -> None:
    for position, new_statement in enumerate(new_attempt.statements):
        new_statement.id, new_statement.key = (
            uid("statement", new_attempt.id, position),
            (new_statement.at, new_attempt.id, position),
        )
        new_statement.session %= len(new_attempt.sessions)
        _insert(
            connection, statement,
            attempt_id=new_attempt.id, position=position, id=new_statement.id,
            session_id=new_attempt.sessions[new_statement.session], commit_number=1, mapping_version_id=1,
            rule=new_statement.rule, verb=f"http://verbs/{new_statement.rule}", created_at=new_statement.at, body="{}",
        )  # fmt: skip
        for target, state in new_statement.ways.items():
            _insert(
                connection, delivery,
                target=target, attempt_id=new_attempt.id, position=position, shard=new_attempt.id % SHARDS,
                state=state, tries=0, not_before=0,
            )  # fmt: skip


def _store_documents(connection: Connection, new_attempt: Attempt) -> None:
    for number, new_document in enumerate(new_attempt.documents):
        new_document.id = uid("document", new_attempt.id, number)
        _insert(
            connection, document,
            id=new_document.id, name=new_document.name, resource="activities/state", parameters="{}",
            content_type="application/json", content=b"{}", attempt_id=new_attempt.id,
            session_id=new_attempt.sessions[0], commit_number=1, mapping_version_id=1, changed_at=NOW,
        )  # fmt: skip
        for target, state in new_document.ways.items():
            _insert(
                connection, document_delivery,
                document_id=new_document.id, target=target, state=state, changes=1, min_interval_ms=0, tries=0,
                not_before=0,
            )  # fmt: skip
